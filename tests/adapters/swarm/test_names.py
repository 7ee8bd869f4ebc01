"""The way that no edge sees: other containers that find a service by Swarm's own DNS, on an overlay network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from zdd import CommandGate, Deployer, Outcome, Release, Service

CLIENT = """
import http.client, json, signal, threading

ended, lock = threading.Event(), threading.Lock()
answers, lost = {}, []
signal.signal(signal.SIGTERM, lambda *_: ended.set())

def ask():
    while not ended.wait(0.02):
        client = http.client.HTTPConnection("web", 8080, timeout=10)
        try:
            client.request("GET", "/sleep/0.3")
            text = client.getresponse().read().decode()
            with lock:
                answers[text] = answers.get(text, 0) + 1
        except (OSError, http.client.HTTPException) as error:
            lost.append(repr(error))
        client.close()

threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"answers": answers, "lost": lost}), flush=True)
"""


@pytest.mark.timeout(400)
def test_the_name_of_a_service_leads_to_all_its_cells_while_it_is_updated(
    swarm: Any, make_deployer: Callable[..., Deployer]
) -> None:
    swarm.client("network", "create", "--driver", "overlay", "--attachable", "back")
    swarm.run("web", 2, "--network", "back", "--endpoint-mode", "dnsrr", "--env", "VERSION=old")
    command = ["run", "--detach", "--name", "asks", "--network", "back", "--entrypoint", "python3", swarm.image]
    swarm.client(*command, "-c", CLIENT)
    service = Service("web", replicas=2, exposures=(), stop_grace_s=5.0, start_deadline_s=90.0)
    workload = swarm.workload(ports={}, service_spec=None, environment={"VERSION": "new"})
    report = make_deployer().deploy(service, Release("new", workload, [CommandGate(["true"])]))
    assert report.outcome is Outcome.SUCCEEDED
    swarm.client("stop", "--time", "30", "asks")
    seen = json.loads(swarm.client("logs", "asks").splitlines()[-1])
    print(f"\n{sum(seen['answers'].values())} requests by name: {seen['answers']}, lost: {seen['lost']}")
    assert seen["answers"]["old"]
    assert seen["answers"]["new"]
    assert seen["lost"] == []
