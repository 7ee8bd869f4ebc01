"""What a token may no longer see is not taken for what is not there, on a real Consul that permits nothing else."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.control import ConsulControl
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.store import Store
from zdd.adapters.consul.tree import ConsulTree
from zdd.errors import BackupError, ConfigurationError, JournalError, OutcomeUnknown, PermanentError
from zdd.events import StagePassed
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration

ANN = Fence(1, "ann@host:1")
RULES = {
    "key": 'key_prefix "" { policy = "write" }',
    "service": 'service_prefix "" { policy = "write" }',
    "node": 'node_prefix "" { policy = "read" }',
}
ALL = " ".join(RULES.values())
LESS = {"service": RULES["key"] + RULES["node"], "node": RULES["key"] + RULES["service"]}
LESS["this node"] = f'{LESS["node"]} node "another" {{ policy = "read" }}'
NEEDED = {"service": r'The token needs: service "', "node": "It needs: node_prefix|The token needs: node_prefix"}
NEEDED["this node"] = NEEDED["node"]

Connect = Callable[[str], ConsulConnection]
Make = Callable[..., Registration]


@pytest.fixture
def permit(guarded_agent: Any) -> Callable[[ConsulConnection, str], None]:
    """Gives a connection's token other rules than before."""

    def change(connection: ConsulConnection, rules: str) -> None:
        (policy,) = connection.ask("/v1/acl/token/self").json(dict)["Policies"]
        guarded_agent.ask("PUT", f"/v1/acl/policy/{policy['ID']}", {"Name": policy["Name"], "Rules": rules})

    return change


@pytest.fixture
def another_node(guarded_agent: Any) -> Iterator[None]:
    guarded_agent.ask("PUT", "/v1/catalog/register", {"Node": "another", "Address": "127.0.0.1"})
    yield
    guarded_agent.ask("PUT", "/v1/catalog/deregister", {"Node": "another"})


@pytest.mark.usefixtures("another_node")
@pytest.mark.parametrize("lost", list(LESS))
def test_rights_that_are_lost_in_the_middle_do_not_make_anything_lowered(
    lost: str, connect: Connect, permit: Any, prefix: str, make_registration: Make
) -> None:
    mine, other = connect(ALL), connect(ALL)
    told: list[object] = []

    def agent_for(address: object) -> ConsulConnection:
        told.append(address)
        if len(told) == 3:
            permit(mine, LESS[lost])
        return other

    web = Service(prefix, exposures=(Exposure("http"),))
    discovery = ConsulDiscovery(mine, prefix=prefix, agent_for=agent_for)
    first, second, third = (make_registration(number, 500) for number in (1, 2, 3))
    discovery.apply(web, Route((first, second)), ANN)
    wanted = Route((second, third))
    with pytest.raises(OutcomeUnknown, match=f"after 1 changes.*({NEEDED[lost]})"):
        discovery.apply(web, wanted, ANN)
    assert len(told) == 3, "something was raised although nobody could see what was lowered"
    for look in (lambda: discovery.registrations(web), lambda: discovery.apply(web, wanted, ANN)):
        with pytest.raises(PermanentError, match=NEEDED[lost]):
            look()
    permit(mine, ALL)
    discovery.apply(web, wanted, ANN)
    assert [one.instance for one in discovery.registrations(web)[0]] == [second.instance, third.instance]
    discovery.apply(web, Route(()), ANN)
    assert discovery.registrations(web) == ((), False)


@pytest.mark.parametrize("lost", ["service", "node"])
def test_a_first_look_that_shows_nothing_is_believed_only_with_the_rights(
    lost: str, connect: Connect, prefix: str, make_registration: Make
) -> None:
    web = Service(prefix, exposures=(Exposure("http"),))
    whole = ConsulDiscovery(connect(ALL), prefix=prefix)
    whole.apply(web, Route((make_registration(1, 500),)), ANN)
    with pytest.raises(PermanentError, match=NEEDED[lost]):
        ConsulDiscovery(connect(LESS[lost]), prefix=prefix).registrations(web)
    whole.apply(web, Route(()), ANN)


def test_keys_that_may_not_be_seen_are_no_empty_folder(
    connect: Connect, permit: Any, prefix: str, tmp_path: Any
) -> None:
    mine = connect(ALL)
    event = StagePassed(at_s=1.0, service="web", deployment="d", stage=0, title="t")
    journal, store = ConsulJournal(mine, prefix=prefix), Store(mine, prefix)
    journal.append("web", event, ANN)
    assert ConsulControl(mine, prefix=prefix).orders("web", "d") == ()
    (tmp_path / "token").write_text(mine.token)
    tree = ConsulTree(f"backed/{prefix}", address=mine.address, token_file=str(tmp_path / "token"))
    assert list(tree.save()) == []
    permit(mine, f'key_prefix "{store.heads("web")}" {{ policy = "read" }}')
    with pytest.raises(JournalError, match=f'not permitted. The token needs: key_prefix "{store.events("web")}"'):
        journal.read("web")
    with pytest.raises(PermanentError, match=f'The token needs: key_prefix "{store.control("web")}'):
        ConsulControl(mine, prefix=prefix).orders("web", "d")
    with pytest.raises(ConfigurationError, match=f'The token needs: key_prefix "backed/{prefix}/"'):
        tree.check()
    with pytest.raises(BackupError, match=f'The token needs: key_prefix "backed/{prefix}/"'):
        list(tree.save())
    permit(mine, ALL)
    assert journal.read("web") == (event,)


@contextmanager
def answering(body: bytes) -> Iterator[ConsulConnection]:
    """A server that answers everything so, as a Consul since 1.11 does that left something out."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Consul-Results-Filtered-By-ACLs", "true")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield ConsulConnection(address=f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
        thread.join()


def test_a_consul_that_says_it_left_something_out_is_believed() -> None:
    with answering(b"[]") as connection:
        tree = ConsulTree("config", address=connection.address)
        with pytest.raises(PermanentError, match=r'left out what .* may not see. It needs: key_prefix "zdd/events/'):
            Store(connection).under("zdd/events/web/")
        with pytest.raises(BackupError, match=r'left out .* It needs: key_prefix "config/"'):
            list(tree.save())
        with pytest.raises(PermanentError, match=r'left out .* It needs: service "web"'):
            ConsulDiscovery(connection).registrations(Service("web"))
