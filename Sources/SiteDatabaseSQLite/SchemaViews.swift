// The views: what an administrator reads with the `sqlite3` shell. The original's names where it
// has them; times as RFC 3339 text, numbers as words.

enum SchemaViews {
  /// The views of the migration "1 site".
  static let site = [
    """
    CREATE VIEW v_BGB_Task AS
      SELECT t.TaskID, t.GUID, t.TemplateID, a.Name AS Action, t.Param, t.TargetName,
        t.TargetCount, t.RequestedBy, \(iso("t.CreateTime")) AS CreateTime,
        \(iso("t.DeliverBefore")) AS DeliverBefore, \(iso("t.CancelTime")) AS CancelTime,
        CASE WHEN t.CancelTime IS NOT NULL THEN 'cancelled'
          WHEN t.NextCloseTime IS NULL THEN 'completed' ELSE 'active' END AS State,
        \(Schema.counters.map { "t.\($0)" }.joined(separator: ", "))
      FROM BGB_Task t LEFT JOIN BGB_TaskTemplate a USING (TemplateID)
    """,
    """
    CREATE VIEW v_ClientAction AS
      SELECT TaskID AS ClientOperationId, GUID AS UniqueID, TemplateID AS Type,
        TargetName AS TargetCollection, RequestedBy, \(iso("CreateTime")) AS RequestedTime
      FROM BGB_Task
    """,
    """
    CREATE VIEW v_BGB_ResTask AS
      SELECT r.TaskID, t.GUID, r.ResourceID, c.ClientID, c.Name, s.Name AS State, r.Code, r.Text,
        \(iso("r.StatusTime")) AS StatusTime, r.Pushes, r.IsAssumed
      FROM BGB_ResTask r JOIN BGB_Task t USING (TaskID) JOIN BGB_Client c USING (ResourceID)
        JOIN BGB_TaskState s ON s.State = r.State
    """,
    """
    CREATE VIEW v_BGB_ResTaskHistory AS
      SELECT h.TaskID, t.GUID, h.ResourceID, c.ClientID, c.Name, s.Name AS State, h.Code, h.Text,
        \(iso("h.StatusTime")) AS StatusTime, h.ServerID, \(iso("h.ReportTime")) AS ReportTime,
        \(iso("h.ImportTime")) AS ImportTime
      FROM BGB_ResTaskHistory h JOIN BGB_Task t USING (TaskID)
        JOIN BGB_Client c USING (ResourceID) JOIN BGB_TaskState s ON s.State = h.State
    """,
    """
    CREATE VIEW v_BGB_ResTaskPush AS
      SELECT r.TaskID, r.ResourceID, c.ClientID, c.Name, r.Pushes, s.Name AS Status,
        \(iso("h.StatusTime")) AS FirstPushTime
      FROM BGB_ResTask r JOIN BGB_Client c USING (ResourceID)
        JOIN BGB_TaskState s ON s.State = r.State
        LEFT JOIN BGB_ResTaskHistory h
          ON h.TaskID = r.TaskID AND h.ResourceID = r.ResourceID AND h.State = 1
      WHERE r.Pushes > 0
    """,
    """
    CREATE VIEW v_BGB_ResStatus AS
      SELECT p.ResourceID, c.ClientID, c.Name, p.OnlineStatus,
        \(iso("p.LastOnlineTime")) AS LastOnlineTime,
        \(iso("p.LastOfflineTime")) AS LastOfflineTime,
        \(iso("p.LastProofTime")) AS LastProofTime, r.Name AS Reason,
        CASE p.ChannelType WHEN 0 THEN 'tcp' ELSE 'https' END AS Channel, c.IPAddress,
        s.ServerName AS AccessMP
      FROM BGB_ResStatus p JOIN BGB_Client c USING (ResourceID)
        LEFT JOIN BGB_PresenceReason r USING (Reason)
        LEFT JOIN BGB_Server s ON s.ServerID = p.ServerID
    """,
    """
    CREATE VIEW v_BgbServerCurrent AS
      SELECT s.ServerID, s.ServerName, s.Epoch, s.LastOnlineVersion,
        \(iso("s.ReportTime")) AS ReportTime,
        (SELECT count(*) FROM BGB_ResStatus p
          WHERE p.ServerID = s.ServerID AND p.OnlineStatus = 1) AS OnlineClients,
        (SELECT count(*) FROM BGB_ResStatus p
          WHERE p.ServerID = s.ServerID AND p.OnlineStatus = 0) AS OfflineClients,
        (SELECT count(*) FROM BGB_Queue q WHERE q.MessageID > s.QueueCursor
          AND (q.ServerID IS NULL OR q.ServerID = s.ServerID)) AS WaitingMessages
      FROM BGB_Server s
    """,
    """
    CREATE VIEW v_CombinedDeviceResources AS
      SELECT c.ResourceID AS MachineID, c.Name, c.ClientID, c.Hostname,
        c.OperatingSystem AS DeviceOS, c.AgentVersion AS ClientVersion, c.Tags, c.IPAddress,
        c.IsBlocked, coalesce(p.OnlineStatus, 0) AS CNIsOnline,
        \(iso("p.LastOnlineTime")) AS CNLastOnlineTime,
        \(iso("p.LastOfflineTime")) AS CNLastOfflineTime, s.ServerName AS CNAccessMP,
        CASE p.ChannelType WHEN 0 THEN 'tcp' WHEN 1 THEN 'https' END AS CNChannel
      FROM BGB_Client c LEFT JOIN BGB_ResStatus p USING (ResourceID)
        LEFT JOIN BGB_Server s ON s.ServerID = p.ServerID
    """,
    """
    CREATE VIEW v_R_System AS
      SELECT ResourceID, Name AS Name0, ClientID AS SMS_Unique_Identifier0,
        Hostname AS Netbios_Name0, OperatingSystem AS Operating_System_Name_and0,
        AgentVersion AS Client_Version0, IsBlocked AS Is_Blocked0,
        \(iso("CreateTime")) AS Creation_Date0
      FROM BGB_Client
    """,
    """
    CREATE VIEW v_BGB_Queue AS
      SELECT MessageID, CASE Kind WHEN 1 THEN 'push' WHEN 2 THEN 'cancel'
        WHEN 3 THEN 'denyListChanged' WHEN 4 THEN 'fullReportWanted'
        WHEN 5 THEN 'policyChanged' ELSE Kind END AS Kind, TaskGUID, ServerID
      FROM BGB_Queue
    """,
    """
    CREATE VIEW v_BGB_ReportLedger AS
      SELECT l.ServerID, s.ServerName, l.Kind, l.Epoch, l.Sequence, l.Scope,
        \(iso("l.WriteTime")) AS WriteTime, \(iso("l.ImportTime")) AS ImportTime, l.Records,
        l.LeftOut, l.MissingBefore
      FROM BGB_ReportLedger l LEFT JOIN BGB_Server s USING (ServerID)
    """,
    """
    CREATE VIEW v_BGB_StatusMessage AS
      SELECT RecordID, \(iso("Time")) AS Time, Component, MachineName, MessageID,
        CASE Severity WHEN 0 THEN 'information' WHEN 1 THEN 'warning' ELSE 'error' END AS Severity,
        Text
      FROM BGB_StatusMessage
    """,
    """
    CREATE VIEW v_BGB_Audit AS
      SELECT RecordID, \(iso("Time")) AS Time, Actor, Action, Detail FROM BGB_Audit
    """,
  ]

  /// What the migration "3 drain" makes of the view of the queue.
  static let drain = [
    "DROP VIEW v_BGB_Queue",
    """
    CREATE VIEW v_BGB_Queue AS
      SELECT MessageID, CASE Kind WHEN 1 THEN 'push' WHEN 2 THEN 'cancel'
        WHEN 3 THEN 'denyListChanged' WHEN 4 THEN 'fullReportWanted'
        WHEN 5 THEN 'policyChanged' WHEN 6 THEN 'drain' WHEN 7 THEN 'undrain' ELSE Kind END AS Kind,
        TaskGUID, ServerID, Detail
      FROM BGB_Queue
    """,
  ]

  /// What the migration "2 channel" makes of the views that show presence.
  static let channel = [
    "DROP VIEW v_BGB_ResStatus",
    """
    CREATE VIEW v_BGB_ResStatus AS
      SELECT p.ResourceID, c.ClientID, c.Name, p.OnlineStatus,
        \(iso("p.LastOnlineTime")) AS LastOnlineTime,
        \(iso("p.LastOfflineTime")) AS LastOfflineTime,
        \(iso("p.LastProofTime")) AS LastProofTime, r.Name AS Reason,
        CASE p.ChannelType WHEN 0 THEN 'tcp' ELSE 'https' END AS Channel,
        f.Name AS FallbackReason, \(iso("p.ChannelSince")) AS ChannelSince, c.IPAddress,
        s.ServerName AS AccessMP
      FROM BGB_ResStatus p JOIN BGB_Client c USING (ResourceID)
        LEFT JOIN BGB_PresenceReason r ON r.Reason = p.Reason
        LEFT JOIN BGB_FallbackReason f ON f.Reason = p.FallbackReason
        LEFT JOIN BGB_Server s ON s.ServerID = p.ServerID
    """,
    "DROP VIEW v_CombinedDeviceResources",
    """
    CREATE VIEW v_CombinedDeviceResources AS
      SELECT c.ResourceID AS MachineID, c.Name, c.ClientID, c.Hostname,
        c.OperatingSystem AS DeviceOS, c.AgentVersion AS ClientVersion, c.Tags, c.IPAddress,
        c.IsBlocked, coalesce(p.OnlineStatus, 0) AS CNIsOnline,
        \(iso("p.LastOnlineTime")) AS CNLastOnlineTime,
        \(iso("p.LastOfflineTime")) AS CNLastOfflineTime, s.ServerName AS CNAccessMP,
        CASE p.ChannelType WHEN 0 THEN 'tcp' WHEN 1 THEN 'https' END AS CNChannel,
        f.Name AS CNFallbackReason, \(iso("p.ChannelSince")) AS CNChannelSince
      FROM BGB_Client c LEFT JOIN BGB_ResStatus p USING (ResourceID)
        LEFT JOIN BGB_FallbackReason f ON f.Reason = p.FallbackReason
        LEFT JOIN BGB_Server s ON s.ServerID = p.ServerID
    """,
  ]

  /// A moment as RFC 3339 text.
  private static func iso(_ column: String) -> String {
    "strftime('%Y-%m-%dT%H:%M:%fZ', \(column) / 1000.0, 'unixepoch')"
  }
}
