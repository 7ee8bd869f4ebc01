"""Weights as Consul can have them, in a form in which HAProxy understands them too."""

from __future__ import annotations

from collections.abc import Iterable

STEP = 256
"""HAProxy divides the weight of an SRV record by 256 and rounds up: between two multiples it sees no difference."""

STEPS = 255
"""How many steps there are: Consul's greatest weight is 65535, and HAProxy's is 256."""


def consul_weight(weight: int, weights: Iterable[int]) -> int:
    """Return the weight that Consul is told for one of these weights, none of which may be greater than it is told.

    The greatest one becomes 255 steps, and the others keep their proportion to it, to half a step. What has any weight
    has one step at least. So a share is off by less than 0.2 % of that of the instance with the greatest weight, and an
    instance keeps its number when others change, unless the greatest weight does.
    """
    greatest = max(weights, default=0)
    if weight <= 0 or greatest <= 0:
        return STEP
    return STEP * max(1, round(STEPS * weight / max(weight, greatest)))
