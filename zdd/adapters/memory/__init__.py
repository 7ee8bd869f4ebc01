"""A world without I/O for notebooks and tests: deterministic, in virtual time, with people and faults in it."""

from zdd.adapters.memory.behaviour import Behaviour
from zdd.adapters.memory.clock import MemoryClock
from zdd.adapters.memory.control import MemoryControl
from zdd.adapters.memory.discovery import MemoryDiscovery
from zdd.adapters.memory.edge import MemoryEdge
from zdd.adapters.memory.entry import Blame, Entry, What
from zdd.adapters.memory.fault import Fault, FaultKind
from zdd.adapters.memory.gates import HealthyGate
from zdd.adapters.memory.instance import Health, MemoryInstance
from zdd.adapters.memory.journal import MemoryJournal
from zdd.adapters.memory.lease import MemoryLease
from zdd.adapters.memory.orchestrator import MemoryOrchestrator
from zdd.adapters.memory.world import MemoryWorld

__all__ = [
    "Behaviour",
    "Blame",
    "Entry",
    "Fault",
    "FaultKind",
    "Health",
    "HealthyGate",
    "MemoryClock",
    "MemoryControl",
    "MemoryDiscovery",
    "MemoryEdge",
    "MemoryInstance",
    "MemoryJournal",
    "MemoryLease",
    "MemoryOrchestrator",
    "MemoryWorld",
    "What",
]
