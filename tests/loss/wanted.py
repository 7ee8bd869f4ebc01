"""How much a case of `make loss` is to have."""

from __future__ import annotations

from attrs import frozen

MARGIN_S = 2.0
"""How much longer than the longest request an instance gets for what it has in hand, in seconds."""


@frozen
class Wanted:
    """How much a case is to have.

    Attributes:
        requests: How many are to be answered at least.
        removals: How many instances are to be removed at least.
        longest_s: How long the longest requests take, in seconds.
        replicas: How many instances serve; half of them are a batch.
        load: What is asked for: ``mixed``, or ``light``, which leaves instances without requests now and then.
        slow_edge: Whether the edges follow Consul as slowly as they do by default.
    """

    requests: int
    removals: int
    longest_s: float
    replicas: int
    load: str
    slow_edge: bool
