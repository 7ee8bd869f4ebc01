"""Every error that zdd raises on purpose.

::

    ZddError
    ├── ConfigurationError        wrong before anything was touched; the message names the thing and the fix
    ├── DeploymentError           a deployment that was started did not succeed; ``.report`` has the evidence
    │   ├── DeploymentFailed      a gate, a deadline or an action said no; the service is back where it was, or frozen
    │   │   └── PrimaryNotConfirmed  the standby was not opened: it is not certain that the primary has stopped
    │   ├── RollbackFailed        taking the release back failed too; ``.next_steps`` is for a person
    │   └── DeploymentInterrupted somebody stopped the deployer; says what runs now and the call that goes on
    ├── StackFailed               a stack's services are back where they were, or frozen, or in between; ``.report``
    ├── DeploymentInProgress      somebody else deploys this service; ``.holder`` and ``.since_s``
    ├── LeaseLost                 a newer deployer has taken over; nothing further was done
    │   └── LeaseNotRenewed       nobody is known to have, but it could not be asked for in time; the same was done
    ├── BackupError               data can't be saved, verified or restored; the message says what is there now
    ├── JournalError              unreadable, damaged or written by a newer zdd; refuses rather than guesses
    └── AdapterError              an orchestrator, a discovery or an edge failed
        ├── TemporaryError        nothing was changed and a later attempt may work
        ├── PermanentError        nothing was changed and the same request will fail again
        └── OutcomeUnknown        the request may or may not have been applied: observe again, never repeat blindly

No exception of another library leaves an adapter: it is mapped to one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zdd.report import Report
    from zdd.stacks.report import StackReport


class ZddError(Exception):
    """The base of every error that zdd raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be copied, and brought from one process to another, with all that it carries."""
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[ZddError], args: tuple[Any, ...], carried: dict[str, Any]) -> ZddError:
    error = kind.__new__(kind, *args)
    vars(error).update(carried)
    return error


class ConfigurationError(ZddError):
    """What was asked for can't work. Nothing was touched."""


class DeploymentError(ZddError):
    """A deployment that was started did not succeed.

    Attributes:
        report: The evidence: outcome, times, gates, what stayed unproven.
        next_steps: What a person can do now, in words.
    """

    def __init__(self, message: str, *, report: Report, next_steps: str = "") -> None:
        super().__init__(f"{message}\n{next_steps}" if next_steps else message)
        self.report = report
        self.next_steps = next_steps


class DeploymentFailed(DeploymentError):
    """A gate, a deadline or an action said no. The service is back where it was, or frozen where the plan says so."""


class PrimaryNotConfirmed(DeploymentFailed):
    """The standby was not opened, because it is not certain that the primary can't write any more. A person decides.

    Attributes:
        unconfirmed: What is not confirmed, one line each.
    """

    def __init__(self, message: str, *, report: Report, next_steps: str, unconfirmed: tuple[str, ...]) -> None:
        super().__init__(message, report=report, next_steps=next_steps)
        self.unconfirmed = unconfirmed


class RollbackFailed(DeploymentError):
    """The release could not be taken back by its deadline. A person is needed; ``next_steps`` says for what."""


class DeploymentInterrupted(DeploymentError):
    """The deployer was told to stop in the middle. ``next_steps`` is the call that goes on."""


class StackFailed(ZddError):
    """The services of a stack could not all be deployed. Its outcome says whether those that were are taken back.

    Attributes:
        report: What became of each service, with the evidence of each.
        next_steps: What a person can do now, in words.
    """

    def __init__(self, message: str, *, report: StackReport, next_steps: str = "") -> None:
        super().__init__(f"{message}\n{next_steps}" if next_steps else message)
        self.report = report
        self.next_steps = next_steps


class DeploymentInProgress(ZddError):
    """Somebody else deploys this service.

    Attributes:
        holder: Who, as ``user@host:process id``.
        since_s: Since when, in seconds since the epoch.
    """

    def __init__(self, message: str, *, holder: str, since_s: float) -> None:
        super().__init__(message)
        self.holder = holder
        self.since_s = since_s


class LeaseLost(ZddError):
    """A newer deployer has taken over this service. The write was refused and nothing further was done."""


class LeaseNotRenewed(LeaseLost):
    """The lease could not be kept, because where leases are kept did not answer in time. Nothing further was done.

    Nobody is known to have taken over, and somebody may have: so it stops as if somebody had.
    """


class BackupError(ZddError):
    """Data can't be saved, verified or restored. The message says what is there now."""


class JournalError(ZddError):
    """The journal is unreadable, damaged, or written by a newer zdd. zdd refuses rather than guesses."""


class AdapterError(ZddError):
    """An orchestrator, a discovery or an edge failed."""


class TemporaryError(AdapterError):
    """Nothing was changed, and a later attempt may work."""


class PermanentError(AdapterError):
    """Nothing was changed, and the same request will fail again."""


class OutcomeUnknown(AdapterError):
    """The request may or may not have been applied. Observe again; never repeat it blindly.

    Attributes:
        settles_within_s: The longest time in which it can still take effect, in seconds.
    """

    def __init__(self, message: str, *, settles_within_s: float) -> None:
        super().__init__(message)
        self.settles_within_s = settles_within_s
