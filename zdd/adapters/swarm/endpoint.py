"""Which Engine is meant: what ``DOCKER_HOST``, the docker contexts and the certificates say. Reads files only."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from zdd.errors import ConfigurationError

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_SCHEMES = ("unix", "tcp", "ssh", "http", "https")
_FILES = ("ca.pem", "cert.pem", "key.pem")


def _directory(value: Any) -> Path | None:
    return None if value is None else Path(value).expanduser()


@frozen
class Endpoint:
    """Where an Engine is, and what proves who is who.

    Attributes:
        address: ``unix:///path``, ``tcp://host:port`` or ``ssh://user@host:port``.
        certificates: The folder with ``ca.pem``, ``cert.pem`` and ``key.pem``, as ``DOCKER_CERT_PATH`` takes it, for
            an Engine that speaks TLS. The Engine is always checked against ``ca.pem``; the other two may be missing
            if it does not ask for them. None: no TLS.

    Raises:
        ConfigurationError: The address has no known scheme, or the folder lacks a file.
    """

    address: str
    certificates: Path | None = field(default=None, converter=_directory)

    def __attrs_post_init__(self) -> None:
        scheme, separator, place = self.address.partition("://")
        if not separator or scheme not in _SCHEMES or not place:
            raise ConfigurationError(
                f"Docker host {self.address!r}: use unix:///path, tcp://host:port or ssh://user@host"
            )
        if self.certificates is not None:
            _check_certificates(self.certificates)

    @property
    def client_certificate(self) -> tuple[str, str] | None:
        """The paths of the certificate and the key by which the Engine knows this client, if there are any."""
        if self.certificates is None or not (self.certificates / "cert.pem").exists():
            return None
        return str(self.certificates / "cert.pem"), str(self.certificates / "key.pem")

    def __str__(self) -> str:
        return self.address


def _check_certificates(directory: Path) -> None:
    authority, certificate, key = (directory / name for name in _FILES)
    if not authority.is_file():
        raise ConfigurationError(f"{authority} is missing: it is the certificate by which the Docker host is checked")
    if certificate.exists() != key.exists():
        there, missing = (certificate, key) if certificate.exists() else (key, certificate)
        raise ConfigurationError(f"{missing} is missing: it belongs to {there.name}, which is there")


def find_endpoint(docker_host: str | Endpoint | None, environment: Mapping[str, str] = os.environ) -> Endpoint:
    """Return the Engine that the docker client would use.

    That is, in this order: what is given here, ``DOCKER_HOST``, the context that ``DOCKER_CONTEXT`` names, the current
    context of the docker client's configuration, and ``unix:///var/run/docker.sock``. For an address (and not for a
    context, which has certificates of its own) ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` count.

    Raises:
        ConfigurationError: The context is not there or damaged, or TLS is asked for without looking at who answers.
    """
    if isinstance(docker_host, Endpoint):
        return docker_host
    address = docker_host or environment.get("DOCKER_HOST")
    if not address:
        name = environment.get("DOCKER_CONTEXT") or _current_context(environment)
        if name and name != "default":
            return _of_context(name, environment)
        address = DEFAULT_ADDRESS
    return Endpoint(address, _certificates(address, environment))


def _certificates(address: str, environment: Mapping[str, str]) -> Path | None:
    verifies = bool(environment.get("DOCKER_TLS_VERIFY"))
    stated = environment.get("DOCKER_CERT_PATH")
    if not address.startswith(("tcp://", "https://")) or not (verifies or stated):
        return None
    if not verifies:
        raise ConfigurationError(
            "DOCKER_CERT_PATH is set and DOCKER_TLS_VERIFY is not, so nobody would check who answers at "
            f"{address}: set DOCKER_TLS_VERIFY=1"
        )
    return Path(stated) if stated else _configuration(environment)


def _configuration(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _current_context(environment: Mapping[str, str]) -> str:
    path = _configuration(environment) / "config.json"
    try:
        return str(json.loads(path.read_text()).get("currentContext") or "")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}") from error


def _of_context(name: str, environment: Mapping[str, str]) -> Endpoint:
    identifier = hashlib.sha256(name.encode()).hexdigest()
    contexts = _configuration(environment) / "contexts"
    path = contexts / "meta" / identifier / "meta.json"
    try:
        stated = json.loads(path.read_text())["Endpoints"]["docker"]
        address, careless = str(stated["Host"]), bool(stated.get("SkipTLSVerify"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no docker context {name}: make it with docker context create, or set DOCKER_HOST"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"docker context {name} ({path}) can't be read: {error!r}") from error
    files = contexts / "tls" / identifier / "docker"
    if careless:
        raise ConfigurationError(
            f"docker context {name} skips the check of who answers at {address}: "
            f'docker context update {name} --docker "host={address},ca=ca.pem,cert=cert.pem,key=key.pem"'
        )
    return Endpoint(address, files if files.is_dir() else None)
