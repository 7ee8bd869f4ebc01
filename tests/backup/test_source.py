"""An adapter's error becomes a source's."""

from __future__ import annotations

import pytest

from zdd.backup.source import failing_as_backup
from zdd.errors import BackupError, ConfigurationError, TemporaryError


def test_what_an_adapter_raises_is_a_backup_error_with_the_sources_name() -> None:
    with pytest.raises(BackupError, match="orders: no answer") as failed, failing_as_backup("orders"):
        raise TemporaryError("no answer")
    assert isinstance(failed.value.__cause__, TemporaryError)


@pytest.mark.parametrize("error", [BackupError("it is damaged"), ConfigurationError("no key"), ValueError("a bug")])
def test_every_other_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as failed, failing_as_backup("orders"):
        raise error
    assert failed.value is error
