"""What the page about compose files says is what is read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from zdd import InPlaceUpdate
from zdd.compose import read_stack
from zdd.compose.extension import SERVICE_KEYS
from zdd.compose.reading import IGNORED, REFUSED

SCHEMA = Path("zdd/compose/schema/config_schema_v3.8.json")
STOP_FIRST = "deploy: {replicas: 4, update_config: {order: stop-first, parallelism: %d}}"
OVERLAP = "x-zdd: {overlap: forbidden}"
MESH = "ports: ['80:80']"
# What leads to each row of the table, and to none before it; what is stated of the later ones does not count there.
STATED = [
    [f"x-zdd: {{strategy: canary, overlap: forbidden}}\nvolumes: ['/a:/b']\n{STOP_FIRST % 4}"],
    [
        f"volumes: ['/a:/b']\n{STOP_FIRST % 2}\n{MESH}",
        f"ports: [{{target: 1, published: 1, mode: host}}]\n{STOP_FIRST % 2}",
    ],
    [f"{OVERLAP}\n{STOP_FIRST % 2}\n{MESH}"],
    [f"{STOP_FIRST % 4}\n{MESH}", f"{STOP_FIRST % 0}\n{MESH}"],
    [f"{STOP_FIRST % 2}\n{MESH}"],
    [f"{MESH}\ndeploy: {{replicas: 4, update_config: {{parallelism: 2}}}}"],
    ["deploy: {replicas: 4}"],
    ["deploy: {replicas: 4, update_config: {order: start-first}}\nvolumes: ['/a:/b']"],
]


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


def test_the_first_row_that_fits_is_the_strategy(pages: Any, tmp_path: Path) -> None:
    rows = pages["compose.md"].table("the file says")
    assert len(rows) == len(STATED)
    for number, ((_, shown), texts) in enumerate(zip(rows, STATED, strict=True)):
        wanted = {"that": "Canary" if number == 0 else "BlueGreen"}.get(shown, shown.strip("`"))
        usual = "" if number == len(rows) - 1 else "x-zdd: {strategy: blue-green}\n"
        for text in texts:
            lines = "".join(f"    {line}\n" for line in text.splitlines())
            file = tmp_path / "compose.yml"
            file.write_text(f"{usual}services:\n  web:\n    image: web\n{lines}", encoding="utf-8")
            (web,) = read_stack("shop", [file], variables={}).services
            assert str(web.strategy).partition("(")[0] == wanted.partition("(")[0], text
            if isinstance(web.strategy, InPlaceUpdate):
                assert wanted == f"InPlaceUpdate(parallelism, '{web.strategy.order.value}')"
                assert web.strategy.batch == 2
