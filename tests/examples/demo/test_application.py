"""The application that the demo deploys, asked by a client library that has nothing to do with it."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest
from application import Behaviour, Settings

APPLICATION = Path(__file__).parents[3] / "examples" / "demo" / "application.py"
DEADLINE_S = 20.0


def run(conversation):
    """Run a conversation with a client session, within a deadline."""

    async def talk():
        async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
            return await conversation(session)

    return asyncio.run(talk())


async def get(session, url):
    async with session.get(url) as answer:
        return answer.status, await answer.json(), answer.headers


def test_every_answer_says_which_version_and_which_instance_gave_it(start):
    instance = start(VERSION="2.0", ZDD_INSTANCE="web-3")
    instance.await_health()

    async def ask(session):
        return [await get(session, instance.url + path) for path in ("/", "/health", "/statistics", "/nowhere")]

    answers = run(ask)
    assert [status for status, _, _ in answers] == [200, 200, 200, 404]
    assert {headers["X-Version"] for _, _, headers in answers} == {"2.0"}
    assert {headers["X-Instance"] for _, _, headers in answers} == {"web-3"}
    assert answers[0][1] == {"version": "2.0", "instance": "web-3"}


def test_an_order_is_written_once_and_in_a_line_of_its_own(start, orders_log):
    instances = [start(ZDD_INSTANCE=name) for name in ("one", "two")]
    for instance in instances:
        instance.await_health()

    async def place(session):
        async def order(number):
            url = instances[number % 2].url + "/orders"
            async with session.post(url, json={"id": f"order-{number}"}) as answer:
                return answer.status, (await answer.json())["id"]

        return await asyncio.gather(*map(order, range(200)))

    assert run(place) == [(201, f"order-{number}") for number in range(200)]
    lines = orders_log.read_text().splitlines()
    assert sorted(lines) == sorted(f"order-{number} {'two' if number % 2 else 'one'}" for number in range(200))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id": 7}', b'{"id": ""}', b'{"id": "two words"}', b"{"])
def test_an_order_without_a_proper_id_is_refused_and_not_written(start, orders_log, body):
    instance = start()
    instance.await_health()

    async def place(session):
        async with session.post(instance.url + "/orders", data=body) as answer:
            return answer.status

    assert run(place) == 400
    assert not orders_log.exists()


def test_statistics_count_real_requests_only(start):
    instance = start()
    instance.await_health()

    async def ask(session):
        for path in ("/", "/", "/health", "/statistics"):
            await get(session, instance.url + path)
        return (await get(session, instance.url + "/statistics"))[1]

    figures = run(ask)
    assert (figures["requests"], figures["errors"], figures["in_flight"]) == (2, 0, 0)


def test_a_bad_release_is_healthy_and_answers_errors_to_a_share_of_the_real_requests(start):
    instance = start(BEHAVIOUR="bad_release", VERSION="5.0")
    assert instance.await_health() == 200

    async def ask(session):
        answers = [await get(session, instance.url + "/") for _ in range(40)]
        return answers, (await get(session, instance.url + "/statistics"))[1]

    answers, figures = run(ask)
    statuses = [status for status, _, _ in answers]
    assert {status: statuses.count(status) for status in set(statuses)} == {200: 30, 500: 10}
    assert {headers["X-Version"] for status, _, headers in answers if status == 500} == {"5.0"}
    assert (figures["requests"], figures["errors"]) == (40, 10)


def test_one_that_never_gets_healthy_says_so(start):
    assert start(BEHAVIOUR="never_healthy").await_health() == 503


def test_one_that_ends_at_once_says_why(start):
    instance = start(BEHAVIOUR="exit_at_once")
    assert instance.wait() == 1
    assert "as it was told to" in instance.process.stderr.read()


def test_one_that_ignores_the_polite_signal_goes_on(start):
    instance = start(BEHAVIOUR="ignore_term")
    instance.await_health()
    instance.terminate()
    assert instance.await_health() == 200
    assert instance.process.poll() is None


def test_what_is_in_flight_is_finished_and_nothing_new_is_accepted(start):
    instance = start()
    instance.await_health()

    async def ask(session):
        slow = asyncio.ensure_future(get(session, instance.url + "/slow?seconds=3"))
        while (await get(session, instance.url + "/statistics"))[1]["in_flight"] < 1:
            await asyncio.sleep(0.01)
        instance.terminate()
        await refused(instance.port)
        assert not slow.done()
        return await slow

    status, content, headers = run(ask)
    assert (status, content["seconds"], headers["Connection"]) == (200, 3.0, "close")
    assert instance.wait() == 0


async def refused(port):
    """Wait until a new connection is refused."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return
        writer.close()
        await asyncio.sleep(0.01)


def test_idle_connections_do_not_keep_it_from_stopping(start):
    instance = start()
    instance.await_health()

    async def ask(session):
        await get(session, instance.url + "/")
        instance.terminate()
        return await asyncio.to_thread(instance.wait)

    assert run(ask) == 0


def test_a_websocket_echoes_and_is_told_goodbye_with_the_last_message_that_was_handled(start):
    instance = start()
    instance.await_health()

    async def converse(session):
        async with session.ws_connect(instance.url + "/websocket") as websocket:
            echoes = []
            for number in range(1, 4):
                await websocket.send_str(str(number))
                echoes.append((await websocket.receive()).data)
            instance.terminate()
            goodbye = await websocket.receive()
            return echoes, goodbye.type, goodbye.data, goodbye.extra

    assert run(converse) == (["1", "2", "3"], aiohttp.WSMsgType.CLOSE, 1001, "last=3")
    assert instance.wait() == 0


def test_a_client_may_end_a_websocket_itself(start):
    instance = start()
    instance.await_health()

    async def converse(session):
        async with session.ws_connect(instance.url + "/websocket") as websocket:
            await websocket.ping(b"?")
            await websocket.send_str("1")
            await websocket.receive()
            open_now = (await get(session, instance.url + "/statistics"))[1]["websockets"]
            await websocket.close()
        while (await get(session, instance.url + "/statistics"))[1]["websockets"]:
            await asyncio.sleep(0.01)
        return open_now, websocket.close_code

    assert run(converse) == (1, 1000)


def test_many_requests_at_once_are_answered(start):
    instance = start()
    instance.await_health()

    async def ask(session):
        answers = await asyncio.gather(*(get(session, instance.url + "/") for _ in range(300)))
        return {status for status, _, _ in answers}

    assert run(ask) == {200}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST /orders HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST /orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /websocket HTTP/1.1\r\n\r\n", 400),
        (b"DELETE / HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        (b"GET /slow?seconds=ever HTTP/1.0\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_what_can_not_be_answered_otherwise_gets_a_clear_status_and_the_connection_ends(start, sent, status):
    instance = start()
    instance.await_health()

    async def talk():
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
            writer.write(sent)
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(talk()).startswith(f"HTTP/1.1 {status} ".encode())


def test_it_boots_from_the_standard_library_alone():
    """Its start is what every launch of the demo waits for, so it imports no third party."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import application; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", script, str(APPLICATION.parent)], capture_output=True, text=True, check=True
    ).stdout.split()
    known = {*sys.stdlib_module_names, "__main__", "application", "frames", "http11"}
    assert not {name.partition(".")[0] for name in loaded} - known


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "PORT is ''"),
        ({"PORT": "http"}, "PORT is 'http'"),
        ({"PORT": "70000"}, "PORT is '70000'"),
        ({"PORT": "80", "BEHAVIOUR": "odd"}, "BEHAVIOUR is 'odd': use one of healthy, never_healthy"),
    ],
)
def test_a_wrong_setting_is_named(environment, message):
    with pytest.raises(SystemExit, match=message):
        Settings.read(environment)


def test_the_version_is_the_one_of_the_environment_else_the_one_of_the_deployment():
    assert Settings.read({"PORT": "80", "ZDD_VERSION": "3.1"}).version == "3.1"
    assert Settings.read({"PORT": "80", "ZDD_VERSION": "3.1", "VERSION": "mine"}).version == "mine"
    assert Settings.read({"PORT": "80"}).behaviour is Behaviour.HEALTHY


def test_a_port_that_is_taken_ends_the_second_one(start):
    first = start()
    first.await_health()
    second = start(PORT=str(first.port))
    assert second.wait() != 0
    assert "address already in use" in second.process.stderr.read().lower()


def test_starting_several_at_once(start):
    instances = [start(ZDD_INSTANCE=f"web-{number}") for number in range(4)]
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda instance: instance.await_health(), instances)) == [200] * 4
