"""Lives of a service, drawn from seeds and played in virtual time, with everything that can go wrong in them."""

from zdd.simulation.campaign import Figures, campaign
from zdd.simulation.invariants import Invariant, Violation
from zdd.simulation.rehearsal import Rehearsal, rehearse
from zdd.simulation.run import Result, simulate
from zdd.simulation.scenario import Scenario, StrategyKind, draw
from zdd.simulation.smallest import smallest
from zdd.simulation.telling import told
from zdd.simulation.trouble import ASKED_FOR, DRAWN_APART, FaultClass, Trouble

__all__ = [
    "ASKED_FOR",
    "DRAWN_APART",
    "FaultClass",
    "Figures",
    "Invariant",
    "Rehearsal",
    "Result",
    "Scenario",
    "StrategyKind",
    "Trouble",
    "Violation",
    "campaign",
    "draw",
    "rehearse",
    "simulate",
    "smallest",
    "told",
]
