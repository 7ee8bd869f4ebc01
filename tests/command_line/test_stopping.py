"""A signal to stop interrupts the main thread once; only one that comes well after it ends the process at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from zdd.command_line.stopping import Stop, heeding_signals

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WITHIN_S = 60.0


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize(
    ("number", "name", "status"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)]
)
def test_the_first_signal_interrupts_and_one_right_after_it_belongs_to_it(
    number: signal.Signals, name: str, status: int
) -> None:
    before = handlers()
    with heeding_signals() as stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        for again in SIGNALS:
            signal.raise_signal(again)
    assert (str(stop), stop.status) == (name, status)
    assert handlers() == before


def test_what_the_block_raises_comes_out_and_the_handlers_are_as_before() -> None:
    before = handlers()
    with pytest.raises(ValueError, match="of the block"), heeding_signals():
        raise ValueError("of the block")
    assert handlers() == before


def test_a_signal_that_the_shell_has_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeding_signals() as stop:
            signal.raise_signal(signal.SIGINT)
            assert stop.number is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_beside_the_main_thread_nothing_is_changed() -> None:
    seen: list[object] = []

    def look() -> None:
        with heeding_signals() as stop:
            seen.extend([*handlers(), stop])

    before = handlers()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join(WITHIN_S)
    assert seen == [*before, Stop()]


INTERRUPTED_AND_GOES_ON = """
import signal, time
from zdd.command_line import stopping
stopping.AT_ONCE_AFTER_S = 0.0
with stopping.heeding_signals() as stop:
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        while time.monotonic() == stop.at_s:
            pass
        print("writes down where it is", flush=True)
        signal.raise_signal(signal.SIGINT)
        print("and does not get here", flush=True)
"""


def test_a_second_signal_well_after_the_first_ends_the_process_with_the_status_of_the_first() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AND_GOES_ON],
        capture_output=True, text=True, check=False, timeout=WITHIN_S,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (143, "writes down where it is\n"), done.stderr
