"""Data are backed up before a deployment, and come back when a release that changes them is taken back."""

from __future__ import annotations

import http.client
import importlib.util
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zdd

HERE = Path(__file__).parent


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that the script imports too, under the same name, as the journal will have it."""
    monkeypatch.syspath_prepend(str(HERE))
    name = "slow_files"
    spec = importlib.util.find_spec(name)
    assert spec is not None
    return importlib.import_module(name)


class Place:
    """The ledger's directory, where backups of it go, and the scripts that deploy it."""

    def __init__(self, machine: Any, base: Path, shared: Any) -> None:
        self.machine, self.shared = machine, shared
        self.data, self.kept = base / "data", base / "kept"
        self.data.mkdir()
        (self.data / "ledger").touch()

    def lines(self) -> list[str]:
        return (self.data / "ledger").read_text().split()

    def backup(self, **options: Any) -> zdd.Backup:
        return zdd.Backup([self.shared.SlowFiles(str(self.data))], str(self.kept), **options)

    def release(self, version: str, **options: Any) -> zdd.Release:
        return self.shared.ledger_release(version, str(self.data), **options)  # type: ignore[no-any-return]

    def script(self, slow_s: float, warm_s: float) -> subprocess.Popen[str]:
        places = [str(self.machine.state), str(self.machine.port), str(self.data), str(self.kept)]
        words = [*places, str(slow_s), str(warm_s)]
        command = [sys.executable, str(HERE / "spoil.py"), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def place(machine: Any, tmp_path: Path, shared: Any) -> Place:
    one = Place(machine, tmp_path, shared)
    machine.deployer().deploy(shared.ledger_service(), one.release("1.0"))
    return one


def await_line(script: subprocess.Popen[str], kind: str, text: str = "") -> None:
    """Read what a script prints until a line begins with this kind of event and has this text."""
    assert script.stdout is not None
    assert script.stderr is not None
    seen = []
    for line in script.stdout:
        seen.append(line)
        if line.startswith(kind) and text in line:
            return
    pytest.fail(f"{kind} {text} never came, but: {''.join(seen)}{script.stderr.read()}")


def post(port: int, text: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/", body=text.encode())
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_a_release_that_spoils_the_data_is_taken_back_with_the_data(place: Place) -> None:
    deployer = place.machine.deployer()
    assert post(place.machine.port, "first") == 201
    before = place.lines()
    gate = zdd.CommandGate(["sh", "-c", 'test ! -s "$0"/spoiled', str(place.data)], interval_s=0.2)
    spoiled = zdd.Release(
        "2.0",
        zdd.Process(
            ["sh", "-c", f"echo x > {place.data}/spoiled; exec {sys.executable} {HERE / 'ledger.py'}"],
            {"LEDGER": f"{place.data}/ledger"},
        ),
        changes_data=True,
    )
    with pytest.raises(zdd.DeploymentFailed) as failed:
        deployer.deploy(place.shared.ledger_service(), spoiled, place.backup() + zdd.BlueGreen(gates=[gate], keep_s=2))
    report = failed.value.report
    assert report.outcome is zdd.Outcome.ROLLED_BACK
    assert "is lost" in str(report)
    assert place.lines() == before
    assert not (place.data / "spoiled").exists()
    assert post(place.machine.port, "second") == 201
    assert [one.version for one in deployer.backups("web")] == ["1.0"]


def test_every_acknowledged_write_before_the_backup_is_there_and_requests_are_held(place: Place) -> None:
    seen = threading.Event()

    def tell(event: zdd.Event) -> None:
        if type(event).__name__ == "ActionEnded":
            seen.set()

    deployer = zdd.Deployer.embedded(place.machine.state, port=place.machine.port, listeners=[tell])
    gate = zdd.CommandGate(["sh", "-c", "! grep -q 'another format' \"$0\"/ledger", str(place.data)], interval_s=0.2)
    first = place.release("1.0")
    assert deployer.deploy(place.shared.ledger_service(), first).outcome is zdd.Outcome.UNCHANGED
    for number in range(20):
        assert post(place.machine.port, f"old{number}") == 201
    old = place.lines()
    with pytest.raises(zdd.DeploymentFailed), Background(seen, place.machine.writer) as background:
        deployer.deploy(
            place.shared.ledger_service(),
            place.release("2.0", spoils=True),
            place.backup() + zdd.BlueGreen(gates=[gate], keep_s=3),
        )
    assert place.lines()[: len(old)] == old
    assert "another" not in place.lines()
    assert background.writer.failures == []


class Background:
    """Clients that begin to write as soon as something happens."""

    def __init__(self, begin: threading.Event, make: Callable[[], Any]) -> None:
        self._begin, self.writer = begin, make()
        self._thread = threading.Thread(target=self._run)
        self._end = threading.Event()

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._begin.set()
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        self._begin.wait(30)
        with self.writer:
            self._end.wait(60)


def test_a_backup_that_fails_ends_the_deployment_before_anything_is_touched(place: Place) -> None:
    deployer = place.machine.deployer()
    (place.data / "link").symlink_to("/etc/hostname")
    with pytest.raises(zdd.DeploymentFailed, match="a link that leads out of"):
        deployer.deploy(place.shared.ledger_service(), place.release("2.0"), place.backup() + zdd.RollingUpdate())
    assert place.machine.instances() == ["r1"]
    assert deployer.backups("web") == ()


def test_by_hand_the_data_come_back_and_the_report_says_what_is_lost(place: Place) -> None:
    deployer = place.machine.deployer()
    assert post(place.machine.port, "kept") == 201
    deployer.deploy(place.shared.ledger_service(), place.release("1.1"), place.backup() + zdd.RollingUpdate())
    assert post(place.machine.port, "lost") == 201
    assert place.lines() == ["kept", "lost"]
    report = deployer.restore("web")
    assert report.outcome is zdd.Outcome.SUCCEEDED
    assert place.lines() == ["kept"]
    assert "since it was begun is lost" in str(report)
    assert post(place.machine.port, "again") == 201
    assert deployer.rollback("web").outcome is zdd.Outcome.SUCCEEDED  # the service is treated as it was stated


def test_going_back_from_changed_data_by_hand_has_to_say_what_becomes_of_them(place: Place) -> None:
    deployer = place.machine.deployer()
    assert post(place.machine.port, "old") == 201
    deployer.deploy(
        place.shared.ledger_service(), place.release("2.0", spoils=True), place.backup() + zdd.RollingUpdate()
    )
    assert post(place.machine.port, "new") == 201
    with pytest.raises(zdd.ConfigurationError, match="say restore=True"):
        deployer.rollback("web")
    report = deployer.rollback("web", restore=True)
    assert report.to_version == "1.0"
    assert place.lines() == ["old"]


def test_a_damaged_backup_is_refused_before_anything_is_touched(place: Place) -> None:
    deployer = place.machine.deployer()
    deployer.deploy(place.shared.ledger_service(), place.release("1.1"), place.backup() + zdd.RollingUpdate())
    (data,) = place.kept.glob("web/*.0")
    data.write_bytes(data.read_bytes()[:-1])
    before = place.machine.instances()
    with pytest.raises(zdd.BackupError):
        deployer.restore("web")
    assert place.machine.instances() == before
    assert post(place.machine.port, "serves") == 201


def test_a_deployer_killed_in_the_middle_of_a_backup_leaves_what_the_next_one_finishes(place: Place) -> None:
    assert post(place.machine.port, "old") == 201
    script = place.script(slow_s=4.0, warm_s=1.0)
    await_line(script, "Waited", "action back up ledger: ledger: 0.0 MB saved")  # it says how far it is
    script.send_signal(signal.SIGKILL)
    script.communicate()
    deployer = place.machine.deployer()
    assert deployer.resume("web").outcome is zdd.Outcome.SUCCEEDED
    assert place.lines() == ["old"]
    assert post(place.machine.port, "after") == 201
    assert len(deployer.backups("web")) == 1
    assert [path.suffix for path in sorted(place.kept.glob("web/*"))] == [".0", ".json"]


def test_a_deployer_killed_in_the_middle_of_a_restore_leaves_what_the_next_one_finishes(place: Place) -> None:
    assert post(place.machine.port, "old") == 201
    script = place.script(slow_s=1.0, warm_s=20.0)
    await_line(script, "ActionEnded")
    with place.machine.writer() as writer:
        await_line(script, "Waited", "action restore ledger")
        script.send_signal(signal.SIGKILL)
        script.communicate()
        assert place.machine.instances() == []
        assert place.machine.deployer().resume("web").outcome is zdd.Outcome.ROLLED_BACK
    assert place.lines()[0] == "old"
    assert "another" not in place.lines()
    assert writer.failures == []
    assert place.machine.instances() == ["r1"]


def test_a_deployer_killed_after_the_restore_does_not_restore_again(place: Place) -> None:
    """What was written since the data were back would be lost."""
    assert post(place.machine.port, "old") == 201
    script = place.script(slow_s=0.0, warm_s=20.0)
    await_line(script, "ActionEnded")
    with place.machine.writer():
        await_line(script, "ActionEnded")
        await_line(script, "CommandAnswered")
    script.send_signal(signal.SIGKILL)
    script.communicate()
    kept = place.lines()
    assert kept[0] == "old"
    assert len(kept) > 1
    place.machine.deployer().resume("web")
    assert place.lines() == kept
