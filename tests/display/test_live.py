"""The live picture: each frame as text, and the real thing on a real terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from attrs import evolve
from rich.console import Console

from zdd.display.live import LiveTree, frame, watcher
from zdd.display.plain import PlainLines
from zdd.events import Event, InstanceMoved, Moment, Waited
from zdd.status import InstanceStatus, Status, fold


def drawn(status: Status, now_s: float, width: int = 110) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(frame([status], now_s, UTC))
    assert isinstance(console.file, io.StringIO)
    return "".join(line.rstrip() + "\n" for line in console.file.getvalue().splitlines())


def until_wait(events: tuple[Event, ...], number: int) -> Status:
    places = [place for place, event in enumerate(events) if isinstance(event, Waited)]
    return fold(events[: places[number] + 1])


@pytest.mark.parametrize("name", ["success", "rollback", "stuck"])
def test_the_picture_in_the_middle_and_at_the_end_is_as_expected(
    name: str, stories: dict[str, tuple[Event, ...]], golden: Callable[[str, str], None]
) -> None:
    middle, end = until_wait(stories[name], -1), fold(stories[name])
    text = f"{drawn(middle, middle.updated_s + 2.5)}\n{drawn(end, end.updated_s + 100)}"
    golden(f"live-{name}.txt", text)


def test_what_it_waits_for_and_until_when_is_always_there(stories: dict[str, tuple[Event, ...]]) -> None:
    status = until_wait(stories["success"], -1)
    assert status.waiting_until_s is not None
    text = drawn(status, status.waiting_until_s - 9)
    assert "Waiting   for web-3.a3: 2 in flight at traefik, until 16:05:13 (in 9.0 s)" in text
    assert "Waiting   for nothing" in drawn(fold(stories["success"][:3]), 0)


def test_every_state_has_a_sign_and_a_word() -> None:
    moments = {m: InstanceStatus(f"web.{m.name}", "web", "2", m, 0.0) for m in Moment}
    status = Status(service="web", deployment="d", to_version="2", instances={i.id: i for i in moments.values()})
    text = drawn(status, 0.0)
    for moment, word in {
        Moment.LAUNCHED: "◌ web.LAUNCHED",
        Moment.SEEN: "✔ web.SEEN",
        Moment.OUT: "◷ web.OUT",
        Moment.CUT: "✂ web.CUT",
    }.items():
        assert re.search(re.escape(word) + r"\s+\w+", text), moment
    assert "■ 1 stopped, ✖ 1 lost" in text


def test_more_than_twenty_instances_are_counted() -> None:
    def status(number: int) -> Status:
        instances = {f"i{n}": InstanceStatus(f"i{n}", "web", "2", Moment.SEEN, 0.0) for n in range(number)}
        return Status(service="web", deployment="d", to_version="2", instances=instances)

    assert "i19" in drawn(status(20), 0.0)
    assert "i19" not in drawn(status(21), 0.0)
    assert "✔ 21 in traffic" in drawn(status(21), 0.0)


def test_hostile_text_moves_nothing(hostile: tuple[Event, ...]) -> None:
    for place in range(len(hostile)):
        text = drawn(fold(hostile[: place + 1]), hostile[0].at_s, width=400)
        assert all(line.isprintable() for line in text.splitlines())
    assert "[bold]" in text


def test_without_a_terminal_there_are_lines() -> None:
    assert isinstance(watcher(io.StringIO()), PlainLines)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(watcher(Terminal()), LiveTree)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(watcher(Terminal()), PlainLines)


def test_without_rich_there_is_one_hint_and_then_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setitem(sys.modules, "rich.console", None)
    terminal = Terminal()
    assert isinstance(watcher(terminal), PlainLines)
    assert terminal.getvalue() == "zdd: install rich to see a live picture here; plain lines until then\n"
    with pytest.raises(ImportError, match=r"pip install rich, or 'zdd-deploy\[demo\]'"):
        LiveTree()


PROGRAM = """
import sys, time
sys.path[:0] = [{folder!r}]
from stories import success_story
from zdd.display.live import watcher
watch = watcher()
for event in success_story():
    watch(event)
    time.sleep(0.01)
print("the program's own output")
"""


def run_on_terminal(**environment: str) -> tuple[str, str]:
    """Run the success story with standard error on a pseudo-terminal; return what it showed, and standard output."""
    ours, theirs = pty.openpty()
    program = PROGRAM.format(folder=str(Path(__file__).parents[1]))
    variables = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    with subprocess.Popen(
        [sys.executable, "-c", program], stderr=theirs, stdout=subprocess.PIPE, stdin=theirs, env=variables
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end of a pseudo-terminal has gone
                break
            if not piece:
                break
            shown += piece
        assert process.stdout is not None
        printed = process.stdout.read().decode()
        assert process.wait(30) == 0, shown.decode()
    os.close(ours)
    return shown.decode(), printed


def test_on_a_real_terminal_the_last_picture_stays_and_the_cursor_comes_back() -> None:
    shown, printed = run_on_terminal()
    last = shown[shown.rindex("Outcome") :]
    assert "succeeded" in last
    assert "web-2.m2" in last
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "\x1b[32m" in shown
    assert printed == "the program's own output\n"


def test_no_color_is_honoured() -> None:
    shown, _ = run_on_terminal(NO_COLOR="1")
    assert "succeeded" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown)


def test_an_event_costs_the_deployment_little(stories: dict[str, tuple[Event, ...]]) -> None:
    """Drawing happens beside the deployment: a thousand events draw no more frames than their time allows."""
    terminal = Terminal()
    live = LiveTree(terminal)
    first = stories["success"][0]
    live(first)
    move = InstanceMoved(
        at_s=first.at_s, service="web", deployment="d-7f3a", instance="i", cell="web", version="2", moment=Moment.SEEN
    )
    for number in range(1000):
        live(evolve(move, instance=f"i{number % 30}"))
    live.close()
    assert terminal.getvalue().count("Elapsed") < 100
