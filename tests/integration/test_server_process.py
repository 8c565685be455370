"""`korad serve` as it is really run: a process, its signals, its workers, its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from pathlib import Path

import orjson
import pytest

from korad.adapters.key_store import open_key_store
from korad.app import HOUSEKEEPING_S
from korad.simulator import Fault, Script, Simulator
from tests.support.proxy import NOW_S, UPSTREAM_SECRET, config_text, served
from tests.support.raw_http import KEY, RawConnection, ask, chat, request

CANARY = "the-canary-sings-in-no-log"
PROMPT = [{"role": "user", "content": f"Say nothing of {CANARY}."}]
NEW_KEY = "sk-bf-made-while-the-server-runs"


@pytest.fixture
async def simulator():
    async with Simulator() as running:
        yield running


def get(path, key=KEY):
    return request(method="GET", path=path, key=key)


def children_of(process_id):
    path = Path(f"/proc/{process_id}/task/{process_id}/children")
    return [int(word) for word in path.read_text().split()]


async def family_of(korad, count):
    """Return the children once so many are there: the banner is of the first worker alone."""

    async def complete():
        found = children_of(korad.process.pid)
        return found if len(found) == count else None

    return await eventually(complete)


def is_pending(process_id, number):
    """Return whether a signal waits until the process goes on."""
    status = Path(f"/proc/{process_id}/status").read_text()
    pending = re.findall(r"^(?:Sig|Shd)Pnd:\t(\w+)$", status, re.MULTILINE)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in pending)


def is_stopped(process_id):
    """Return whether all threads stand still: one that does not yet would take a signal first."""
    states = [each.read_text() for each in Path(f"/proc/{process_id}/task").glob("*/stat")]
    return all(state.rpartition(")")[2].split()[0] == "T" for state in states)


def is_read(connection):
    """Return whether the server has read all that was sent to it."""
    here = connection.writer.get_extra_info("sockname")[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, far, _, queues, *_ = line.split()
        if far == f"0100007F:{here:04X}":
            return int(queues.partition(":")[2], 16) == 0
    return False


async def holds(condition, *arguments):
    async def held():
        return condition(*arguments)

    await eventually(held)


async def is_closed(port):
    """Wait until nobody listens there."""

    async def refused():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return True
        writer.close()
        return False

    await eventually(refused)


def is_alive(process_id):
    return Path(f"/proc/{process_id}").exists()


async def eventually(condition, timeout_s=10.0):
    """Return what the coroutine function returns as soon as it is true."""
    async with asyncio.timeout(timeout_s):
        while not (found := await condition()):  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.05)  # another process has no event to wait for
        return found


async def test_it_serves_logs_and_ends_cleanly(tmp_path, simulator):
    async with served(tmp_path, config_text(simulator)) as korad:
        good = await ask(korad.port, request(chat(messages=PROMPT)))
        stream = await ask(korad.port, request(chat(messages=PROMPT, stream=True)))
        refused = await ask(korad.port, request(chat(messages=PROMPT), key="sk-bf-wrong-canary"))
        simulator.script = Script(fault=Fault.RESET_BEFORE_HEAD)
        broken = await ask(korad.port, request(chat(messages=PROMPT)))
        code = await korad.end()

    assert [200, 200, 401, 502] == [each.status for each in (good, stream, refused, broken)]
    assert 0 == code
    assert [200, 200, 401, 502] == [line["status"] for line in korad.log]
    assert [each.headers["x-request-id"] for each in (good, stream, refused, broken)] == [
        line["request_id"] for line in korad.log
    ]
    for secret in (CANARY, KEY, "sk-bf-wrong-canary", UPSTREAM_SECRET):
        assert secret.encode() not in korad.words


async def test_a_drain_lets_answers_finish_and_takes_no_more(tmp_path, simulator):
    simulator.script = Script(completion_tokens=20, first_token_s=0.5)
    async with served(tmp_path, config_text(simulator)) as korad:
        async with RawConnection(korad.port) as busy, RawConnection(korad.port) as idle:
            assert 200 == (await idle.ask(get("/livez"))).status
            busy.send(request(chat(stream=True)))
            await simulator.until(lambda: simulator.requests)
            korad.process.send_signal(signal.SIGTERM)

            assert b"" == await idle.rest()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", korad.port)
            assert (await busy.answer()).body.endswith(b"data: [DONE]\n\n")
        code = await korad.ended()

    assert 0 == code
    assert ["completed"] == [line["outcome"] for line in korad.log]


@pytest.mark.parametrize("fast_lane", ["true", "false"])
async def test_a_stop_serves_those_who_have_connected_and_resets_nobody(
    tmp_path, simulator, fast_lane
):
    text = config_text(simulator, server=f"fast_lane = {fast_lane}")
    async with served(tmp_path, text) as korad:
        _, worker, _ = await family_of(korad, 3)
        async with contextlib.AsyncExitStack() as stack:

            async def connected():
                return await stack.enter_async_context(RawConnection(korad.port))

            silent, early = await connected(), await connected()
            assert 200 == (await ask(korad.port, get("/livez"))).status  # both were accepted
            os.kill(worker, signal.SIGSTOP)
            await holds(is_stopped, worker)
            queued = [await connected() for _ in range(20)]
            for each in queued[:10]:
                each.send(request(chat()))
            korad.process.send_signal(signal.SIGTERM)
            await holds(is_pending, worker, signal.SIGTERM)
            os.kill(worker, signal.SIGCONT)
            await is_closed(korad.port)
            for each in (early, *queued[10:]):
                each.send(request(chat()))

            for each in (early, *queued):
                answer = await each.answer()
                assert (200, "close") == (answer.status, answer.headers["connection"])
                assert b"" == await each.rest()
            assert b"" == await silent.rest()
        assert 0 == await korad.ended()


@pytest.mark.parametrize("lines", [(), ("Expect-Nothing: but the slow lane", "Accept: */*")])
async def test_a_stop_waits_for_a_request_that_is_being_sent(tmp_path, simulator, lines):
    body = orjson.dumps(chat(messages=PROMPT))
    slow = request(body, lines=(*lines, "Transfer-Encoding: chunked"), length=None)
    slow = slow[: -len(body)] + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    whole = slow if lines else request(body)
    async with served(tmp_path, config_text(simulator)) as korad:
        async with RawConnection(korad.port) as uploading, RawConnection(korad.port) as kept:
            kept.send(request(chat()))
            assert 200 == (await kept.answer()).status
            for each in (uploading, kept):
                each.send(whole[:-40])
                await holds(is_read, each)
            korad.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(1.6)  # longer than a client is given that has sent nothing
            for each in (uploading, kept):
                each.send(whole[-40:])
            for each in (uploading, kept):
                answer = await each.answer()
                assert (200, "close") == (answer.status, answer.headers["connection"])
        assert 0 == await korad.ended()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_end_of_a_drain_cuts_answers_short_and_still_bills_them(
    tmp_path, simulator, workers
):
    simulator.script = Script(fault=Fault.STALL_MID_STREAM)
    text = config_text(simulator, server="drain_timeout_s = 0.3")
    long_prompt = [{"role": "user", "content": "word " * 20_000}]
    async with (
        served(tmp_path, text, "--workers", workers) as korad,
        RawConnection(korad.port) as busy,
        RawConnection(korad.port) as uploading,
    ):
        busy.send(request(chat(messages=long_prompt)))
        uploading.send(request(lines=("Transfer-Encoding: chunked",)) + b"5\r\nhel")
        await simulator.until(lambda: simulator.requests)

        assert 0 == await korad.end()

    (line,) = [line for line in korad.log if line["outcome"] != "refused"]
    assert "client_aborted" == line["outcome"]
    assert line["usage"]["prompt_tokens"] > 20_000


async def test_a_key_made_by_the_command_line_is_soon_good(tmp_path, simulator):
    async with served(tmp_path, config_text(simulator)) as korad:
        assert 401 == (await ask(korad.port, get("/v1/models", key=NEW_KEY))).status

        with open_key_store(korad.state_dir) as store:
            # It is looked for so often; on a machine that has the time it is good within a second.
            assert HOUSEKEEPING_S < 1
            store.create("new", now_s=NOW_S, secret=NEW_KEY)

            async def is_good():
                return 200 == (await ask(korad.port, get("/v1/models", key=NEW_KEY))).status

            await eventually(is_good)
            store.revoke("new")

            async def is_blocked():
                return 403 == (await ask(korad.port, get("/v1/models", key=NEW_KEY))).status

            await eventually(is_blocked)


async def test_any_worker_knows_of_every_request_and_a_dead_one_is_replaced(tmp_path, simulator):
    async with served(tmp_path, config_text(simulator), "--workers", "2") as korad:
        redis, *workers, bookkeeper = await family_of(korad, 4)
        ids = set()

        async def both_serve():
            for _ in range(8):
                ids.add((await ask(korad.port, request(chat()))).headers["x-request-id"])
            # The kernel spreads connections: the two first digits are the worker's number.
            return {"req_00", "req_01"} == {each[:6] for each in ids}

        await eventually(both_serve, 20)
        for each in ids:
            answers = [await ask(korad.port, get(f"/v1/korad/requests/{each}")) for _ in range(3)]
            assert [200] * 3 == [answer.status for answer in answers]
        metrics = (await ask(korad.port, get("/metrics"))).body
        assert sum(
            int(line.rsplit(b" ", 1)[1])
            for line in metrics.splitlines()
            if line.startswith(b"korad_requests_total{")
        ) == len(ids)

        os.kill(workers[0], signal.SIGKILL)

        async def replaced():
            now = children_of(korad.process.pid)
            return len(now) == 4 and workers[0] not in now and {redis, bookkeeper} <= set(now)

        await eventually(replaced)

        async def serve_again():
            served_by = set()
            for _ in range(8):
                try:
                    answer = await ask(korad.port, request(chat()))
                except (OSError, asyncio.IncompleteReadError):
                    continue
                served_by.add(answer.headers["x-request-id"][:6])
            return {"req_00", "req_01"} == served_by

        await eventually(serve_again, 20)
        code = await korad.end()

    assert 0 == code
    assert b"ended with signal 9" in korad.words


async def test_workers_end_with_their_supervisor_on_sigint(tmp_path, simulator):
    async with served(tmp_path, config_text(simulator), "--workers", "2") as korad:
        workers = await family_of(korad, 4)
        code = await korad.end(signal.SIGINT)

    assert 0 == code
    assert [] == [each for each in workers if is_alive(each)]


async def test_a_demo_answers_without_any_configuration(tmp_path):
    key = "sk-bf-YOUR_VIRTUAL_KEY"
    async with served(tmp_path, "[server]\nport = 0\n", "--demo") as korad:
        answer = await ask(korad.port, request(chat(), key=key))
        code = await korad.end()

    assert (200, 0) == (answer.status, code)


async def test_a_demo_says_what_the_readme_shows_of_the_cache_and_of_a_streams_end(tmp_path):
    count = [{"role": "user", "content": "Count to 10"}]
    key, lines = "sk-bf-YOUR_VIRTUAL_KEY", ("X-Korad-Cache: on",)
    async with served(tmp_path, "[server]\nport = 0\n", "--demo") as korad:
        streamed = await ask(korad.port, request(chat(messages=count, stream=True), key=key))
        for _ in range(2):
            told = await ask(korad.port, request(chat(messages=count), key=key, lines=lines))
        await korad.end()
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = re.search(r"```text\n(X-Korad-Original-Tokens: .*?)Age: ", readme, re.DOTALL)[1]
    ends = re.search(r"\n(: korad billed=\S+ savings=\S+ )", readme)[1]

    assert ends.encode() in streamed.body
    for name, value in (line.split(": ", 1) for line in shown.splitlines()):
        assert value == told.headers[name.lower()]


async def run(tmp_path, *words):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "korad", "serve", "--state-dir", str(tmp_path / "state"), *words),
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return process.returncode, said


async def test_a_port_in_use_is_exit_code_1_and_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = await run(tmp_path, "--demo", "--host", "127.0.0.1", "--port", str(port))

    assert (1, 1) == (code, said.count(b"\n"))
    assert str(port).encode() in said


async def test_a_wrong_configuration_is_exit_code_2(tmp_path):
    code, said = await run(tmp_path, "--port", "a-port")

    assert 2 == code
    assert b"port" in said
