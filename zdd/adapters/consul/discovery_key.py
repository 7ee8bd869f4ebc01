"""What zdd keeps of a service's discovery in Consul's keys: whether requests are held back, and the names it uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from zdd.adapters.consul.fence import FenceKey
from zdd.adapters.consul.store import Entry, Store, encode_record, replace, unchanged
from zdd.errors import OutcomeUnknown
from zdd.interfaces import Fence

_TRIES = 8


@frozen
class DiscoveryKey:
    """What was read.

    Attributes:
        fence: The greatest fence.
        entry: The key, as it was read.
        held: Requests are held back.
        names: Every name under which something of the service may be listed.
    """

    fence: FenceKey
    entry: Entry
    held: bool
    names: tuple[str, ...]

    @classmethod
    def read(cls, store: Store, service: str) -> DiscoveryKey:
        """Ask for it.

        Raises:
            PermanentError: What is there was not written by zdd.
        """
        heads = store.heads(service)
        fence = FenceKey.of(store.get(heads + "fence"))
        entry = store.get(heads + "discovery")
        match entry.record():
            case {"held": bool(held), "names": [*names]} if all(isinstance(name, str) for name in names):
                return cls(fence, entry, held, tuple(names))
            case _ if entry.index:
                raise entry.damaged()
        return cls(fence, entry, False, ())

    def write(self, store: Store, held: bool, names: Sequence[str], fence: Fence) -> bool:
        """Write it if it is different, and claim; return False if somebody else wrote in between."""
        same = (held, tuple(names)) == (self.held, self.names)
        if same and fence.token == self.fence.greatest.token:
            return True
        value = encode_record(held=held, names=list(names))
        change = unchanged(self.entry) if same else replace(self.entry, value)
        return store.commit([self.fence.accept(fence), change])


def add_names(store: Store, service: str, fence: Fence, names: Sequence[str], *, hold: bool) -> tuple[str, ...]:
    """Claim, and write down what must be known before anything is registered. Return all names there may be.

    Raises:
        LeaseLost: A greater token was granted or accepted. Nothing was written.
        OutcomeUnknown: Others kept writing at the same time.
    """

    def change(key: DiscoveryKey) -> tuple[bool, tuple[str, ...]]:
        return key.held or hold, tuple(dict.fromkeys([*names, *key.names]))

    return _write(store, service, fence, change)


def set_names(
    store: Store, service: str, fence: Fence, names: Sequence[str], *, held: bool | None = None
) -> tuple[str, ...]:
    """Write down what is so now. Raises as `add_names` does."""

    def change(key: DiscoveryKey) -> tuple[bool, tuple[str, ...]]:
        return key.held if held is None else held, tuple(names)

    return _write(store, service, fence, change)


def _write(
    store: Store, service: str, fence: Fence, change: Callable[[DiscoveryKey], tuple[bool, tuple[str, ...]]]
) -> tuple[str, ...]:
    for _ in range(_TRIES):
        key = DiscoveryKey.read(store, service)
        key.fence.check(service, fence)
        held, names = change(key)
        if key.write(store, held, names, fence):
            return names
    raise OutcomeUnknown(f"{service} is being changed by many deployers at once", settles_within_s=0.0)
