"""Which engine is meant."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from zdd.adapters.swarm.endpoint import DEFAULT_ADDRESS, Endpoint, find_endpoint
from zdd.errors import ConfigurationError

HERE = "tcp://10.0.0.1:2376"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text(name)
    return tmp_path


def context(directory: Path, name: str, **endpoint: object) -> dict[str, str]:
    """Write a context as the docker client does, and return the environment in which it is found."""
    identifier = hashlib.sha256(name.encode()).hexdigest()
    meta = directory / "contexts" / "meta" / identifier / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    return {"DOCKER_CONFIG": str(directory), "DOCKER_CONTEXT": name}


def test_what_is_given_comes_first(tmp_path: Path) -> None:
    nothing = {"DOCKER_CONFIG": str(tmp_path)}
    given = Endpoint("ssh://somebody@example.org")
    assert find_endpoint(given, {"DOCKER_HOST": HERE}) is given
    assert find_endpoint("unix:///given", {"DOCKER_HOST": HERE}) == Endpoint("unix:///given")
    assert find_endpoint(None, {"DOCKER_HOST": HERE, "DOCKER_CONTEXT": "other"}) == Endpoint(HERE)
    assert find_endpoint(None, nothing) == Endpoint(DEFAULT_ADDRESS)
    assert find_endpoint(None, {**nothing, "DOCKER_CONTEXT": "default"}) == Endpoint(DEFAULT_ADDRESS)


def test_certificates_count_for_addresses_on_the_network(certificates: Path) -> None:
    verified = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
    endpoint = find_endpoint(HERE, verified)
    assert endpoint == Endpoint(HERE, certificates)
    assert endpoint.client_certificate == (f"{certificates}/cert.pem", f"{certificates}/key.pem")
    assert find_endpoint("unix:///here", verified).certificates is None
    assert find_endpoint(HERE, {"DOCKER_TLS_VERIFY": "1", "DOCKER_CONFIG": str(certificates)}) == endpoint


def test_nobody_is_talked_to_without_knowing_who_it_is(certificates: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="set DOCKER_TLS_VERIFY=1"):
        find_endpoint(HERE, {"DOCKER_CERT_PATH": str(certificates)})
    careless = context(tmp_path / "careless", "shop", Host=HERE, SkipTLSVerify=True)
    with pytest.raises(ConfigurationError, match="docker context shop skips the check of who answers"):
        find_endpoint(None, careless)


def test_a_context(tmp_path: Path) -> None:
    environment = context(tmp_path, "shop", Host=HERE, SkipTLSVerify=False)
    assert find_endpoint(None, environment) == Endpoint(HERE)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "shop"}))
    assert find_endpoint(None, {"DOCKER_CONFIG": str(tmp_path)}) == Endpoint(HERE)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("docker.sock", "Docker host 'docker.sock': use unix:///path"),
        ("ftp://example.org", "use unix:///path, tcp://host:port or ssh://user@host"),
        ("tcp://", "use unix:///path"),
    ],
)
def test_an_address_that_is_none(address: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        find_endpoint(address, {})


def test_what_is_missing_is_named(certificates: Path, tmp_path: Path) -> None:
    (certificates / "key.pem").unlink()
    with pytest.raises(ConfigurationError, match=r"key\.pem is missing: it belongs to cert\.pem"):
        Endpoint(HERE, certificates)
    (certificates / "ca.pem").unlink()
    with pytest.raises(ConfigurationError, match=r"ca\.pem is missing: it is the certificate by which"):
        Endpoint(HERE, certificates)
    with pytest.raises(ConfigurationError, match="there is no docker context shop: make it with docker context create"):
        find_endpoint(None, {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "shop"})
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"config\.json can't be read"):
        find_endpoint(None, {"DOCKER_CONFIG": str(tmp_path)})


def test_a_damaged_context_is_named(tmp_path: Path) -> None:
    environment = context(tmp_path, "shop")
    with pytest.raises(ConfigurationError, match=r"docker context shop \(.*meta\.json\) can't be read"):
        find_endpoint(None, environment)
