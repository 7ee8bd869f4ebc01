"""What the page about compose files says is what is read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from zdd.compose.extension import SERVICE_KEYS
from zdd.compose.reading import IGNORED, REFUSED

SCHEMA = Path("zdd/compose/schema/config_schema_v3.8.json")


def names(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_-]+)`", text))


def test_every_key_of_a_service_has_its_row(pages: Any, root: Path) -> None:
    rows = pages["compose.md"].table("key")
    schema = json.loads((root / SCHEMA).read_text(encoding="utf-8"))["definitions"]["service"]["properties"]
    later = {"cgroupns_mode", "oom_score_adj", "x-zdd"}
    assert {name for row in rows for name in names(row[0])} == {*schema, *later}
    (ignored,) = [names(row[0]) for row in rows if row[1].startswith("left out")]
    (refused,) = [names(row[0]) for row in rows if row[1] == "refused"]
    assert ignored == set(IGNORED)
    assert refused == set(REFUSED)


def test_every_key_of_the_extension_has_its_row(pages: Any) -> None:
    text = pages["compose.md"].text
    section = text[text.index("## `x-zdd`") :]
    assert set(re.findall(r"^\| `([a-z]+)` \|", section, re.MULTILINE)) == set(SERVICE_KEYS)


def test_the_number_of_files_that_are_compared_is_that_of_the_files(pages: Any, root: Path) -> None:
    files = [path.name.split(".yml")[0] for path in (root / "tests/compose/parity").glob("*.yml")]
    cases = {name[:-2] if name[-2:] in (".1", ".2") else name for name in files}
    assert f"deploys {len(cases)} files" in pages["compose.md"].text
