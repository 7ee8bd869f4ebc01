"""A program, however it ends."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import CommandGate
from zdd.model.address import Address
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample

TARGET = Target("web", "1.0", "r1", "web-1", {"http": Address("127.0.0.1", 8080), "admin-api": Address("::1", 9090)})


def shell(script: str, **values: Any) -> CommandGate:
    return CommandGate(["/bin/sh", "-c", script], **values)


def ended(pid: int) -> bool:
    """Tell whether the process is gone, or only waits for its parent to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_ended(pid: int) -> None:
    until = time.monotonic() + 30
    while not ended(pid):
        assert time.monotonic() < until, f"process {pid} still runs"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "result", "reason"),
    [
        ("exit 0", Result.PASSED, "exit status 0"),
        ("echo checking; echo all 12 checks good", Result.PASSED, "exit status 0: all 12 checks good"),
        ("echo no table orders >&2; echo; exit 1", Result.FAILED, "exit status 1: no table orders"),
        ("exit 2", Result.FAILED, "exit status 2"),
        ("echo metrics not there yet; exit 75", Result.INCONCLUSIVE, "exit status 75: metrics not there yet"),
        ("kill -TERM $$", Result.FAILED, "ended by SIGTERM"),
        (r"printf 'a\033[1m\t b\377'", Result.PASSED, "exit status 0: a [1m b\ufffd"),
    ],
)
def test_its_end_decides_and_its_last_line_is_the_reason(script: str, result: Result, reason: str) -> None:
    sample = shell(script).sample(TARGET)
    assert (sample.result, sample.reason) == (result, reason)
    assert 0 < sample.figures["seconds"] < 10


def environment_of(gate: CommandGate, target: Target, directory: Path) -> dict[str, str]:
    assert gate.sample(target).result is Result.PASSED
    return dict(json.loads((directory / "environment").read_text()))


def test_the_target_is_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "yes")
    dump = "import json, os; json.dump(dict(os.environ), open('environment', 'w'))"
    values: Any = {"environment": {"MORE": "m", "ZDD_TARGET_SERVICE": "x"}, "directory": tmp_path}
    gate = CommandGate([sys.executable, "-c", dump], **values)
    found = environment_of(gate, TARGET, tmp_path)
    assert (found["KEPT"], found["MORE"]) == ("yes", "m")
    assert {name: text for name, text in found.items() if name.startswith("ZDD_TARGET")} == {
        "ZDD_TARGET_SERVICE": "web",
        "ZDD_TARGET_VERSION": "1.0",
        "ZDD_TARGET_REVISION": "r1",
        "ZDD_TARGET_INSTANCE": "web-1",
        "ZDD_TARGET_INSTANCES": "{}",
        "ZDD_TARGET_ADDRESS": "127.0.0.1:8080",
        "ZDD_TARGET_ADDRESS_HTTP": "127.0.0.1:8080",
        "ZDD_TARGET_ADDRESS_ADMIN_API": "[::1]:9090",
    }
    gate = CommandGate([sys.executable, "-c", dump], port_names=["admin-api"], **values)
    assert environment_of(gate, TARGET, tmp_path)["ZDD_TARGET_ADDRESS"] == "[::1]:9090"
    stage = Target("web", "1", "r", instances={"web-1": {"http": Address("h", 1)}})
    found = environment_of(gate, stage, tmp_path)
    assert json.loads(found["ZDD_TARGET_INSTANCES"]) == {"web-1": {"http": "h:1"}}
    assert found["ZDD_TARGET_INSTANCE"] == found["ZDD_TARGET_ADDRESS"] == ""


def test_when_its_time_is_over_it_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = (
        f"trap '' TERM; sh -c 'sleep 60 & echo $! > {tmp_path}/grandchild; wait' & echo $$ > {tmp_path}/leader; wait"
    )
    begun = time.monotonic()
    sample = shell("echo begun; " + script, timeout_s=0.5).sample(TARGET)
    assert time.monotonic() - begun < 20
    assert sample.result is Result.FAILED
    assert sample.reason == "did not end within 0.5 s, and was killed: begun"
    for name in ("leader", "grandchild"):
        wait_until_ended(int((tmp_path / name).read_text()))


def test_what_it_leaves_behind_ends_with_it_and_is_not_waited_for(tmp_path: Path) -> None:
    begun = time.monotonic()
    sample = shell(f"sleep 60 & echo $! > {tmp_path}/child; exit 0").sample(TARGET)
    assert sample.result is Result.PASSED
    assert time.monotonic() - begun < 20
    wait_until_ended(int((tmp_path / "child").read_text()))


def test_one_that_closes_its_output_is_still_waited_for() -> None:
    assert shell("exec >&- 2>&-; sleep 0.3; exit 3").sample(TARGET).reason == "exit status 3"


def test_endless_output_is_not_kept_and_does_not_outlast_the_time() -> None:
    begun = time.monotonic()
    sample = shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", timeout_s=0.5).sample(TARGET)
    assert time.monotonic() - begun < 20
    assert sample.result is Result.FAILED
    assert len(sample.reason) < 300


def test_a_long_last_line_is_cut() -> None:
    assert shell("printf '%0300d' 7").sample(TARGET).reason == "exit status 0: " + "0" * 200 + "…"


def test_nothing_is_read_from_the_deployers_input() -> None:
    assert shell("read line; echo got $line").sample(TARGET).reason == "exit status 0: got"


def test_a_program_that_is_gone_now_is_inconclusive(tmp_path: Path) -> None:
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    gate = CommandGate(["./check"], directory=str(tmp_path))
    assert gate.sample(TARGET).result is Result.PASSED
    program.unlink()
    sample = gate.sample(TARGET)
    assert sample.result is Result.INCONCLUSIVE
    assert sample.reason.startswith("./check can't be started: ")


def test_no_descriptor_and_no_process_stays_behind() -> None:
    gate = shell("exit 1")
    gate.sample(TARGET)
    before, children_before = len(os.listdir("/proc/self/fd")), children()  # noqa: PTH208
    for _ in range(5):
        gate.sample(TARGET)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert children() <= children_before


def children() -> set[int]:
    """Return the processes that this one has started and not waited for: those of other tests are among them."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdigit() else 0
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            found.add(int(entry.name))
    return found


def test_the_last_look_decides() -> None:
    assert shell("x").judge([Sample(Result.FAILED), Sample(Result.PASSED)]).result is Result.PASSED


def test_it_says_what_it_does() -> None:
    gate = CommandGate(["true", "now"], port_names=("http",))
    assert str(gate) == "command true now"
    assert gate.ports() == {"http"}


@pytest.mark.parametrize(
    ("command", "values", "message"),
    [
        ("curl -f x", {}, r"command 'curl -f x': use a list of words, for example \['curl', '-f', 'x'\]"),
        ([], {}, r"command \[\]: use a list of words"),
        ([""], {}, "whose first is the program"),
        (["true", 5], {}, "use a list of words"),
        (["no-such-program"], {}, "command 'no-such-program' of a gate is not there, or can't be executed"),
        (["/etc/passwd"], {}, "command '/etc/passwd' of a gate is not there, or can't be executed"),
        (["true"], {"environment": {"PATH": "/nowhere"}}, "command 'true' of a gate is not there"),
        (["true"], {"environment": {"A": 5}}, "environment variable A is of type int: use text"),
        (["true"], {"environment": {"A=": "5"}}, "environment variable 'A='"),
        (["true"], {"directory": "/no/such/place"}, "directory /no/such/place of gate command true is not there"),
        (["true"], {"port_names": "http"}, "port_names is 'http'"),
        (["true"], {"timeout_s": 0}, "timeout_s of gate command true is 0"),
    ],
)
def test_a_bad_value_is_refused_by_name(command: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CommandGate(command, **values)
