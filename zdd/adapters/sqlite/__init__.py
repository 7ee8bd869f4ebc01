"""Journal and lease in one SQLite file on a local disk, for the deployers of one machine or of one shared directory."""

from zdd.adapters.sqlite.journal import SqliteJournal
from zdd.adapters.sqlite.lease import SqliteLease

__all__ = ["SqliteJournal", "SqliteLease"]
