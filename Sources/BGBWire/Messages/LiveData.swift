// Body of LiveData: number of values 1, then a name and a text for each.

import BGBModel

extension LiveData {
  func encode(into writer: inout ByteWriter) {
    let values = self.values.prefix(Limits.liveDataValuesMax)
    writer.integer(UInt8(truncatingIfNeeded: values.count))
    for value in values {
      writer.text(value.name, limit: Limits.liveDataNameBytesMax)
      writer.text(value.text, limit: Limits.liveDataBytesMax)
    }
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    let count = Int(try reader.integer(UInt8.self))
    guard count <= Limits.liveDataValuesMax else { throw .tooLong }
    values = []
    for _ in 0..<count {
      let name = try reader.text(limit: Limits.liveDataNameBytesMax)
      values.append(Value(name: name, text: try reader.text(limit: Limits.liveDataBytesMax)))
    }
  }
}
