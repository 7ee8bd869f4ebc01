"""Pages of the documentation, taken apart: their blocks, their tables, and what a run of them prints."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from zdd.adapters.embedded import Embedded

ROOT = Path(__file__).parents[2]
PORT = "8000"
"""The port in the pages' examples; a run takes a free one in its place."""

MARK = "\x1e"
_FENCE = re.compile(r"^```(\w*)$")
_CHANGING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"\b\d+\.\d s\b"), "<seconds>"),
    (re.compile(r"\bseconds [0-9.e-]+"), "seconds <figure>"),
    (re.compile(r"\S+@\S+:\d+"), "<who>"),
    (re.compile(r"(?<=\.\d{4})\.\d+\b"), ".<start>"),
    (re.compile(r"\b127\.0\.0\.1:2\d{4}\b"), "<instance's address>"),
)


@frozen
class Block:
    """A fenced block: its language, its first line's number in the page (from 1), its text."""

    language: str
    line: int
    text: str


@frozen
class Page:
    """One Markdown file."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[Block]:
        found: list[Block] = []
        language, begun, lines = None, 0, list[str]()
        for number, line in enumerate(self.text.splitlines(), 1):
            fence = _FENCE.match(line)
            if language is None and fence:
                language, begun, lines = fence[1], number + 1, []
            elif language is not None and line == "```":
                found.append(Block(language, begun, "\n".join(lines)))
                language = None
            elif language is not None:
                lines.append(line)
        assert language is None, f"{self.path}: a block is not closed"
        return found

    def program(self) -> str:
        """The page's Python blocks as one program, each at its own lines, so that a traceback tells the page's line."""
        lines = [""] * (len(self.text.splitlines()) + 1)
        for block in self.blocks:
            if block.language == "python":
                lines[block.line - 2] = f"print({MARK!r}, flush=True)"
                lines[block.line - 1 : block.line - 1 + len(block.text.splitlines())] = block.text.splitlines()
        return "\n".join(lines) + "\n"

    def expectations(self) -> list[tuple[Block, int]]:
        """Each block of output, with the number of the Python block before it."""
        found, number, last = [], -1, ""
        for block in self.blocks:
            number += block.language == "python"
            if block.language == "output":
                assert last == "python", f"{self.path}:{block.line}: output without a Python block right before it"
                found.append((block, number))
            last = block.language
        return found

    def table(self, heading: str) -> list[list[str]]:
        """The rows of the first table whose head begins with this cell."""
        rows = [line for line in self.text.splitlines() if line.startswith("|")]
        start = next(number for number, row in enumerate(rows) if _cells(row)[0] == heading)
        found = []
        for row in rows[start + 2 :]:
            if len(_cells(row)) != len(_cells(rows[start])) or set(row) <= set("|- "):
                break
            found.append(_cells(row))
        return found


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


PAGES = [Page(path) for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))]


def settle(text: str) -> list[str]:
    """The lines without what differs from run to run."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def shows(expected: list[str], printed: list[str]) -> bool:
    """Whether the lines were printed. A line ``…`` stands for any number of lines."""
    parts: list[list[str]] = [[]]
    for line in expected:
        if line == "…":
            parts.append([])
        else:
            parts[-1].append(line)
    first, *between = parts
    if not between:
        return first == printed
    *between, last = between
    place, end = len(first), len(printed) - len(last)
    if printed[:place] != first or printed[end:] != last:
        return False
    for part in between:
        starts = [start for start in range(place, end - len(part) + 1) if printed[start : start + len(part)] == part]
        if not starts:
            return False
        place = starts[0] + len(part)
    return place <= end


@frozen
class Run:
    """A place in which a program of the documentation is run, with a state directory and a port of its own."""

    directory: Path
    port: int

    def program(self, path: Path, *arguments: str, timeout_s: float = 90) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(self.directory / "state"),
            "PYTHONUTF8": "1",
            "NO_COLOR": "1",
        }
        return subprocess.run(
            [sys.executable, "-W", "error", str(path), *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def left_running(self) -> list[int]:
        """The processes that came of this directory: it is in their environment or their arguments."""
        mark, found = os.fsencode(self.directory), []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                try:
                    told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                except OSError:
                    continue  # it has ended, or is somebody else's
                if mark in told:
                    found.append(int(entry.name))
        return found

    def await_end(self) -> list[int]:
        """What is still there after a while."""
        deadline = time.monotonic() + 60
        while self.left_running() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.left_running()


@pytest.fixture(scope="session")
def pages() -> dict[str, Page]:
    return {page.path.name: page for page in PAGES}


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def free_port() -> int:
    """A port that no client is given, so that it is still free after what listens there was killed."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("none of a hundred ports is free")


@pytest.fixture
def run(tmp_path: Path, free_port: int) -> Iterator[Run]:
    """A place to run a program in; whatever it left behind is stopped."""
    yield Run(tmp_path, free_port)
    directory = tmp_path / "state" / "zdd"
    if directory.is_dir():
        Embedded(directory, port=free_port).stop_everything(1.0)


@pytest.fixture(scope="session")
def settled() -> Callable[[str], list[str]]:
    return settle


@pytest.fixture(scope="session")
def printed_like() -> Callable[[list[str], list[str]], bool]:
    return shows


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=lambda page: page.path.name)
    if "program_page" in metafunc.fixturenames:
        having = [page for page in PAGES if page.program().strip()]
        metafunc.parametrize("program_page", having, ids=lambda page: page.path.name)
