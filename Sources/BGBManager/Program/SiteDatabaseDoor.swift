// The one place that knows which database a site uses.

import SiteDatabase
import SiteDatabaseSQLite

/// Opens the site's database.
func openSiteDatabase(_ path: String) throws(StoreError) -> any SiteStore {
  try SQLiteSiteStore.open(at: path)
}
