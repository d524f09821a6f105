// Hints to the processor about memory that a loop will need in a moment. With a hundred thousand
// connections each event is about one whose objects left the caches long ago, and a dozen lines of
// 64 bytes are waited for one after the other; told in time, they come together and meanwhile.
//
// A hint changes nothing but time: whatever it names, nothing is read, kept or changed by it. What
// is read to find the next place (a slot's first word, a field of an object) is not kept either.

import CEpollShim

/// Hints about memory that will be needed soon.
public enum Foresight {
  /// An object, from its head on.
  public static func bring(_ object: AnyObject, bytes: Int) {
    bring(at: place(of: object), bytes: bytes)
  }

  /// Where an object is, for `bring(at:bytes:)`; 0 for none.
  ///
  /// For objects that a variable holds: reading the variable may write to the object's head.
  public static func place(of object: AnyObject?) -> UInt {
    guard let object else { return 0 }
    return unsafe UInt(bitPattern: Unmanaged.passUnretained(object).toOpaque())
  }

  /// Memory at an address, which may be any.
  public static func bring(at address: UInt, bytes: Int) { cmemory_hint(address, bytes) }

  /// Looks at an object by its address without keeping it alive; nothing for address 0.
  ///
  /// Keeping it would write to its head, which is what is waited for. Whoever gave the address
  /// holds the object meanwhile.
  @inlinable
  static func look<Thing: AnyObject>(at address: UInt, _ body: (Thing) -> Void) {
    guard let place = unsafe UnsafeRawPointer(bitPattern: address) else { return }
    unsafe Unmanaged<Thing>.fromOpaque(place)._withUnsafeGuaranteedRef { body($0) }
  }

  /// The object that an array's element begins with, without touching the object.
  @inlinable
  static func address<Element>(in array: borrowing [Element], at place: Int) -> UInt {
    unsafe array.withUnsafeBufferPointer { elements in
      guard place < elements.count, let base = elements.baseAddress else { return 0 }
      return unsafe UnsafeRawPointer(base + place).loadUnaligned(as: UInt.self)
    }
  }
}
