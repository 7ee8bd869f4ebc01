"""A gate that opens a connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from zdd.gates.connection import connect, describe_failure
from zdd.gates.looks import last_look
from zdd.model.gate import Target, check_pace
from zdd.model.names import check_name
from zdd.model.verdict import Result, Sample, Verdict


def _port(value: Any) -> str:
    return check_name("port name", value)


@frozen
class TcpGate:
    """Passes when the port accepts a connection. It is closed at once, and nothing is sent.

    Attributes:
        port: The port's name.
        timeout_s: Seconds until a look is given up, as failed.
        interval_s: Seconds between two looks.
        deadline_s: Seconds within which it must pass. None: the service's.

    Raises:
        ConfigurationError: A value is illegal.
    """

    port: str = field(default="http", converter=_port)
    timeout_s: float = field(default=2.0, kw_only=True)
    interval_s: float = field(default=0.2, kw_only=True)
    deadline_s: float | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_pace(self, timeout_s=self.timeout_s)

    def ports(self) -> frozenset[str]:
        """Return the port."""
        return frozenset({self.port})

    def sample(self, target: Target) -> Sample:
        """Try to connect, once."""
        address = target.addresses.get(self.port)
        if address is None:
            return Sample(Result.INCONCLUSIVE, f"the address of port {self.port} is not known")
        begun_s = time.monotonic()
        try:
            connect(address, begun_s + self.timeout_s).close()
        except OSError as error:
            return Sample(Result.FAILED, f"{address}: {describe_failure(error, self.timeout_s)}")
        return Sample(Result.PASSED, f"{address} accepts connections", {"seconds": time.monotonic() - begun_s})

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Conclude what the last look says."""
        return last_look(samples)

    def __str__(self) -> str:
        return f"a connection to port {self.port}"
