"""Journal, lease and orders in an SQLite file on a local disk, for deployers of one machine or a shared directory."""

from zdd.adapters.sqlite.control import SqliteControl
from zdd.adapters.sqlite.journal import SqliteJournal
from zdd.adapters.sqlite.lease import SqliteLease

__all__ = ["SqliteControl", "SqliteJournal", "SqliteLease"]
