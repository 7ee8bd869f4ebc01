"""Every Python block of the README and the pages is run, in order, and prints what the page says that it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PORT = "8000"
MARK = "\x1e\n"
LANGUAGES = {"python", "output", "sh", "text"}


def test_the_blocks_of_a_page_run_print_what_it_shows_and_leave_nothing_running(
    program_page: Any, run: Any, settled: Any, printed_like: Any
) -> None:
    program = run.directory / f"page_{program_page.path.stem.lower()}.py"  # no name that hides a package
    program.write_text(program_page.program().replace(PORT, str(run.port)), encoding="utf-8")
    done = run.program(program)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.replace(str(run.port), PORT).replace(str(run.directory), "<directory>").split(MARK)[1:]
    wrong = []
    for block, number in program_page.expectations():
        if not printed_like(settled(block.text), settled(printed[number])):
            wrong.append(f"{program_page.path.name}:{block.line} shows another output. It is:\n{printed[number]}")
    assert not wrong, "\n".join(wrong)
    assert run.await_end() == [], "the page leaves processes behind"


def test_a_page_has_only_blocks_that_something_checks(page: Any) -> None:
    assert {block.language for block in page.blocks} <= LANGUAGES


def test_make_targets_that_a_page_names_exist(page: Any, root: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)`", page.text)) <= targets
    for block in page.blocks:
        if block.language == "sh":
            assert set(re.findall(r"^make ([a-z]+)", block.text, re.MULTILINE)) <= targets


def test_a_link_leads_to_a_file_and_to_a_heading(page: Any) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.text):
        if link.startswith("https://"):
            continue
        name, _, heading = link.partition("#")
        target = page.path.parent / name if name else page.path
        assert target.exists(), f"{page.path.name} links to {link}"
        if heading:
            assert heading in _anchors(target.read_text(encoding="utf-8")), f"{page.path.name} links to {link}"


def test_every_page_can_be_reached_from_the_readme(pages: Any, root: Path) -> None:
    linked = set(re.findall(r"\]\(docs/([a-z_-]+\.md)", pages["README.md"].text))
    assert linked == {path.name for path in (root / "docs").glob("*.md")}


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
