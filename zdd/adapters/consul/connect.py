"""Traffic shares of Consul Connect: a resolver with one subset per version, and a splitter between them.

Sidecar proxies follow these config entries, not the weights of registrations. What counts is what Consul makes of
them: the compiled discovery chain is read back, and compared.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from zdd.adapters.consul.connection import OK, Answer, ConsulConnection
from zdd.adapters.consul.fence import FenceKey
from zdd.adapters.consul.store import DEFAULT_PREFIX, Store
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_HUNDREDTHS = 10_000


class ConnectSplits:
    """Divides what sidecar proxies send to a service over its versions, and reads back what Consul makes of it.

    The service's protocol must be ``http`` or another one of layer 7, by its ``service-defaults``: without that, Consul
    refuses a splitter. The instances are told apart by the tag ``version=…`` that `ConsulDiscovery` gives them.

    Args:
        connection: The agent that is asked. The token needs ``service`` write for the name.
        prefix: What zdd's keys begin with.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(self, connection: ConsulConnection, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._connection = connection
        self._store = Store(connection, prefix)

    def write(self, service: str, name: str, shares: Mapping[str, int], fence: Fence) -> None:
        """Divide the traffic, and check it against the compiled discovery chain.

        Subsets are added before the splitter names them, and removed after it has let go of them.

        Args:
            service: The service's name, for the fence.
            name: The name under which Consul lists it.
            shares: Version → share, relative to the others; 0 is none.
            fence: The deployer's.

        Raises:
            LeaseLost: A greater token was granted or accepted. Nothing further was written.
            ConfigurationError: The name or the shares are illegal, or the protocol can't be split.
            PermanentError: Consul refuses.
            OutcomeUnknown: Somebody else changed it at the same time, or the chain is not as written.
            TemporaryError: Consul can't be reached.
        """
        weights = hundredths(shares)
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"service name {name!r}: use letters, digits, '-' and '_'")
        self._check_protocol(name)
        subsets = {subset_of(version): {"Filter": _filter(version)} for version in weights}
        known = self._entry("service-resolver", name).get("Subsets") or {}
        self._put("service-resolver", name, {"Subsets": {**known, **subsets}}, service, fence)
        splits = [{"Weight": share / 100, "ServiceSubset": subset_of(v)} for v, share in weights.items() if share]
        self._put("service-splitter", name, {"Splits": splits}, service, fence)
        self._put("service-resolver", name, {"Subsets": subsets}, service, fence)
        shown = self.shown(name)
        expected = {subset_of(version): share for version, share in weights.items() if share}
        if shown != expected:
            raise OutcomeUnknown(
                f"the discovery chain of {name} divides {shown}, {expected} was written", settles_within_s=0.0
            )

    def shown(self, name: str) -> dict[str, int]:
        """Return subset → hundredths of a per cent, as Consul's compiled discovery chain divides the traffic.

        Raises:
            TemporaryError: Consul can't be reached, or does not answer as Consul does.
            PermanentError: It refuses.
        """
        chain, what = self._chain(name)
        try:
            start = chain["Nodes"][chain["StartNode"]]
            if start["Type"] != "splitter":
                return {}
            resolvers = {split["NextNode"]: round(split["Weight"] * 100) for split in start["Splits"]}
            targets = {chain["Nodes"][node]["Resolver"]["Target"]: weight for node, weight in resolvers.items()}
            return {chain["Targets"][target]["ServiceSubset"]: weight for target, weight in targets.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise TemporaryError(f"{what} was not answered as Consul does: {error!r}") from error

    def _chain(self, name: str) -> tuple[dict[str, Any], str]:
        answer = self._connection.ask(f"/v1/discovery-chain/{name}", right=_right(name, "read"))
        chain = answer.json(dict).get("Chain")
        if not isinstance(chain, dict):
            raise TemporaryError(f"{answer.what} was not answered as Consul does: it has no chain")
        return chain, answer.what

    def _check_protocol(self, name: str) -> None:
        protocol = self._chain(name)[0].get("Protocol")
        if protocol == "tcp":
            raise ConfigurationError(
                f"{name} has the protocol tcp, which can't be split: write a service-defaults entry with Protocol http"
            )

    def _entry(self, kind: str, name: str) -> dict[str, Any]:
        answer = self._connection.ask(f"/v1/config/{kind}/{name}", right=_right(name, "read"))
        return dict(answer.json(dict)) if answer.status == OK else {}

    def _put(self, kind: str, name: str, values: Mapping[str, Any], service: str, fence: Fence) -> None:
        before = self._entry(kind, name)
        if all(before.get(key) == value for key, value in values.items()) and before:
            return
        FenceKey.read(self._store, service).check(service, fence)
        kept = {key: value for key, value in before.items() if key not in ("CreateIndex", "ModifyIndex")}
        body = {**kept, "Kind": kind, "Name": name, **values}
        parameters = {"cas": str(before.get("ModifyIndex", 0))}
        answer = self._connection.tell("/v1/config", body, parameters=parameters, right=_right(name, "write"))
        if answer.text != "true":
            _not_written(answer, kind, name)


def hundredths(shares: Mapping[str, int]) -> dict[str, int]:
    """Return version → hundredths of a per cent, which are 10,000 together, as near to the shares as can be.

    Raises:
        ConfigurationError: A share is no whole number of at least 0, or all are 0.
    """
    for version, share in shares.items():
        if type(share) is not int or share < 0:
            raise ConfigurationError(f"share of {version}: {share!r} is no whole number of at least 0")
    total = sum(shares.values())
    if not total:
        raise ConfigurationError("the shares are 0 together: give one version at least 1")
    found = {version: share * _HUNDREDTHS // total for version, share in sorted(shares.items())}
    rest = _HUNDREDTHS - sum(found.values())
    by_remainder = sorted(found, key=lambda version: (-(shares[version] * _HUNDREDTHS % total), version))
    for version in by_remainder[:rest]:
        found[version] += 1
    return found


def subset_of(version: str) -> str:
    """Return the name of a version's subset, which Consul uses in names of DNS and TLS."""
    return f"v-{hashlib.sha256(version.encode()).hexdigest()[:12]}"


def _filter(version: str) -> str:
    if not version or "`" in version or not version.isprintable():
        raise ConfigurationError(f"version {version!r} can't be told apart by a filter of Consul")
    return f"`version={version}` in Service.Tags"


def _right(name: str, access: str) -> str:
    return f'service "{name}" {{ policy = "{access}" }}'


def _not_written(answer: Answer, kind: str, name: str) -> None:
    if answer.text == "false":
        raise OutcomeUnknown(f"{kind} of {name} was changed by somebody else at once", settles_within_s=0.0)
    raise PermanentError(f"{answer.what} was not answered as Consul does: {answer.text[:200]!r}")
