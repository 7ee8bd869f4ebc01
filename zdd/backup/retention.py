"""How long backups are kept."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from zdd.backup.manifest import Manifest
from zdd.model.names import check_number

DAY_S = 86_400.0


@frozen
class Retention:
    """How long the backups of a service are kept. The newest one always is.

    Attributes:
        count: How many at most.
        age_days: How old at most, in days; None: no matter how old.
    """

    count: int = 5
    age_days: float | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_number("count of Retention", self.count, least=1, whole=True)
        if self.age_days is not None:
            check_number("age_days of Retention", self.age_days, least=0)

    def expired(self, manifests: Sequence[Manifest], now: float) -> tuple[Manifest, ...]:
        """Return the backups of one service that are kept no longer, oldest first."""
        newest_first = sorted(manifests, key=lambda manifest: (manifest.made_s, manifest.id), reverse=True)
        oldest_s = float("-inf") if self.age_days is None else now - self.age_days * DAY_S
        older = list(enumerate(newest_first))[1:]
        return tuple(reversed([one for place, one in older if place >= self.count or one.made_s < oldest_s]))
