"""How long backups are kept."""

from __future__ import annotations

import pytest

from zdd.backup import Manifest, Retention
from zdd.backup.retention import DAY_S
from zdd.errors import ConfigurationError

NOW = 100 * DAY_S


def made(*ages_days: float) -> list[Manifest]:
    return [Manifest(f"b{age}", "web", "1", (), NOW - age * DAY_S, False, ()) for age in ages_days]


@pytest.mark.parametrize(
    ("retention", "ages", "gone"),
    [
        (Retention(2), [3, 2, 1], ["b3"]),
        (Retention(2), [1, 2], []),
        (Retention(5, age_days=2), [4, 3, 1], ["b4", "b3"]),
        (Retention(1, age_days=2), [4, 3, 1], ["b4", "b3"]),
        (Retention(5, age_days=2), [40, 30], ["b40"]),
        (Retention(5), [], []),
    ],
)
def test_too_many_and_too_old_ones_go_but_never_the_newest(
    retention: Retention, ages: list[float], gone: list[str]
) -> None:
    assert [manifest.id for manifest in retention.expired(made(*ages), NOW)] == gone


@pytest.mark.parametrize("values", [{"count": 0}, {"count": 2.5}, {"age_days": -1}, {"age_days": "old"}])
def test_what_is_no_number_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="use a"):
        Retention(**values)  # type: ignore[arg-type]
