"""Peers are found or skipped by name, started, checked, and ended with all that is theirs."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bench.drills import processes
from bench.load.stand_in_orders import Counters
from bench.machine import ROOT
from bench.peers import command, install
from bench.peers.contest import find
from bench.peers.haproxy import Haproxy
from bench.peers.korad import Korad
from bench.peers.nginx import Nginx
from bench.peers.peer import Launch, MissingPeerError, Program
from bench.peers.placement import place
from bench.peers.reaper import Reaper
from bench.peers.scene import Scene, check_swap

SLEEPER = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"


class Scripted:
    """A peer that is a few lines of Python."""

    name = "scripted"
    job = "none"
    capacity = None

    def __init__(self, code: str, *, checks_keys: bool = True) -> None:
        self.code = code
        self.checks_keys = checks_keys

    def find(self, builds: Path) -> Program:  # noqa: ARG002 - nothing is installed
        return Program((sys.executable, "-c", self.code), "1", "here")

    def launch(self, program, site) -> Launch:
        words = (*program.command, str(site.port), str(site.provider_port), site.provider_key)
        return Launch(words, {}, site.client_key)


RELAY = """
import sys, http.server, urllib.request
port, provider, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        headers = {'Authorization': KEY, 'Content-Type': 'application/json'}
        url = f'http://127.0.0.1:{provider}{self.path}'
        answer = urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()
        self.send_response(200)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
http.server.HTTPServer(('127.0.0.1', port), Handler).serve_forever()
"""


@pytest.fixture
def scene():
    with Scene(place(sorted(os.sched_getaffinity(0))), 1, lambda *_: None) as scene:
        yield scene


def skipped_by(scene: Scene, peer) -> dict[str, str]:
    skipped: dict[str, str] = {}
    with scene.running([(peer, peer.find(Path()))], skipped) as running:
        assert not running or running[0].target.name == peer.name
    return skipped


def test_a_peer_that_is_not_installed_is_skipped_by_name_with_advice(monkeypatch, capsys):
    monkeypatch.setattr(install, "on_path", lambda _: None)
    skipped: dict[str, str] = {}

    found = find([Nginx(), Haproxy(), Korad()], Path(), skipped)

    assert ["korad"] == [peer.name for peer, _ in found]
    assert set(skipped) == {"nginx", "HAProxy"}
    assert "apt-get install haproxy" in skipped["HAProxy"]
    assert "HAProxy: SKIPPED" in capsys.readouterr().err


def test_an_installation_that_fails_is_a_reason_and_is_tried_again(tmp_path, monkeypatch):
    told: list[list[str]] = []

    def fail(command: list[str], *_: object) -> str:
        told.append(command)
        raise MissingPeerError("no net")

    monkeypatch.setattr(install, "told", fail)

    for _ in range(2):
        with pytest.raises(MissingPeerError, match="no net"):
            install.python_environment(tmp_path / "one", "a==1")
    assert len(told) == 2


def test_an_installation_of_the_pinned_version_is_used_again(tmp_path, monkeypatch):
    told: list[list[str]] = []
    monkeypatch.setattr(install, "told", lambda command, *_: told.append(command) or "")
    (tmp_path / "one").mkdir()

    for requirement in ("a==1", "a==1", "a==2"):
        assert tmp_path / "one" / "bin" == install.python_environment(tmp_path / "one", requirement)

    assert ["a==1", "a==2"] == [words[-1] for words in told if "install" in words]


def test_a_command_that_fails_is_told_with_its_last_words():
    with pytest.raises(MissingPeerError, match=r"failed \(3\): out of order"):
        install.told([sys.executable, "-c", "print('out of order'); raise SystemExit(3)"])
    with pytest.raises(MissingPeerError, match="tells no version"):
        install.version_told([sys.executable, "-c", "print('none')"])


def test_a_peer_that_ends_at_its_start_is_skipped_and_its_words_hold_no_keys(scene):
    skipped = skipped_by(scene, Scripted("import sys; sys.exit('bad ' + sys.argv[3])"))

    assert skipped["scripted"] == "ended at its start: bad ..."


def test_a_peer_that_lets_a_wrong_key_pass_is_skipped(scene):
    relay = RELAY.replace("KEY", "f'Bearer {key}'", 1)

    assert "wrong client key" in skipped_by(scene, Scripted(relay))["scripted"]
    assert {} == skipped_by(scene, Scripted(relay, checks_keys=False))


def test_a_peer_that_cuts_streams_is_skipped(scene):
    relay = RELAY.replace("KEY", "f'Bearer {key}'", 1).replace(".read()\n", ".read(300)\n")

    assert "stream to its end" in skipped_by(scene, Scripted(relay, checks_keys=False))["scripted"]


def test_a_peer_that_does_not_swap_keys_is_skipped(scene):
    relay = Scripted(RELAY.replace("KEY", "self.headers['Authorization']", 1), checks_keys=False)

    assert "does not swap" in skipped_by(scene, relay)["scripted"]


@pytest.mark.parametrize(
    ("counted", "reason"),
    [
        (Counters(), "without asking"),
        (Counters(requests=1, wrong_key=1), "does not swap"),
        (Counters(requests=1, wrong_model=1), "another model"),
    ],
)
def test_what_reaches_the_provider_is_checked(counted, reason):
    check_swap(Counters(requests=1))
    with pytest.raises(MissingPeerError, match=reason):
        check_swap(counted)


def sleeper() -> tuple[subprocess.Popen[bytes], list[int]]:
    """Return a session leader and, once both run, all of its session."""
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", SLEEPER], start_new_session=True
    )
    while len(family := processes.in_session(process.pid)) < 2:
        time.sleep(0.01)
    return process, family


def test_the_reaper_ends_what_is_left_and_removes_folders(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    (left, left_family), (spared, spared_family) = sleeper(), sleeper()
    with Reaper() as reaper:
        for process in (left, spared):
            reaper.watch(process.pid)
        reaper.forget(spared.pid)
        reaper.remove(folder)

    assert processes.wait_gone(left_family)
    assert all(processes.is_alive(each) for each in spared_family)
    assert not folder.exists()
    os.killpg(spared.pid, signal.SIGKILL)
    spared.wait()
    left.wait()


def test_a_killed_run_leaves_nothing_behind(tmp_path):
    code = f"""
import os, time
from pathlib import Path
from bench.peers.reaper import Reaper
from tests.bench.peers.test_peers_started import sleeper
with Reaper() as reaper:
    process, family = sleeper()
    reaper.watch(process.pid)
    reaper.remove(Path({str(tmp_path / "state")!r}))
    print(*family, flush=True)
    time.sleep(60)
"""
    (tmp_path / "state").mkdir()
    run = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert run.stdout is not None
    family = [int(word) for word in run.stdout.readline().split()]
    run.kill()
    run.wait()
    run.stdout.close()

    assert len(family) == 2
    assert processes.wait_gone(family)
    deadline = time.monotonic() + 10
    while (tmp_path / "state").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not (tmp_path / "state").exists()


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_a_name_that_is_none_is_refused(capsys):
    assert command.EXIT_NOTHING == command.run(arguments("--peers", "nginx,apache"))
    assert "no such peer or case: apache" in capsys.readouterr().err


@pytest.fixture
def short_folder():
    # A socket of korad's Redis has to fit into a path of 108 bytes.
    with tempfile.TemporaryDirectory(prefix="kp-") as name:
        yield Path(name)


@pytest.mark.timeout(180)
def test_korad_is_measured_and_nothing_of_it_is_left(tmp_path, capsys, monkeypatch, short_folder):
    monkeypatch.setattr(tempfile, "tempdir", str(short_folder))
    peers = "nginx,korad" if install.on_path("nginx") else "korad"
    words = ("--tiny", "--peers", peers, "--cases", "memory,small,stream,rate")

    code = command.run(arguments(*words, "--out", str(tmp_path / "out")))

    said = capsys.readouterr().out
    assert code == 0
    assert "| **korad** | " in said
    outcome = command.read(tmp_path / "out" / "result.json")
    assert [case.name for case in outcome.cases] == ["memory", "small", "stream", "rate"]
    assert outcome.wrong_keys == 0
    for case in outcome.cases:
        names = {result.name for result in case.results}
        assert names >= set(peers.split(","))
        for result in case.results:
            assert result.total.errors == {}
            assert result.total.ok > 0
            assert (result.total.resources is None) == (result.name == "direct")
    assert "sk-" not in (tmp_path / "out" / "result.json").read_text()
    assert [] == list(short_folder.iterdir())
