"""The lease: a key that a Consul session has locked, with the time at which it ends."""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from zdd.adapters.consul.connection import NOT_FOUND, OK, ConsulConnection
from zdd.adapters.consul.fence import FenceKey
from zdd.adapters.consul.store import DEFAULT_PREFIX, Entry, Store, encode_record, lock, replace, unchanged, unlock
from zdd.errors import DeploymentInProgress, LeaseLost, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence, Holder, gives_way
from zdd.model.names import check_function, check_number

logger = logging.getLogger("zdd")

TTL_S_MAX = 86_400.0
_SESSION_TTL_S_LEAST = 10
_TRIES = 8
_SESSION_RIGHT = 'session_prefix "" { policy = "write" }'


@frozen
class _Held:
    """The lease of a service, as its key says.

    Attributes:
        entry: The key, as it was read.
        token: That of the last fence.
        holder: Its name; empty if it was released.
        since_s: Since when, in seconds since the epoch.
        expires_s: When it ends if it is not renewed.
        session: That of the holder.
    """

    entry: Entry
    token: int = 0
    holder: str = ""
    since_s: float = 0.0
    expires_s: float = 0.0
    session: str = ""

    @classmethod
    def of(cls, entry: Entry) -> _Held:
        record = entry.record()
        if not record:
            return cls(entry)
        values = [record.get(name) for name in ("token", "holder", "since_s", "expires_s", "session")]
        kinds: list[Any] = [int, str, (int, float), (int, float), str]
        if not all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=True)):
            raise PermanentError(f"Consul's key {entry.key} does not hold what zdd wrote: restore it, or move it away")
        return cls(entry, **{name: record[name] for name in ("token", "holder", "since_s", "expires_s", "session")})

    @property
    def value(self) -> bytes:
        return encode_record(
            token=self.token,
            holder=self.holder,
            since_s=self.since_s,
            expires_s=self.expires_s,
            session=self.session,
        )

    def counts(self, now_s: float) -> bool:
        """Tell whether it keeps others out: it has not run out, and nobody has ended its session."""
        return bool(self.holder) and now_s < self.expires_s and self.entry.session == self.session


class ConsulLease:
    """A lease in Consul, for deployers on any number of machines.

    The holder's session has locked the key; its TTL is that of the lease, but 10 seconds at least, and Consul may take
    twice as long to end it. So the key also says when the lease ends, and whoever takes it then ends the old session.
    That time is by the clocks of the deployers: one whose clock is ahead takes it earlier. Nothing breaks by that,
    because the fence shuts out the former holder in the same transaction in which the lease is taken.

    A person can end somebody's lease by ending the session, ``consul lock`` and the web interface show it.

    Args:
        connection: The agent that is asked. Its time-outs should be well below the lease.
        prefix: What zdd's keys begin with.
        now: Tells the time in seconds since the epoch; all deployers should go by the same.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(
        self, connection: ConsulConnection, *, prefix: str = DEFAULT_PREFIX, now: Callable[[], float] = time.time
    ) -> None:
        self._connection = connection
        self._store = Store(connection, prefix)
        check_function("now of ConsulLease", now, "no argument that returns seconds since the epoch")
        self._now = now

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        """Take the lease for `ttl_s` seconds. The fence's token is greater than all before it for this service.

        Raises:
            DeploymentInProgress: Somebody else holds it, and has not let it expire.
            ConfigurationError: `ttl_s` is no number of seconds that a lease can have.
            TemporaryError: Consul can't be reached, or many try at once.
            PermanentError: Consul refuses, or what is there was not written by zdd.
            OutcomeUnknown: Consul did not say whether it was taken. It ends by itself.
        """
        _check_ttl(service, ttl_s)
        self._check_free(service, holder)
        session = self._open_session(service, holder, ttl_s)
        try:
            return self._take(service, holder, ttl_s, session)
        except BaseException:
            self._end_quietly(session)
            raise

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        """Keep it for another `ttl_s` seconds from now, also when it has expired and nobody took it.

        Raises:
            LeaseLost: Somebody else took it, or it was released.
            ConfigurationError: `ttl_s` is no number of seconds that a lease can have.
            TemporaryError: It is not known to be renewed, because Consul did not answer.
            PermanentError: Consul refuses, or what is there was not written by zdd.
        """
        _check_ttl(service, ttl_s)
        try:
            self._renew(service, fence, ttl_s)
        except OutcomeUnknown as error:  # if it was renewed, no harm is done
            raise TemporaryError(f"the lease of {service} may not have been renewed: {error}") from error

    def release(self, service: str, fence: Fence) -> None:
        """Let go of it, if it is still held. Where Consul doesn't answer, that is logged, and it ends by itself.

        Raises:
            PermanentError: Consul refuses, or what is there was not written by zdd.
        """
        try:
            self._release(service, fence)
        except (TemporaryError, OutcomeUnknown) as error:
            # Whoever lets go is done with it, and what made it end says more than this would.
            logger.warning("zdd.lease_not_released: that of %s ends when its time is over: %s", service, error)

    def holder(self, service: str) -> Holder | None:
        """Return who holds it; None if nobody does, if it has expired, or if its session was ended.

        Raises:
            TemporaryError: Consul can't be reached.
            PermanentError: Consul refuses, or what is there was not written by zdd.
        """
        held = self._read(service)
        return Holder(held.holder, held.since_s, held.expires_s) if held.counts(self._now()) else None

    # -- taking it ----------------------------------------------------------------------------------------------------

    def _take(self, service: str, holder: str, ttl_s: float, session: str) -> Fence:
        for _ in range(_TRIES):
            held = self._check_free(service, holder)
            if held.entry.session:
                self._end_session(held.entry.session)
                held = self._check_free(service, holder)
            key = FenceKey.read(self._store, service)
            now_s = self._now()
            fence = Fence(max(key.greatest.token, held.token) + 1, holder)
            taken = _Held(held.entry, fence.token, holder, now_s, now_s + ttl_s, session)
            operations = [unchanged(held.entry), key.accept(fence), lock(held.entry.key, session, taken.value)]
            if self._done(service, taken, operations):
                return fence
        raise TemporaryError(f"the lease of {service} is wanted by many deployers at once")

    def _done(self, service: str, taken: _Held, operations: list[dict[str, Any]]) -> bool:
        """Commit, and where Consul does not answer, look whether it was done."""
        try:
            return self._store.commit(operations)
        except OutcomeUnknown as error:
            try:
                found = self._read(service)
            except (TemporaryError, PermanentError):
                raise error from None
            if (found.token, found.session) == (taken.token, taken.session):
                return True
            raise

    def _renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        for _ in range(_TRIES):
            held = self._read(service)
            if held.token != fence.token or not held.holder:
                taken = f"{held.holder} has taken it (token {held.token})" if held.holder else "it was released"
                raise LeaseLost(f"the lease of {service} with token {fence.token} is lost: {taken}")
            session = held.session
            if not self._renew_session(session):
                session = self._open_session(service, held.holder, ttl_s)
            renewed = evolve(held, expires_s=self._now() + ttl_s, session=session)
            if self._store.commit([unchanged(held.entry), lock(held.entry.key, session, renewed.value)]):
                return
        raise TemporaryError(f"the lease of {service} is wanted by many deployers at once")

    def _release(self, service: str, fence: Fence) -> None:
        held = self._read(service)
        if held.token != fence.token or not held.holder:
            return
        freed = evolve(held, holder="", session="")
        if held.entry.session == held.session:
            self._store.commit([unchanged(held.entry), unlock(held.entry.key, held.session, freed.value)])
        else:
            self._store.commit([replace(held.entry, freed.value)])
        self._end_session(held.session)

    def _read(self, service: str) -> _Held:
        return _Held.of(self._store.get(self._store.heads(service) + "lease"))

    def _check_free(self, service: str, holder: str) -> _Held:
        held = self._read(service)
        if held.counts(self._now()) and not gives_way(held.holder, holder):
            raise _in_progress(service, held)
        return held

    # -- sessions -----------------------------------------------------------------------------------------------------

    def _open_session(self, service: str, holder: str, ttl_s: float) -> str:
        body = {
            "Name": f"zdd deploys {service}: {holder}",
            "TTL": f"{max(_SESSION_TTL_S_LEAST, math.ceil(ttl_s))}s",
            "Behavior": "release",
            "LockDelay": "0s",  # the fence does what the delay is for
            "Checks": [],  # a node that is cut off for a moment must not end a deployment that renews elsewhere
        }
        answer = self._connection.tell("/v1/session/create", body, right=_SESSION_RIGHT)
        session = answer.json(dict).get("ID")
        if not isinstance(session, str) or not session:
            raise TemporaryError(f"{answer.what} was not answered as Consul does: {answer.text[:200]!r}")
        return session

    def _renew_session(self, session: str) -> bool:
        """Renew it; return False if there is no such session any more."""
        path = f"/v1/session/renew/{session}"
        return self._connection.tell(path, right=_SESSION_RIGHT, expected=(OK, NOT_FOUND)).status == OK

    def _end_session(self, session: str) -> None:
        if session:
            path = f"/v1/session/destroy/{session}"
            self._connection.tell(path, right=_SESSION_RIGHT, expected=(OK, NOT_FOUND))

    def _end_quietly(self, session: str) -> None:
        """End a session that is of no use any more. Where that fails, Consul ends it when its time is over."""
        try:
            self._end_session(session)
        except (TemporaryError, PermanentError, OutcomeUnknown):
            return


def _check_ttl(service: str, ttl_s: float) -> None:
    check_number(f"ttl_s of the lease of {service}", ttl_s, least=0.001, most=TTL_S_MAX)


def _in_progress(service: str, held: _Held) -> DeploymentInProgress:
    return DeploymentInProgress(
        f"{service} is being deployed by {held.holder} since {_time(held.since_s)}: wait until it is done. "
        f"Its lease ends at {_time(held.expires_s)} unless it is renewed",
        holder=held.holder,
        since_s=held.since_s,
    )


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
