"""A service of a compose file as a Swarm service's specification: what ``docker stack deploy`` would create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from zdd.compose.document import Document, Path
from zdd.compose.mounts import NAMESPACE, external_name, mounts_of
from zdd.compose.values import go_text

Json = dict[str, Any]

IMAGE = "com.docker.stack.image"
NO_ALIASES = ("default", "bridge", "host", "none")
_MODE_READABLE = 0o444


@frozen
class Sections:
    """What the services of a stack refer to.

    Attributes:
        stack: The stack's name.
        networks: As the file has them under ``networks:``; likewise the others.
    """

    stack: str
    networks: Mapping[str, Any]
    volumes: Mapping[str, Any]
    secrets: Mapping[str, Any]
    configs: Mapping[str, Any]


def specification_of(document: Document, name: str, service: Json, sections: Sections) -> Json:
    """Return the specification of one service.

    Secrets and configs have their names only: the swarm gives the ids when they are there.

    Raises:
        ConfigurationError: It refers to what isn't there, or Swarm could not do it; says where.
    """
    at: Path = ("services", name)
    deploy = service.get("deploy") or {}
    stack = sections.stack
    template: Json = {
        "ContainerSpec": _container(document, at, service, sections),
        "Resources": _resources(deploy.get("resources") or {}),
        "Placement": _placement(deploy.get("placement") or {}),
        "Networks": _networks(document, at, name, service, sections),
    }
    restart = _restart(document, at, service)
    if restart is not None:
        template["RestartPolicy"] = restart
    if service.get("logging") is not None:
        template["LogDriver"] = {"Name": service["logging"]["driver"], "Options": service["logging"]["options"]}
    made: Json = {
        "Name": f"{stack}_{name}",
        "Labels": {**(deploy.get("labels") or {}), NAMESPACE: stack, IMAGE: service["image"]},
        "TaskTemplate": template,
        "EndpointSpec": _endpoint(document, at, service),
        "Mode": _mode(document, at, deploy),
    }
    for key, there in (("update_config", "UpdateConfig"), ("rollback_config", "RollbackConfig")):
        if deploy.get(key) is not None:
            made[there] = _update(deploy[key])
    return made


def _container(document: Document, at: Path, service: Json, sections: Sections) -> Json:
    environment = service.get("environment") or {}
    added, dropped = _capabilities(service.get("cap_add") or [], service.get("cap_drop") or [])
    made: Json = {
        "Image": service["image"],
        "Labels": {**(service.get("labels") or {}), NAMESPACE: sections.stack},
        "Env": sorted(name if text is None else f"{name}={text}" for name, text in environment.items()),
        "Mounts": mounts_of(document, at, service, sections.volumes, sections.stack),
        "Privileges": {"CredentialSpec": None, "SELinuxContext": None},
        "Secrets": _references(document, at, service, "secrets", "Secret", sections.secrets, sections.stack),
        "Configs": _references(document, at, service, "configs", "Config", sections.configs, sections.stack),
        "CapabilityAdd": added,
        "CapabilityDrop": dropped,
        "Hosts": service.get("extra_hosts") or [],
        "Ulimits": [
            {"Name": name, "Soft": one["soft"], "Hard": one["hard"]}
            for name, one in sorted((service.get("ulimits") or {}).items())
        ],
    }
    plain = {
        "command": "Args", "entrypoint": "Command", "hostname": "Hostname", "working_dir": "Dir", "user": "User",
        "stop_grace_period": "StopGracePeriod", "stop_signal": "StopSignal", "tty": "TTY", "stdin_open": "OpenStdin",
        "read_only": "ReadOnly", "isolation": "Isolation", "init": "Init", "sysctls": "Sysctls",
        "oom_score_adj": "OomScoreAdj",
    }  # fmt: skip
    made.update({there: service[key] for key, there in plain.items() if service.get(key) is not None})
    if service.get("dns") or service.get("dns_search"):
        made["DNSConfig"] = {"Nameservers": service.get("dns") or [], "Search": service.get("dns_search") or []}
    if service.get("healthcheck") is not None:
        made["Healthcheck"] = _healthcheck(document, at, service["healthcheck"])
    return {key: value for key, value in made.items() if value not in ([], {}) or key == "Privileges"}


def _capabilities(add: list[str], drop: list[str]) -> tuple[list[str], list[str]]:
    """Return what is added and dropped, as Swarm writes it; what is both is added."""

    def named(names: list[str]) -> set[str]:
        texts = {text.strip().upper() for text in names}
        if "ALL" in texts:
            return {"ALL"}
        return {text if text.startswith("CAP_") else f"CAP_{text}" for text in texts if text != "RESET"}

    added = named(add)
    return sorted(added), sorted(named(drop) - added)


def _healthcheck(document: Document, at: Path, stated: Json) -> Json:
    if stated.get("disable"):
        if stated.get("test"):
            raise document.refusal((*at, "healthcheck"), "test and disable can't be stated both")
        return {"Test": ["NONE"]}
    names = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod", "retries": "Retries"}
    names |= {"test": "Test", "start_interval": "StartInterval"}
    return {there: stated[key] for key, there in names.items() if stated.get(key) is not None}


def _references(
    document: Document, at: Path, service: Json, section: str, word: str, known: Mapping[str, Any], stack: str
) -> list[Json]:
    found = []
    for number, stated in enumerate(service.get(section) or []):
        source = stated.get("source") or ""
        if source not in known:
            raise document.refusal(
                (*at, section, number),
                f"{word.lower()} {source!r} is not there: state it under the top-level {section}:",
            )
        mode = stated.get("mode")
        if mode is not None and (not isinstance(mode, int) or not 0 <= mode <= 0o7777):
            raise document.refusal((*at, section, number), f"mode {mode!r}: use one such as 0444")
        file = {
            "Name": stated.get("target") or source,
            "UID": stated.get("uid") or "0",
            "GID": stated.get("gid") or "0",
            "Mode": _MODE_READABLE if mode is None else mode,
        }
        found.append({f"{word}Name": object_name(source, known[source] or {}, stack), "File": file})
    return sorted(found, key=lambda one: str(one[f"{word}Name"]))


def object_name(key: str, stated: Mapping[str, Any], stack: str) -> str:
    """Return the name that a network, secret or config has in the swarm."""
    if stated.get("external"):
        return external_name(key, stated)
    return str(stated.get("name") or f"{stack}_{key}")


def _networks(document: Document, at: Path, name: str, service: Json, sections: Sections) -> list[Json]:
    made = []
    for key, stated in (service.get("networks") or {"default": None}).items():
        if key not in sections.networks and key != "default":
            raise document.refusal(
                (*at, "networks", key), f"network {key!r} is not there: state it under the top-level networks:"
            )
        target = object_name(key, sections.networks.get(key) or {}, sections.stack)
        one: Json = {"Target": target}
        aliases = [] if target in NO_ALIASES else [*((stated or {}).get("aliases") or []), name]
        if aliases:
            one["Aliases"] = aliases
        if (stated or {}).get("driver_opts"):
            one["DriverOpts"] = {option: go_text(text) for option, text in stated["driver_opts"].items()}
        for address in ("ipv4_address", "ipv6_address"):
            if (stated or {}).get(address):
                raise document.refusal(
                    (*at, "networks", key), f"{address} can't be honoured: Swarm gives tasks their addresses"
                )
        made.append(one)
    return sorted(made, key=lambda one: str(one["Target"]))


def _resources(stated: Json) -> Json:
    made: Json = {}
    for key, there in (("limits", "Limits"), ("reservations", "Reservations")):
        if stated.get(key) is None:
            continue
        amounts = {"NanoCPUs": stated[key].get("cpus"), "MemoryBytes": stated[key].get("memory")}
        amounts["Pids"] = stated[key].get("pids")
        made[there] = {name: amount for name, amount in amounts.items() if amount is not None}
        generic = stated[key].get("generic_resources")
        if generic:
            kinds = [one.get("discrete_resource_spec") or {} for one in generic]
            made[there]["GenericResources"] = [
                {"DiscreteResourceSpec": {"Kind": one.get("kind", ""), "Value": int(one.get("value", 0))}}
                for one in kinds
            ]
    return made


def _placement(stated: Json) -> Json:
    made: Json = {}
    if stated.get("constraints"):
        made["Constraints"] = stated["constraints"]
    if stated.get("preferences"):
        made["Preferences"] = [{"Spread": {"SpreadDescriptor": one.get("spread", "")}} for one in stated["preferences"]]
    if stated.get("max_replicas_per_node"):
        made["MaxReplicas"] = stated["max_replicas_per_node"]
    return made


def _restart(document: Document, at: Path, service: Json) -> Json | None:
    stated = (service.get("deploy") or {}).get("restart_policy")
    if stated is not None:
        names = {"condition": "Condition", "delay": "Delay", "max_attempts": "MaxAttempts", "window": "Window"}
        return {there: stated[key] for key, there in names.items() if stated.get(key) is not None}
    words = service.get("restart") or "no"
    policy, _, count = words.partition(":")
    known = {"no": None, "always": "any", "unless-stopped": "any", "on-failure": "on-failure"}
    if policy not in known or (count and not (policy == "on-failure" and count.isdecimal() and len(count) < 10)):
        raise document.refusal((*at, "restart"), f"restart {words!r}: use no, always, unless-stopped or on-failure:3")
    if known[policy] is None:
        return None
    return {"Condition": known[policy], **({"MaxAttempts": int(count)} if count and int(count) else {})}


def _endpoint(document: Document, at: Path, service: Json) -> Json:
    mode = ((service.get("deploy") or {}).get("endpoint_mode") or "").lower()
    if mode not in ("", "vip", "dnsrr"):
        raise document.refusal((*at, "deploy", "endpoint_mode"), f"endpoint_mode {mode!r}: use vip or dnsrr")
    ports = []
    for number, port in enumerate(service.get("ports") or []):
        if port["mode"] not in ("", "ingress", "host"):
            raise document.refusal((*at, "ports", number), f"mode {port['mode']!r} of a port: use ingress or host")
        if port["protocol"] not in ("", "tcp", "udp", "sctp"):
            raise document.refusal((*at, "ports", number), f"protocol {port['protocol']!r}: use tcp, udp or sctp")
        words = {"Protocol": port["protocol"] or "tcp", "PublishMode": port["mode"] or "ingress"}
        numbers = {"TargetPort": port["target"], "PublishedPort": port["published"]}
        ports.append({**words, **{key: value for key, value in numbers.items() if value}})
    made: Json = {"Mode": mode} if mode else {}
    if ports:
        made["Ports"] = sorted(ports, key=lambda port: (port.get("PublishedPort", 0), port["TargetPort"]))
    return made


def _mode(document: Document, at: Path, deploy: Json) -> Json:
    mode, replicas = deploy.get("mode") or "replicated", deploy.get("replicas")
    if mode == "replicated":
        if replicas is not None and replicas < 0:
            raise document.refusal((*at, "deploy", "replicas"), f"replicas is {replicas}: use 1 or more")
        return {"Replicated": {"Replicas": 1 if replicas is None else replicas}}
    if mode == "global":
        if replicas is not None:
            raise document.refusal(
                (*at, "deploy", "replicas"), "a global service has one task a node: leave replicas out"
            )
        return {"Global": {}}
    if mode in ("replicated-job", "global-job"):
        raise document.refusal(
            (*at, "deploy", "mode"), f"mode {mode} can't be honoured: zdd replaces what keeps running"
        )
    raise document.refusal((*at, "deploy", "mode"), f"mode {mode!r} is not known: use replicated or global")


def _update(stated: Json) -> Json:
    made: Json = {"Parallelism": 1 if stated.get("parallelism") is None else stated["parallelism"]}
    made |= {"MaxFailureRatio": stated.get("max_failure_ratio") or 0}
    names = {"delay": "Delay", "failure_action": "FailureAction", "monitor": "Monitor", "order": "Order"}
    made.update({there: stated[key] for key, there in names.items() if stated.get(key) is not None})
    return made
