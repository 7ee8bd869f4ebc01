"""The conformance kit: proves that an adapter keeps the rules of its interface. It needs no test runner.

::

    from zdd import Service
    from zdd.testing import Conditions, check_orchestrator

    conditions = Conditions(service=Service("kit"), workload={"kind": "mine", "image": "web:1"})
    for rule in check_orchestrator(make=MyOrchestrator, conditions=conditions):
        print("kept:", rule)

A broken rule raises `ConformanceError`, which names all that are broken and says what was seen. Rules that need
something which the caller did not give (a second deployer, a workload that never gets ready) are left out, and not
among the names that are returned.
"""

from zdd.testing.clock import CLOCK_RULES, check_clock
from zdd.testing.control import CONTROL_RULES, check_control
from zdd.testing.discovery import DISCOVERY_RULES, check_discovery
from zdd.testing.edge import EDGE_RULES, EdgeBench, check_edge
from zdd.testing.gate import GATE_RULES, check_gate
from zdd.testing.journal import JOURNAL_RULES, check_journal
from zdd.testing.lease import LEASE_RULES, check_lease
from zdd.testing.orchestrator import ORCHESTRATOR_RULES, check_orchestrator
from zdd.testing.orchestrator_in_place import IN_PLACE_RULES
from zdd.testing.rules import BrokenRule, Conditions, ConformanceError, Rule, accepts_connections

__all__ = [
    "CLOCK_RULES",
    "CONTROL_RULES",
    "DISCOVERY_RULES",
    "EDGE_RULES",
    "GATE_RULES",
    "IN_PLACE_RULES",
    "JOURNAL_RULES",
    "LEASE_RULES",
    "ORCHESTRATOR_RULES",
    "BrokenRule",
    "Conditions",
    "ConformanceError",
    "EdgeBench",
    "Rule",
    "accepts_connections",
    "check_clock",
    "check_control",
    "check_discovery",
    "check_edge",
    "check_gate",
    "check_journal",
    "check_lease",
    "check_orchestrator",
]
