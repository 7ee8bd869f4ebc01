"""Makes `format-1.consul.json`: the keys of a journal in Consul with everything that format 1 can hold.

It was run once; the file stays as it is. It wants the address of a Consul that holds nothing else.

``PYTHONPATH=tests/journals python tests/journals/make_format_1_consul.py http://127.0.0.1:8500``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from make_format_1 import events as kinds

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.journal import ConsulJournal
from zdd.events import Event, StagePassed
from zdd.interfaces import Fence

PREFIX = "zdd"


def events() -> tuple[Event, ...]:
    """Return every kind of event, and one that is packed because it is large."""
    large = StagePassed(at_s=1767225600.25, service="web", deployment="d-1", stage=1, title="large " * 100_000)
    return (*kinds(), large)


def main() -> None:
    """Write the file beside this one: each key after the prefix, and its value in base64."""
    path = Path(__file__).with_name("format-1.consul.json")
    if path.exists():
        sys.exit(f"{path} is there already. It is kept for ever: a new format gets a file and a script of its own")
    connection = ConsulConnection(address=sys.argv[1])
    journal = ConsulJournal(connection, prefix=PREFIX)
    for event in events():
        journal.append("web", event, Fence(7, "ann@host:17"))
    entries = connection.ask(f"/v1/kv/{PREFIX}/", parameters={"recurse": ""}).json(list)
    values = {entry["Key"].removeprefix(PREFIX): entry["Value"] for entry in entries}
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
