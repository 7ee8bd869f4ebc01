"""Backups: what a service's data were before a deployment, verified, and brought back when they are needed.

::

    source      what is saved: files, what a command prints, a volume, Consul's state
    sealing     compressing, encrypting, counting and checksumming, as streams
    store       where it is kept: a directory, or an object of the user's
    manifest    what one backup consists of; written last, so that a backup without one is none
    archive     making, verifying, restoring and expiring backups with these
    backup      the strategy that makes one, and its two actions
    restore     the strategy that puts one back
"""

from zdd.backup.archive import Archive
from zdd.backup.backup import Backup
from zdd.backup.command_output import CommandOutput
from zdd.backup.files import Files
from zdd.backup.manifest import DamagedBackup, Manifest, Part
from zdd.backup.restore import Restore
from zdd.backup.retention import Retention
from zdd.backup.source import Source
from zdd.backup.store import DirectoryStore, Store

__all__ = [
    "Archive",
    "Backup",
    "CommandOutput",
    "DamagedBackup",
    "DirectoryStore",
    "Files",
    "Manifest",
    "Part",
    "Restore",
    "Retention",
    "Source",
    "Store",
]
