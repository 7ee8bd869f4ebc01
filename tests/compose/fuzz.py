"""Random and mutated compose files: each becomes a stack or a refusal, never another exception, and in bounded time.

    python tests/compose/fuzz.py [--count 100000] [--seed 1]

Half are valid files with pieces cut out, doubled, swapped and replaced; half of these are mutated as values rather than
as text, so that they get past the parser. The last line says how many there were, and what became of them.
"""

from __future__ import annotations

import argparse
import copy
import random
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from zdd.compose.document import Document, read_document
from zdd.compose.interpolation import interpolate
from zdd.compose.reading import stack_of
from zdd.compose.short_forms import Surroundings
from zdd.errors import ConfigurationError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SOURCES = Path(__file__).with_name("parity")
LONGEST_S = 10
VARIABLES = {
    "IMAGE": "web:1",
    "FROM_OUTSIDE": "x",
    "EMPTY": "",
    "SIGNAL": "SIGINT",
    "THREE": "3",
    "YES": "y",
    "NO": "n",
}
TOKENS = [
    *("${", "}", "$", "$$", "${A:-", ":", ": ", "- ", "\n", "  ", "\t", "{", "}", "[", "]", ",", "'", '"', "&a ", "*a"),
    *(
        "<<: ",
        "!!",
        "!x ",
        "|",
        ">",
        "#",
        "%",
        "@",
        "`",
        "\0",
        "\x85",
        "\ufeff",
        "é",
        "\U0001d4b3",
        "~",
        "null",
        "true",
        "0",
        "-1",
    ),
    *(
        "1e400",
        ".inf",
        ".nan",
        "0x",
        "0o9",
        "9" * 30,
        "99999999999h",
        "1.5.5",
        "../../etc/passwd",
        "/etc/passwd",
        "3-1",
    ),
    *("x-zdd: {strategy: canary}", "services:", "deploy:", "replicas: -1", "ports: ['70000:1']", "file: ../x"),
]
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**63,
        2**70,
        1.5,
        float("inf"),
        float("nan"),
        "",
        "a",
        "\0",
        "é",
        "$",
        "${A}",
        "${A:-b}",
    ),
    *("1h", "-1s", "10", "1.5.5", "99999999999999999h", "1T", "9" * 30, "0444", "tcp", "host", "a=b", "a:b", "a:b:c:d"),
    *(
        "3-1",
        "1-65535",
        "70000",
        "[::1]:1:1",
        "/",
        "~",
        "../x",
        "/etc/passwd",
        [],
        {},
        [None],
        [[]],
        {"a": None},
        ["a", "a"],
    ),
    *(
        [1, "a"],
        {"": ""},
        {"name": 1},
        {"source": "a"},
        "stop-first",
        "continue",
        "global",
        "replicated-job",
        {"canary": [1]},
    ),
    *(
        {"rolling": {"batch": -1}},
        [{"http": 5}],
        [{"tcp": {}}],
        {"start": "x"},
        [{"port": "p", "target": 0}],
        "x" * 5000,
    ),
]
KEYS = [
    *("image", "ports", "volumes", "environment", "deploy", "update_config", "order", "replicas", "secrets", "configs"),
    *(
        "networks",
        "healthcheck",
        "x-zdd",
        "strategy",
        "gates",
        "exposures",
        "floor",
        "cells",
        "surge",
        "depends_on",
        "name",
    ),
    *(
        "external",
        "file",
        "driver",
        "driver_opts",
        "labels",
        "ipam",
        "command",
        "ulimits",
        "logging",
        "extra_hosts",
        "sysctls",
    ),
    *(
        "mode",
        "endpoint_mode",
        "placement",
        "resources",
        "limits",
        "cpus",
        "memory",
        "tmpfs",
        "version",
        "services",
        "env_file",
    ),
    *(
        "overlap",
        "deadlines",
        "restart",
        "stop_grace_period",
        "dns",
        "credential_spec",
        "extends",
        "nonsense",
        "replicas",
    ),
]


def mutated_text(draw: random.Random, text: str) -> bytes:
    """Cut, double, swap and replace pieces."""
    for _ in range(draw.choice((1, 1, 2, 5))):
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice((0, 1, 1, 3, 10, 60)))
        piece = draw.choice((draw.choice(TOKENS), text[start:end] * 2, "", chr(draw.randrange(0x250))))
        text = text[:start] + piece + text[end:]
    data = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.02:
        place = draw.randrange(len(data) + 1)
        data = data[:place] + bytes([draw.randrange(256)]) + data[place:]
    return data


def mutated_value(draw: random.Random, value: Any) -> Any:
    """Replace, add and remove values anywhere."""
    made = copy.deepcopy(value)
    for _ in range(draw.choice((1, 1, 2, 4))):
        here: Any = made
        while True:
            inner = (
                list(here.items() if isinstance(here, dict) else enumerate(here))
                if isinstance(here, dict | list)
                else []
            )
            deeper = [one for one in inner if isinstance(one[1], dict | list)]
            if not deeper or draw.random() < 0.2:
                break
            here = draw.choice(deeper)[1]
        _change(draw, here)
    return made


def _change(draw: random.Random, here: Any) -> None:
    value = copy.deepcopy(draw.choice(VALUES))
    if isinstance(here, dict):
        if here and draw.random() < 0.5:
            here[draw.choice(list(here))] = value
        elif here and draw.random() < 0.3:
            del here[draw.choice(list(here))]
        else:
            here[draw.choice(KEYS)] = value
    elif isinstance(here, list):
        here.insert(draw.randrange(len(here) + 1), value)


def outcome_of(draw: random.Random, texts: list[str], around: Surroundings) -> tuple[str, Any]:
    """Read one input; return what became of it, and the input if that was wrong."""
    text = draw.choice(texts)
    given: Any = text
    try:
        if draw.random() < 0.5:
            given = mutated_text(draw, text)
            documents = [interpolate(read_document("a.yml", given), around.variables)]
        else:
            given = mutated_value(draw, yaml.load(text, Loader=LOADER))  # noqa: S506 - a safe one
            documents = [interpolate(Document("a.yml", given, {}), around.variables)]
        stack_of("shop", documents, around)
    except ConfigurationError as error:
        told = str(error)
        good = told.startswith("a.yml") and len(told) < 2000 and "Traceback" not in told
        return ("refused", None) if good else ("refused badly", (given, told))
    except Exception:  # noqa: BLE001 - what this looks for
        return "crashed", (given, traceback.format_exc())
    return "read", None


def fuzz(count: int, seed: int) -> Counter[str]:
    """Read so many inputs, and say what became of them. Those that went wrong are written to stderr."""
    texts = [path.read_text() for path in sorted(SOURCES.glob("*.yml"))]
    found: Counter[str] = Counter()
    told: set[str] = set()
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for source in (SOURCES / "files").iterdir():
            (folder / "files").mkdir(exist_ok=True)
            (folder / "files" / source.name).write_bytes(source.read_bytes())
        around = Surroundings(folder, VARIABLES)
        for _ in range(count):
            signal.alarm(LONGEST_S)
            outcome, why = outcome_of(draw, texts, around)
            found[outcome] += 1
            place = str(why[1]).strip().splitlines()[-4:] if why is not None else []
            if why is not None and (key := "".join(place[:1])) not in told:
                told.add(key)
                print(f"--- {outcome}\n{why[0]!r:.2000}\n{why[1]}", file=sys.stderr)
        signal.alarm(0)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    found = fuzz(arguments.count, arguments.seed)
    print(", ".join(f"{number} {outcome}" for outcome, number in sorted(found.items())), f"of {sum(found.values())}")
    return 1 if set(found) - {"read", "refused"} else 0


def _too_long(*_: object) -> None:
    raise RuntimeError(f"took longer than {LONGEST_S} s")


if __name__ == "__main__":
    sys.exit(main())
