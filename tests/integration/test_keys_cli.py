"""The command `korad keys` as a person runs it: real processes, one state folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

import korad
from korad.adapters.key_store import open_key_store

ROOT = Path(korad.__file__).parents[1]


def start(state_dir, *words):
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "korad", "keys", *words, "--state-dir", str(state_dir), "--json"],
        cwd=state_dir.parent,
        env={"HOME": str(state_dir.parent), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_keys_made_by_processes_that_start_together_are_all_good(tmp_path):
    state_dir = tmp_path / "state"
    processes = [start(state_dir, "create", "--name", f"key-{n}") for n in range(3)]
    finished = [finish(process) for process in processes]
    assert [(code, err) for code, _, err in finished] == [(0, b"")] * 3
    created = [orjson.loads(out) for _, out, _ in finished]

    with open_key_store(state_dir) as store:
        assert [store.get(each["key"]).key_id for each in created] == [
            each["id"] for each in created
        ]
        assert store.version() == 3


def test_a_running_reader_sees_what_the_command_changed(tmp_path):
    state_dir = tmp_path / "state"
    with open_key_store(state_dir) as store:
        key, secret = store.create("alice", now_s=1_700_000_000)
        rev, _ = store.changes_since(0)
        code, out, _ = finish(start(state_dir, "revoke", secret.reveal()))

        assert (code, orjson.loads(out)["id"]) == (0, key.key_id)
        assert store.version() > rev
        assert [each.active for each in store.changes_since(rev)[1]] == [False]


def test_a_failure_is_an_exit_code_and_a_line_on_stderr(tmp_path):
    (tmp_path / "state").mkdir()
    code, out, err = finish(start(tmp_path / "state", "show", "nobody"))

    assert (code, out) == (1, b"")
    assert err.count(b"\n") == 1
