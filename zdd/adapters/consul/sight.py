"""Whether what Consul does not list is not there: what a token may not see is left out of a list without a word.

A Consul since 1.11 says in a header that it left something out, if the token is not the anonymous one. An older one
says nothing. But both refuse to answer for one config entry of a service, or the coordinate of one node, if the token
may not read that service or node, whether or not there is such an entry; so that is asked where something is missing.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.store import CONSISTENT
from zdd.errors import PermanentError

NODES_RIGHT = 'node_prefix "" { policy = "read" }'

Place = tuple[str, str]


def service_right(name: str) -> str:
    """Return the rule of an ACL policy that writing a service needs."""
    return f'service "{name}" {{ policy = "write" }}'


@define(eq=False)
class Sight:
    """What one connection has seen listed, so that it is noticed when something of it can't be seen any more.

    Attributes:
        connection: The agent that is asked.
    """

    connection: ConsulConnection
    _known: dict[str, frozenset[Place]] = field(factory=dict, init=False)

    def check(self, name: str, places: Iterable[Place]) -> None:
        """Refuse a list of what is registered under a name, each with its id and node, that may be short of something.

        Raises:
            PermanentError: What is missing, compared with the last list or with a first one that is empty, may be there
                still: the token has no right to see it.
            TemporaryError: Consul can't be reached.
        """
        now, known = frozenset(places), self._known.get(name)
        missing = known - now if known else frozenset[Place]()
        if missing or (known is None and not now):
            self._check_rights(name, {node for _, node in missing})
        self._known[name] = now

    def _check_rights(self, name: str, nodes: set[str]) -> None:
        ask = self.connection.ask
        ask(f"/v1/config/service-defaults/{name}", parameters=CONSISTENT, right=service_right(name))
        answer = ask("/v1/catalog/nodes", parameters=CONSISTENT, right=NODES_RIGHT)
        seen = {str(node.get("Node")) for node in answer.json(list) if isinstance(node, dict)}
        if not seen:
            raise PermanentError(f"{answer.what}: the token may see no node. It needs: {NODES_RIGHT}")
        for node in sorted(nodes - seen):  # it has left, or only this one may not be seen
            ask(f"/v1/coordinate/node/{node}", parameters=CONSISTENT, right=NODES_RIGHT)
