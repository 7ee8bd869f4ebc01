"""Commands run in the container of a real service: one prints the data, another one reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.swarm.container_command import ContainerCommand
from zdd.codec import decode, encode
from zdd.errors import BackupError, ConfigurationError

SIZE = 3_000_000
PRINTS = f"head = open('/orders', 'rb').read(); import sys; sys.stdout.buffer.write(head + bytes({SIZE}))"
READS = "import sys; open('/orders', 'wb').write(sys.stdin.buffer.read())"
FAILS = "import sys; print('half', flush=True); sys.exit('disk broke')"
REFUSES = "import sys; sys.exit('not my format')"


def python(code: str) -> list[str]:
    return ["/usr/bin/python3", "-S", "-c", code]


@pytest.fixture
def make(swarm: Any) -> Callable[..., ContainerCommand]:
    def source(**parts: Any) -> ContainerCommand:
        fine = {"dump": python(PRINTS), "restore": python(READS), "docker_host": swarm.engine}
        return ContainerCommand("database", **{**fine, **parts})

    return source


def test_what_was_printed_in_a_container_is_read_in_it_and_what_fails_is_told(
    swarm: Any, make: Callable[..., ContainerCommand]
) -> None:
    with pytest.raises(ConfigurationError, match="0 of its containers run on this Engine"):
        make().check()
    with pytest.raises(BackupError, match="0 of its containers"):
        list(make().save())
    swarm.run("database", 1)
    one = make(log_position=["sh", "-c", "echo a note; echo $AT; echo"], environment={"AT": "0/16B3748"})
    one.check()
    assert decode(encode(one)) == one
    assert one.position() == "0/16B3748"
    assert make().position() == ""
    one.load([b"orders", bytes(1_000_000)])
    kept = list(one.save())
    assert b"".join(kept) == b"orders" + bytes(1_000_000 + SIZE)
    one.load([b"spoiled"])
    one.load(kept)
    assert b"".join(one.save()) == b"".join(kept) + bytes(SIZE)
    with pytest.raises(BackupError, match="ended with status 1: disk broke"):
        list(make(dump=python(FAILS)).save())
    with pytest.raises(BackupError, match="ended with status 1: not my format"):
        make(restore=python(REFUSES)).load([bytes(1_000_000)] * 4)
    with pytest.raises(BackupError, match=r"ended with status 12\d: .*no-such-program"):
        list(make(dump=["no-such-program"]).save())
    with pytest.raises(ConfigurationError, match="use a list of words"):
        make(restore="psql -f -")
