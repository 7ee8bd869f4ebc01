"""Each service in one form: short forms written out, lists and mappings as what they mean, durations in nanoseconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

from attrs import frozen

from zdd.compose import values
from zdd.compose.document import Document, Path
from zdd.compose.environment import environment_of

Json = dict[str, Any]

_PORTS_MAX = 1000
_PORT = re.compile(
    r"(?:(?P<address>\[[^\]]*\]|[^:\[\]]*):)??(?:(?P<published>\d+(?:-\d+)?)?:)?(?P<target>\d+(?:-\d+)?)(?:/(?P<protocol>[a-zA-Z]+))?"
)
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


@frozen
class Surroundings:
    """What a file's contents depend on.

    Attributes:
        directory: Relative paths begin here.
        variables: The environment.
    """

    directory: FilePath
    variables: Mapping[str, str]


def write_out(document: Document, around: Surroundings) -> Json:
    """Return the services, each in the one form.

    Raises:
        ConfigurationError: A value is not what it should be; says where.
    """
    services = document.data.get("services") or {}
    return {name: _service(document, ("services", name), service, around) for name, service in services.items()}


def _service(document: Document, at: Path, service: Json, around: Surroundings) -> Json:
    made = dict(service)
    for key, form in _FORMS.items():
        if key in made:
            made[key] = _formed(document, (*at, key), form, made[key])
    if "environment" in service or "env_file" in service:
        made["environment"] = environment_of(document, at, service, around.directory, around.variables)
    for key, forms in (("healthcheck", _HEALTHCHECK), ("deploy", _DEPLOY)):
        if key in made:
            made[key] = _nested(document, (*at, key), made[key] or {}, forms)
    if "ports" in made:
        made["ports"] = [one for number, port in enumerate(made["ports"])
                         for one in _formed(document, (*at, "ports", number), _port, port)]  # fmt: skip
    if "volumes" in made:
        made["volumes"] = [
            _volume(document, (*at, "volumes", number), volume, around) for number, volume in enumerate(made["volumes"])
        ]
    return made


def _formed(document: Document, path: Path, form: Callable[[Any], Any], value: Any) -> Any:
    if value is None:
        return None
    try:
        return form(value)
    except ValueError as error:
        raise document.refusal(path, f"{'.'.join(map(str, path))}: {error}") from None


def _nested(document: Document, path: Path, value: Json, forms: Mapping[str, Any]) -> Json:
    made = dict(value)
    for key, form in forms.items():
        if made.get(key) is None:
            continue
        if isinstance(form, dict):
            made[key] = _nested(document, (*path, key), made[key], form)
        else:
            made[key] = _formed(document, (*path, key), form, made[key])
    return made


def _health_test(value: str | list[str]) -> list[str]:
    return ["CMD-SHELL", value] if isinstance(value, str) else values.text_list(value)


def _references(value: list[Any]) -> list[Json]:
    return [{"source": one} if isinstance(one, str) else dict(one) for one in value]


def _networks(value: list[str] | Json) -> Json:
    return dict.fromkeys(value) if isinstance(value, list) else dict(value)


def _hosts(value: list[Any] | Json) -> list[str]:
    if isinstance(value, dict):
        found = sorted((name, values.go_text(text)) for name, text in value.items() if text is not None)
    else:
        entries = [values.go_text(entry) for entry in value]
        found = [_host(entry) for entry in entries]
    return [f"{text.removeprefix('[').removesuffix(']')} {name}" for name, text in found]


def _host(entry: str) -> tuple[str, str]:
    name, there, address = entry.partition("=" if "=" in entry else ":")
    if not there or not name or not address:
        raise ValueError(f"{entry[:60]!r}: use name:address")
    return name, address


def _ulimits(value: Json) -> Json:
    made = {}
    for name, one in value.items():
        both = one if isinstance(one, dict) else {"soft": one, "hard": one}
        if not re.fullmatch(r"[a-z]+", name) or not all(type(both.get(key)) is int for key in ("soft", "hard")):
            raise ValueError(f"{name[:40]!r}: use a name such as nofile, with a whole number, or with soft and hard")
        made[name] = dict(both)
    return made


def _logging(value: Json) -> Json:
    return {"driver": value.get("driver") or "", "options": values.pairs(value.get("options"))}


def _whole(value: float | str) -> int:
    text = str(value).removesuffix(".0")
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"{value!r}: use a whole number")
    return int(text)


def _generic(value: list[Json]) -> list[Json]:
    for one in value:
        number = (one.get("discrete_resource_spec") or {}).get("value", 0)
        if type(number) is not int or not 0 <= number < 2**63:
            raise ValueError(f"value {number!r} of a generic resource: use a whole number")
    return value


def _port(value: int | str | Json) -> list[Json]:
    if isinstance(value, dict):
        published, target = value.get("published", 0), value.get("target", 0)
        _check_ports(target, published)
        if not target:
            raise ValueError("target is needed: the port on which the container listens")
        return [{"target": target, "published": published, "protocol": value.get("protocol", ""),
                 "mode": value.get("mode", "")}]  # fmt: skip
    match = _PORT.fullmatch(str(value)) if not isinstance(value, float) else None
    if not match:
        raise ValueError(f"{str(value)[:60]!r} is no port: use published:target, such as 8080:80")
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise ValueError(f"protocol {protocol!r} is not known: use tcp, udp or sctp")
    targets, published = _range(match["target"]), _range(match["published"] or "0")
    if not targets[0]:
        raise ValueError(f"{value}: 0 is no port of a container: use one from 1 to 65535")
    if match["published"] and len(targets) != len(published):
        raise ValueError(f"{value}: {len(published)} published ports for {len(targets)} of the container")
    outside = published if match["published"] else [0] * len(targets)
    found = [
        {"target": target, "published": number, "protocol": protocol, "mode": "ingress"}
        for target, number in zip(targets, outside, strict=True)
    ]
    return sorted(found, key=lambda port: str(port["target"]))


def _range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    if len(first) > 5 or len(last) > 5:
        raise ValueError(f"{text[:40]} is no port: use one from 1 to 65535")
    start, end = int(first), int(last or first)
    _check_ports(start, end)
    if not start <= end < start + _PORTS_MAX:
        raise ValueError(f"range {text} of ports: use at most {_PORTS_MAX}, the smaller one first")
    return list(range(start, end + 1))


def _check_ports(*numbers: int) -> None:
    for number in numbers:
        if not 0 <= number <= 65_535:
            raise ValueError(f"{number} is no port: use one from 1 to 65535")


def _volume(document: Document, path: Path, value: str | Json, around: Surroundings) -> Json:
    made = _formed(document, path, _short_volume, value) if isinstance(value, str) else dict(value)
    if made["type"] == "bind":
        source = str(made.get("source") or "")
        if not source:
            raise document.refusal(path, "a bind mount needs a source: the path on the node")
        if source.startswith("~"):
            home = around.variables.get("HOME")
            if home is None:
                raise document.refusal(path, f"{source}: HOME is not set")
            source = home + source[1:]
        # A path on the node, which need not be this machine: it is not looked at.
        made["source"] = source if source.startswith("/") else str(_plain(around.directory / source))
    if isinstance(made.get("tmpfs"), dict) and "size" in made["tmpfs"]:
        made["tmpfs"] = {"size": _formed(document, path, values.size_bytes, made["tmpfs"]["size"])}
    return made


def _plain(path: FilePath) -> FilePath:
    """Return the path without ``.`` and ``..``, without looking at the file system."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and len(parts) > 1:
            parts.pop()
        elif part not in ("..", "."):
            parts.append(part)
    return FilePath(*parts)


def _short_volume(text: str) -> Json:
    parts = text.split(":")
    if not all(parts) or len(parts) > 3:
        raise ValueError(f"{text[:80]!r} is no volume: use source:target or source:target:ro")
    if len(parts) == 1:
        return {"type": "volume", "target": text}
    made: Json = {"type": "bind" if parts[0][0] in "./~" else "volume", "source": parts[0], "target": parts[1]}
    for option in parts[2].split(",") if len(parts) == 3 else ():
        if option in ("ro", "rw"):
            made["read_only"] = option == "ro"
        elif option == "nocopy":
            made["volume"] = {"nocopy": True}
        elif option in _PROPAGATIONS:
            made["bind"] = {"propagation": option}
        else:
            raise ValueError(f"{text[:80]!r}: option {option!r} of a volume is not known")
    return made


_FORMS: dict[str, Callable[[Any], Any]] = {
    "command": values.command_words,
    "entrypoint": values.command_words,
    "labels": values.pairs,
    "sysctls": values.pairs,
    "dns": values.text_list,
    "dns_search": values.text_list,
    "extra_hosts": _hosts,
    "stop_grace_period": values.duration_ns,
    "secrets": _references,
    "configs": _references,
    "networks": _networks,
    "ulimits": _ulimits,
    "logging": _logging,
}
_HEALTHCHECK = {
    "test": _health_test,
    "interval": values.duration_ns,
    "timeout": values.duration_ns,
    "start_period": values.duration_ns,
    "start_interval": values.duration_ns,
    "retries": _whole,
}
_UPDATE = {"delay": values.duration_ns, "monitor": values.duration_ns}
_AMOUNT = {"cpus": values.nano_cpus, "memory": values.size_bytes, "generic_resources": _generic}
_DEPLOY = {
    "labels": values.pairs,
    "update_config": _UPDATE,
    "rollback_config": _UPDATE,
    "resources": {"limits": _AMOUNT, "reservations": _AMOUNT},
    "restart_policy": {"delay": values.duration_ns, "window": values.duration_ns},
}
