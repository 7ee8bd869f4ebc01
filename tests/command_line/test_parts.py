"""Which parts the options and the environment describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.command_line.parser import make_parser
from zdd.command_line.parts import make_deployer, make_parts
from zdd.errors import ConfigurationError


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere_at_all:make", "No module named"),
        ("zdd:make", "has no attribute"),
        ("zdd", "use MODULE:NAME"),
        ("builtins:list", "it has to return a Deployer"),
    ],
)
def test_a_function_of_the_users_that_gives_no_deployer_is_refused(place: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_deployer(make_parser().parse_args(["mirror", "--deployer", place]))


def test_the_environment_names_consul(tmp_path: Path) -> None:
    arguments = make_parser().parse_args(["mirror", "--docker", f"unix://{tmp_path}/none"])
    with pytest.raises(ConfigurationError, match="ftp://agent"):
        make_deployer(arguments, {"CONSUL_HTTP_ADDR": "ftp://agent"})
    made = make_deployer(arguments, {"CONSUL_HTTP_ADDR": "10.0.0.1:8500", "CONSUL_HTTP_TOKEN": "secret"})
    assert "secret" not in repr(made.mirror("web"))


def test_the_edges_are_named_by_options_or_by_the_environment_or_not_at_all() -> None:
    def edges(*words: str, **environment: str) -> list[str]:
        arguments = make_parser().parse_args(["mirror", "--consul", "127.0.0.1:8500", *words])
        return [type(edge).__name__ for edge in make_deployer(arguments, environment)._around.edges]

    both = {"ZDD_HAPROXY": "/run/a.sock, /run/b.sock", "ZDD_TRAEFIK": "127.0.0.1:8080"}
    assert edges(**both) == ["HaproxyEdge", "HaproxyEdge", "CatalogTraefikEdge"]
    assert edges("--haproxy", "/run/c.sock", ZDD_HAPROXY="/run/a.sock,/run/b.sock") == ["HaproxyEdge"]
    assert edges() == ["UnnamedEdge"]
    assert edges("--no-edge") == []
    with pytest.raises(ConfigurationError, match="this call names no edge: name the edges that every call names"):
        make_parts(make_parser().parse_args(["mirror", "--consul", "127.0.0.1:8500"]), {}).check_edges("web")


def test_an_edge_that_served_before_may_be_said_to_be_gone() -> None:
    def gone(*words: str) -> object:
        arguments = make_parser().parse_args(["mirror", "--consul", "127.0.0.1:8500", *words])
        return make_deployer(arguments, {})._around.edges_gone

    assert gone("--haproxy", "/run/a.sock") == ()
    assert gone("--haproxy", "/run/a.sock", "--edge-gone", "haproxy at /run/b.sock") == ("haproxy at /run/b.sock",)
    assert gone("--no-edge") is None  # that there is none was said
    assert gone() is None  # another refusal says that none is named


def test_an_edge_needs_host_and_port() -> None:
    arguments = make_parser().parse_args(["mirror", "--consul", "127.0.0.1:8500", "--traefik", "8080"])
    with pytest.raises(ConfigurationError, match="--traefik '8080': use HOST:PORT"):
        make_deployer(arguments, {})


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("json:loads", "use a function without arguments"),
        ("json:__name__", "use a function without arguments"),
        ("spoiled_parts:make", r"spoiled_parts\.py:1: "),
    ],
)
def test_a_deployer_that_can_not_be_made_is_refused_without_a_traceback(
    place: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spoiled_parts.py").write_text("def make(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match=f"--deployer {place}: .*{words}"):
        make_deployer(make_parser().parse_args(["status", "--deployer", place]), {})
