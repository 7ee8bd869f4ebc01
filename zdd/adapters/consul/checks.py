"""Checks that Consul's agent makes besides zdd's own: what dies between two deployments gets no requests.

They are plain definitions, as in Consul's documentation; a user may write any other.
"""

from __future__ import annotations

from typing import Any

from zdd.errors import ConfigurationError
from zdd.model.address import Address
from zdd.model.names import check_number

DEREGISTER_AFTER_S_LEAST = 60.0


def tcp_check(
    address: Address, *, interval_s: float = 1.0, timeout_s: float = 1.0, deregister_after_s: float = 600.0
) -> dict[str, Any]:
    """Return the check that something accepts connections at an address, which the agent must be able to reach.

    Args:
        address: The instance's.
        interval_s: How often, in seconds.
        timeout_s: Within how many seconds.
        deregister_after_s: When Consul forgets an instance that has failed all that time, in seconds; 60 at least.

    Raises:
        ConfigurationError: A number is out of bounds.
    """
    return {"Name": "accepts connections", "TCP": str(address), **_times(interval_s, timeout_s, deregister_after_s)}


def http_check(
    address: Address,
    path: str,
    *,
    interval_s: float = 1.0,
    timeout_s: float = 1.0,
    deregister_after_s: float = 600.0,
) -> dict[str, Any]:
    """Return the check that ``GET path`` is answered with 2xx. The rest is as in `tcp_check`.

    An answer of 429 makes it a warning, and an instance with a warning gets no new requests.

    Raises:
        ConfigurationError: The path does not begin with ``/``, or a number is out of bounds.
    """
    if not path.startswith("/"):
        raise ConfigurationError(f"path {path!r} of a check: use a path that begins with /")
    url = f"http://{address}{path}"
    return {"Name": f"GET {path}", "HTTP": url, **_times(interval_s, timeout_s, deregister_after_s)}


def _times(interval_s: float, timeout_s: float, deregister_after_s: float) -> dict[str, Any]:
    check_number("interval_s of a check", interval_s, least=0.1)
    check_number("timeout_s of a check", timeout_s, least=0.01)
    check_number("deregister_after_s of a check", deregister_after_s, least=DEREGISTER_AFTER_S_LEAST)
    return {
        "Interval": f"{round(interval_s * 1000)}ms",
        "Timeout": f"{round(timeout_s * 1000)}ms",
        "DeregisterCriticalServiceAfter": f"{round(deregister_after_s)}s",
    }
