"""Waiting for the clients of `make loss`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from parts import Load

ANSWER_WITHIN_S = 60.0
WARM_WITHIN_S = 60.0
WARM_REQUESTS = 100


def await_warm(load: Load) -> None:
    """Wait until the clients are at work."""
    deadline = time.monotonic() + WARM_WITHIN_S
    while load.ask()["answered"] < WARM_REQUESTS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the clients get no answers: {load.ask()}")
        time.sleep(0.1)


def await_answers(load: Load, wanted: int) -> Mapping[str, Any]:
    """Wait until so many requests are answered, and return what happened so far."""
    facts, answered_s = load.ask(), time.monotonic()
    while facts["answered"] < wanted:
        if time.monotonic() > answered_s + ANSWER_WITHIN_S:
            raise RuntimeError(f"the clients get no more answers: {facts}")
        time.sleep(0.5)
        before, facts = facts["answered"], load.ask()
        if facts["answered"] > before:
            answered_s = time.monotonic()
    return facts
