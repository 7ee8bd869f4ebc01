"""What a service was last meant to be: what a mirror goes by while nobody deploys."""

from __future__ import annotations

from attrs import frozen

from zdd.model.plan import Plan


@frozen
class Intent:
    """What a service was last meant to be.

    Attributes:
        plan: One stage that changes nothing: the cells as the last deployment meant them, with the whole revisions,
            gates included, that run in them.
        settled: That deployment has come to its end. While it has not, nobody but a deployer knows where traffic goes.
        deployment: The deployment's id.
    """

    plan: Plan
    settled: bool
    deployment: str
