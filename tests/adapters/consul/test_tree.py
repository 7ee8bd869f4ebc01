"""Consul's keys are saved and put back, and no others are touched."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.consul.tree import ConsulTree
from zdd.errors import BackupError, ConfigurationError


def values(agent: Any, prefix: str) -> dict[str, tuple[str, int]]:
    found = agent.ask("GET", f"/v1/kv/{prefix}?recurse") or []
    return {item["Key"].removeprefix(prefix): (item["Value"], item["Flags"]) for item in found}


@pytest.fixture
def tree(agent: Any, prefix: str) -> ConsulTree:
    """A tree of 70 keys, more than one transaction takes, one of them as large as Consul permits."""
    for number in range(68):
        agent.ask("PUT", f"/v1/kv/{prefix}/a/{number:02}", f"value {number}".encode())
    agent.ask("PUT", f"/v1/kv/{prefix}/a/empty?flags=7", b"")
    agent.ask("PUT", f"/v1/kv/{prefix}/a/large", bytes(range(256)) * 2000)
    agent.ask("PUT", f"/v1/kv/{prefix}/abc", b"not in it")
    return ConsulTree(f"{prefix}/a", address=agent.address)


def test_what_was_changed_added_and_deleted_is_as_it_was(tree: ConsulTree, agent: Any, prefix: str) -> None:
    tree.check()
    before, kept = values(agent, prefix), list(tree.save())
    position = int(tree.position())
    for number in range(68):
        agent.ask("PUT", f"/v1/kv/{tree.prefix}{number:02}", b"spoiled")
    agent.ask("PUT", f"/v1/kv/{tree.prefix}added", b"new")
    agent.ask("DELETE", f"/v1/kv/{tree.prefix}large")
    agent.ask("DELETE", f"/v1/kv/{tree.prefix}empty")
    assert int(tree.position()) > position
    agent.ask("PUT", f"/v1/kv/{prefix}/abc", before["/abc"][0].encode())
    outside = values(agent, prefix)["/abc"]
    tree.load(kept)
    assert values(agent, prefix) == {**before, "/abc": outside}
    assert list(tree.save()) == kept


@pytest.mark.parametrize("line", [b"no json\n", b"[]\n", b'{"key": "k", "flags": 0, "value": "not base64!"}\n'])
def test_what_is_no_tree_is_refused_before_anything_is_changed(tree: ConsulTree, line: bytes) -> None:
    before = list(tree.save())
    with pytest.raises(BackupError, match="no tree of Consul's keys"):
        tree.load([line])
    assert list(tree.save()) == before


def test_a_key_outside_the_prefix_is_refused_before_anything_is_changed(
    tree: ConsulTree, agent: Any, prefix: str
) -> None:
    before = values(agent, prefix)
    trick = {"key": f"{prefix}/abc", "flags": 0, "value": ""}
    with pytest.raises(BackupError, match="outside"):
        tree.load([json.dumps(trick).encode()])
    assert values(agent, prefix) == before


def test_a_tree_that_can_not_be_saved_is_refused_beforehand(connect: Callable[[str], Any], tmp_path: Path) -> None:
    for prefix in ("", "/", "zdd", "zdd/heads"):
        with pytest.raises(ConfigurationError):
            ConsulTree(prefix)
    with pytest.raises(ConfigurationError, match="can't be reached"):
        ConsulTree("a", address="http://127.0.0.1:1").check()
    with pytest.raises(ConfigurationError, match="token file"):
        ConsulTree("a", token_file=str(tmp_path / "none")).check()
    permitted = connect('key_prefix "mine/" { policy = "read" }')
    (tmp_path / "token").write_text(permitted.token + "\n")
    mine = ConsulTree("mine", address=permitted.address, token_file=str(tmp_path / "token"))
    mine.check()
    with pytest.raises(BackupError, match=r"The token needs|Permission denied"):
        mine.load([b'{"key": "mine/a", "flags": 0, "value": ""}'])


@pytest.mark.parametrize("page", ["[5]", "[{}]", '[{"Key": "a", "Flags": 0, "ModifyIndex": 1, "Value": 5}]', "{}"])
def test_a_page_that_is_not_consul_s_is_no_tree(page: str) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        tree = ConsulTree("config", address=f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(ConfigurationError, match="not answered as Consul does"):
            tree.check()
        with pytest.raises(BackupError, match="not answered as Consul does"):
            list(tree.save())
        server.shutdown()
        thread.join()
