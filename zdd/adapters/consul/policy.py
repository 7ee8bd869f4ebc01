"""The least that a token needs, as a policy for Consul's ACL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zdd.adapters.consul.connection import CONFLICT, OK
from zdd.adapters.consul.sight import NODES_RIGHT, service_right
from zdd.adapters.consul.store import Store
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError


def service_policy(service: str, names: Iterable[str], store: Store) -> str:
    """Return the policy, in HCL, with which a token can deploy one service: discovery, lease, journal and orders.

    Args:
        service: The service's name.
        names: The names under which Consul lists it.
        store: Where zdd keeps its keys.
    """
    lines = [f"# What zdd needs to deploy {service}."]
    lines += [service_right(name) for name in sorted(set(names))]
    lines += [
        _key_right(store.heads(service)),
        _key_right(store.events(service)),
        f"{_key_right(store.control(service))}  # the orders: pause, resume, promote, abort",
        'session_prefix "" { policy = "write" }  # the lease',
        f"{NODES_RIGHT}  # Consul leaves out of its answers the services of nodes that the token may not read",
    ]
    return "\n".join(lines) + "\n"


def operator_policy(service: str, store: Store) -> str:
    """Return the policy, in HCL, with which a token can give orders to a service and read how it stands."""
    lines = [
        f"# What zdd needs to pause, resume, promote or abort a deployment of {service}.",
        _key_right(store.heads(service), "read"),
        _key_right(store.events(service), "read"),
        _key_right(store.control(service)),
    ]
    return "\n".join(lines) + "\n"


def event_right(name: str, access: str, kind: str = "event") -> str:
    """Return the rule for Consul's events of one name, or of all that begin so."""
    return f'{kind} "{name}" {{ policy = "{access}" }}'


def check_rights(service: str, names: Iterable[str], store: Store) -> None:
    """Try, without changing anything, whether the token may do what a deployment does to discovery.

    A transaction is asked for that never can be done, because one of its conditions never holds; Consul says beforehand
    which parts of it the token may not do.

    Raises:
        ConfigurationError: It may not. The message names the rules that are missing.
        TemporaryError: Consul can't be reached.
    """
    try:
        nodes = store.connection.ask("/v1/catalog/nodes", right=NODES_RIGHT).json(list)
        if not nodes:
            raise ConfigurationError(f"the Consul token for {service} may see no node. It needs: {NODES_RIGHT}")
        problems = _problems(service, list(names), store, str(nodes[0].get("Node")))
    except (PermanentError, OutcomeUnknown) as error:
        raise ConfigurationError(str(error)) from None
    if problems:
        raise ConfigurationError(
            f"the Consul token for {service} is not permitted enough. It needs: {'; '.join(problems)}"
        )


def _problems(service: str, names: list[str], store: Store, node: str) -> list[str]:
    parts: list[tuple[str, dict[str, Any]]] = []
    for prefix in (store.heads(service), store.events(service), store.control(service)):
        never = {"Verb": "check-index", "Key": prefix + "never", "Index": 1}
        write = {"Verb": "cas", "Key": prefix + "never", "Index": 1, "Value": ""}
        parts += [(_key_right(prefix), {"KV": operation}) for operation in (never, write)]
    for name in names:
        definition = {"ID": f"zdd:{name}:never", "Service": name}
        parts.append((service_right(name), {"Service": {"Verb": "set", "Node": node, "Service": definition}}))
    body = [operation for _, operation in parts]
    answer = store.connection.tell("/v1/txn", body, expected=(OK, CONFLICT))
    if answer.status == OK:
        raise ConfigurationError(f"{answer.what} did what can't be done: use the address of a Consul agent itself")
    refused = [
        parts[error["OpIndex"]][0]
        for error in answer.json(dict).get("Errors") or ()
        if str(error.get("What", "")).startswith("Permission denied")
    ]
    return list(dict.fromkeys(refused))


def _key_right(prefix: str, access: str = "write") -> str:
    return f'key_prefix "{prefix}" {{ policy = "{access}" }}'
