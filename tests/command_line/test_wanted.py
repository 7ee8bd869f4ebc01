"""What the options describe, or why they describe nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd import BlueGreen, Canary, HttpGate, Overlap, Recreate
from zdd.command_line.parser import make_parser
from zdd.command_line.wanted import read_wanted
from zdd.errors import ConfigurationError
from zdd.stacks.stack import Stack, StackService


def read(*words: str, command: tuple[str, ...] = ()) -> Stack | StackService:
    arguments = make_parser().parse_args(["plan", *words])
    arguments.command = list(command)
    return read_wanted(arguments)


def service(*words: str, command: tuple[str, ...] = ("server",)) -> StackService:
    found = read("web", "--version", "1", *words, command=command)
    assert isinstance(found, StackService)
    return found


def test_a_service_of_processes() -> None:
    found = service("--replicas", "3", "--floor", "2", "--health", "/up", "--env", "A=b=c", "--drain-deadline", "9")
    assert (found.service.replicas, found.service.floor, found.service.drain_deadline_s) == (3, 2, 9.0)
    assert found.service.gates == (HttpGate("/up"),)
    assert found.release.version == "1"
    assert found.release.workload["command"] == ["server"]
    assert found.release.workload["environment"] == {"A": "b=c"}
    assert found.strategy is None


def test_a_service_of_containers() -> None:
    found = service("--image", "web:2", "--port", "http=8080", "--port", "admin=9090", command=())
    assert found.release.workload["image"] == "web:2"
    assert found.release.workload["ports"] == {"http": 8080, "admin": 9090}
    assert [(one.port, one.path) for one in found.service.exposures] == [("http", "/"), ("admin", "/admin")]


def test_which_requests_are_its_own() -> None:
    found = service("--path", "/api/", "--host", "www.example.org", "--port", "http", "--port", "admin")
    ways = [(one.port, one.path, one.host) for one in found.service.exposures]
    assert ways == [("http", "/api/", "www.example.org"), ("admin", "/api/admin", "www.example.org")]
    with pytest.raises(ConfigurationError, match="leave out --worker"):
        service("--worker", "--path", "/api")
    with pytest.raises(ConfigurationError, match="path 'api' of port 'http': use a path that begins with /"):
        service("--path", "api")
    with pytest.raises(ConfigurationError, match=r"--port http=8080: a local process gets a free port, in \$PORT"):
        service("--port", "http=8080")


def test_the_strategies_by_their_names() -> None:
    assert service("--strategy", "blue-green", "--keep", "30").strategy == BlueGreen(30)
    assert service("--strategy", "canary", "--steps", "10,100").strategy == Canary((10, 100))
    singleton = service("--strategy", "recreate")
    assert singleton.strategy == Recreate()
    assert singleton.service.overlap is Overlap.FORBIDDEN
    assert service("--worker").service.exposures == ()


def test_a_stack(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("version: '3.8'\nservices: {web: {image: 'web:1'}}\n")
    found = read("shop", "-f", str(file))
    assert isinstance(found, Stack)
    assert [one.name for one in found.services] == ["web"]
    for words in (["--replicas", "2"], ["--floor", "0"], ["--keep", "3"], ["--stop-grace", "3"], ["--worker"]):
        with pytest.raises(ConfigurationError, match=rf"{words[0]} is of a single service: say it in .*compose\.yaml"):
            read("shop", "-f", str(file), *words)
    for words in (["--save", "data"], ["--keep-backups", "0"], ["--changes-data"]):
        with pytest.raises(ConfigurationError, match=rf"{words[0]} is of a single service: backups of a stack's"):
            read("shop", "-f", str(file), *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["web"], "what web is to run is not said: give --version"),
        (["web", "--version", "1"], "web has nothing to run: give --image, or a command after --"),
        (["web", "--version", "1", "--image", "web:1"], "say on which port the container listens"),
        (["web", "--version", "1", "--image", "web:1", "--port", "http=x"], "use NAME or NAME=NUMBER"),
        (["web", "--version", "1", "--image", "w:1", "--port", "http=1", "--env", "A"], "--env A: use NAME=VALUE"),
        (["web", "--version", "1", "--image", "w:1", "--port", "http=1", "--keep", "3"], "give both or neither"),
        (["Web", "--version", "1", "--image", "web:1", "--port", "http=1"], "service name 'Web'"),
        (["shop", "-f", "nowhere.yaml"], "nowhere.yaml"),
        (["shop", "--adopt"], "--adopt is of a stack: name its compose file with --file"),
    ],
)
def test_what_describes_nothing_is_refused_with_the_fix(words: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(*words)
