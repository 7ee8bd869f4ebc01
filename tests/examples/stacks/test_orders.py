"""A stack that serves, told from other shells what to do: every command by its words, its JSON and its exit status."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from zdd.model.address import Address

pytestmark = pytest.mark.timeout(600)  # several releases are deployed


@frozen
class Site:
    """The stack behind HAProxy, whose api is a canary that waits for an order."""

    stand: Any
    folder: Path
    entrance: Address
    wait_until: Callable[..., Any]

    def words(self, command: str, *words: str) -> list[str]:
        around = ["--consul", self.stand.agent.address.removeprefix("http://"), "--docker", self.stand.facts["engine"]]
        return [sys.executable, "-m", "zdd", command, *words, *around]

    def run(self, command: str, *words: str, expected: int = 0, **environment: str) -> str:
        done = subprocess.run(
            self.words(command, *words), cwd=self.folder, env=self.environment | environment, capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == expected, f"{done.stdout}\n{done.stderr[-4000:]}"
        return done.stdout

    def data(self, command: str, *words: str) -> Any:
        return json.loads(self.run(command, *words, "--json"))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.stand.environment, "ZDD_HAPROXY": self.stand.environment["HAPROXY_SOCKET"]}

    def state(self, grace_s: int, hold: str) -> None:
        """Have another release of the api in the file."""
        text = (self.stand.directory / "original.yml").read_text()
        front, api = text.split("  api:")
        api = api.replace("stop_grace_period: 10s", f"stop_grace_period: {grace_s}s").replace(
            "hold: 1s", f"hold: {hold}"
        )
        (self.folder / "compose.yml").write_text(f"{front}  api:{api}")

    @contextlib.contextmanager
    def deploying(self, grace_s: int) -> Iterator[subprocess.Popen[str]]:
        """Deploy another api in another process, until its canary has requests and waits."""
        self.state(grace_s, "10m")
        words = self.words("deploy", "site", "--file", "compose.yml", "--json")
        with subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            try:
                assert running.stderr is not None
                for line in running.stderr:
                    if "hold time" in line:
                        break
                else:
                    pytest.fail("it never held")
                yield running
            finally:
                running.kill()

    def served(self) -> str:
        """Return the version that answers requests to the api; a part of them would be enough to show another one."""
        found = {self._answer() for _ in range(50)}
        assert len(found) == 1, found
        return found.pop()

    def _answer(self) -> str:
        with contextlib.closing(http.client.HTTPConnection(self.entrance.host, self.entrance.port)) as client:
            client.request("GET", "/api")
            return client.getresponse().read().decode()


@pytest.fixture
def site(stand: Any, wait_until: Callable[..., Any]) -> Site:
    entrance = stand.behind_haproxy({"site-api": "/api", "site-front": "/"})
    stand.environment |= {"FRONT": stand.facts["image"], "API": stand.facts["image"]}
    folder = stand.copy("haproxy-stack")
    (stand.directory / "original.yml").write_text((folder / "compose.yml").read_text())
    made = Site(stand, folder, entrance, wait_until)
    made.state(10, "1s")
    made.run("deploy", "site", "--file", "compose.yml", "--quiet")
    return made


def ended(running: subprocess.Popen[str]) -> tuple[int, Any, str]:
    out, err = running.communicate(timeout=240)
    return running.returncode, json.loads(out), err


def push_broken(address: str, registry: str) -> str:
    """Push an image whose only layer is no archive: the registry has it, and no node can pull it."""
    at = f"http://{address}/v2/site/broken"

    def send(method: str, url: str, data: bytes = b"", kind: str = "application/octet-stream") -> str:
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.headers.get("Location", ""))

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        where = send("POST", f"{at}/blobs/uploads/")
        send("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", content)
        return {"mediaType": kind, "size": len(content), "digest": digest}

    named = "application/vnd.docker.distribution.manifest.v2+json"
    layer = blob(b"no archive", "application/vnd.docker.image.rootfs.diff.tar.gzip")
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    described = blob(json.dumps(config).encode(), "application/vnd.docker.container.image.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": named, "config": described, "layers": [layer]}
    send("PUT", f"{at}/manifests/1", json.dumps(manifest).encode(), named)
    return f"{registry}/site/broken:1"


def test_a_running_deployment_obeys_other_shells(site: Site, lab_part: Any) -> None:
    clients = lab_part("strict_clients")
    requests = {clients.Request(path): 2 for path in ("/", "/api", "/sleep/0.7")}
    earlier = len(site.data("history", "site")) - 1  # other tests' stacks of this name
    with clients.Load(site.entrance, requests).running() as load:
        first = site.served()
        with site.deploying(11) as running:
            (api,) = (one for one in site.data("status", "site") if one["service"] == "site-api")
            assert (api["outcome"], api["paused"], len(api["shares"])) == (None, None, 2)
            assert site.data("pause", "site")["order"] == "pause"
            site.wait_until(lambda: "paused" in site.run("status", "site-api"), "it has paused")
            assert "aborted by" in site.run("abort", "site")
            status, said, progress = ended(running)
        assert (status, said["report"]["outcome"]) == (3, "rolled back"), progress
        assert [one["outcome"] for one in said["report"]["services"]] == ["rolled back", None]
        assert site.served() == first

        with site.deploying(12) as running:
            assert site.data("promote", "site")["order"] == "promote"
            status, said, progress = ended(running)
        assert (status, said["outcome"]) == (0, "succeeded"), progress
        refused = site.run("rollback", "site", "--json", expected=2, ZDD_HAPROXY="")
        assert "this call names no edge" in json.loads(refused)["message"]
        refused = site.run("rollback", "site", "--json", expected=2, ZDD_HAPROXY="/run/another.sock")
        told = json.loads(refused)["message"]
        assert re.search(r"deployed behind (haproxy at \S+), which .* say `--edge-gone` with its name, '\1'", told)
        assert site.data("rollback", "site")["outcome"] == "succeeded"
        assert site.served() == first
        with site.deploying(13) as running:
            running.send_signal(signal.SIGTERM)
            status, said, progress = ended(running)
        assert (status, said["report"]["outcome"]) == (6, "interrupted"), progress
        assert site.data("rollback", "site")["outcome"] == "succeeded"
        assert site.served() == first
        broken = push_broken(*(site.stand.facts[key] for key in ("registry_address", "registry")))
        site.stand.environment["API"] = broken
        before = site.stand.runs("site")
        said = site.run("deploy", "site", "--file", "compose.yml", "--json", expected=2)
        assert f"can't have {broken}@sha256:" in json.loads(said)["message"]
        assert site.stand.runs("site") == before
        assert not site.stand.versions("zdd-pull")
    assert load.lost == []
    known = site.data("history", "site")[earlier:]
    assert [one["outcome"] for one in known] == [
        "succeeded",
        "rolled back",
        "succeeded",
        "succeeded",
        "interrupted",
        "succeeded",
    ]
    assert f"{known[0]['deployment']}  2 services  succeeded  by " in site.run("history", "site")


def test_a_standby_on_a_swarm_takes_the_place_of_what_serves(stand: Any, wait_until: Callable[..., Any]) -> None:
    site = Site(stand, stand.directory, stand.behind_haproxy({"site-web": "/"}), wait_until)
    runs = ("--image", stand.facts["image"], "--port", "http=8080")
    limits = ("--stop-grace", "1", "--drain-deadline", "5", "--health", "/health", "--quiet")
    site.run("deploy", "site-web", "--version", "primary", *runs, *limits)
    assert site.served() == "primary"
    over = site.data("failover", "site-web", "--version", "standby", *runs)
    assert (over["from_version"], over["to_version"], over["outcome"]) == ("primary", "standby", "succeeded")
    assert site.served() == "standby"
    assert site.data("failback", "site-web")["to_version"] == "primary"
    assert site.run("watch", "site-web", "--version", "standby", *runs, expected=2, ZDD_HAPROXY="") == ""
    assert site.served() == "primary"

    words = site.words(
        "watch", "site-web", "--version", "standby", *runs, "--failures", "2", "--interval", "0.3", "--json"
    )
    with subprocess.Popen(
        words, env=site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert "watching site-web" in running.stderr.readline()
        for name in stand.versions("site-web"):
            stand.api.remove_service(name)
        status, said, progress = ended(running)
    assert (status, said["outcome"], said["to_version"]) == (0, "succeeded", "standby"), progress
    assert site.served() == "standby"
