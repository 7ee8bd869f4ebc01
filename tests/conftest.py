"""How the tests are run; and what tests of several folders share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

pytest_plugins = ("scenes", "stories")


def pytest_configure() -> None:
    """Let what the tests start hear Ctrl-C, also where a shell has started the tests in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST_FIRST = ("examples/stacks", "adapters/swarm", "adapters/consul")
"""The folders whose files take minutes: begun last, one of them would be waited for when all the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest. Processes that share the tests out take the files in this order."""

    def turn(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((number for number, one in enumerate(LONGEST_FIRST) if folder.startswith(one)), len(LONGEST_FIRST))

    items.sort(key=turn)
