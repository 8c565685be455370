"""Which Python a new .venv is made of."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

PROGRAM = Path(__file__).parents[2] / "scripts" / "choose_python.py"


@pytest.fixture(scope="module")
def chooser():
    spec = importlib.util.spec_from_file_location("choose_python", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine(tmp_path):
    """Put interpreters that say what they are told to say into folders."""

    def put(folder, name, *, ns, **told):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        told = {
            "path": str(path),
            "version": "3.11.9",
            "is_new_enough": True,
            "is_usual": True,
        } | told
        path.write_text(f"#!/bin/sh\necho '{orjson.dumps(told | {'work_ns': ns}).decode()}'\n")
        path.chmod(0o700)
        return str(path)

    return put


def chosen(chooser, *folders):
    return chooser.choose(chooser.find([str(folder) for folder in folders]))


def test_the_one_on_the_path_stays_where_none_is_clearly_quicker(chooser, machine, tmp_path):
    first = machine("a", "python3", ns=1_000_000)
    machine("b", "python3.12", ns=920_000)

    assert chosen(chooser, tmp_path / "a", tmp_path / "b") == (first, "")


def test_a_quicker_one_is_taken_and_told(chooser, machine, tmp_path):
    first = machine("a", "python3", ns=1_000_000)
    quick = machine("b", "python3", ns=700_000, version="3.13.5")

    path, why = chosen(chooser, tmp_path / "a", tmp_path / "b")

    assert path == quick
    assert why.startswith(f"Taking {quick} (3.13.5), 30% quicker than {first} (3.11.9)")


def test_a_quick_moment_that_only_one_of_them_met_does_not_decide(chooser, monkeypatch):
    slow, quick = [1_400_000] * 15, [900_000] * 15
    slow[7] = 800_000  # the machine's pace changes for a moment
    times = {"a": iter(slow), "b": iter(quick)}
    monkeypatch.setattr(chooser, "ask", lambda path: {"work_ns": next(times[path])})
    able = [
        {"path": name, "called": name, "version": "3.11.9", "is_usual": True, "work_ns": 1}
        for name in "ab"
    ]

    path, why = chooser.choose(able)

    assert path == "b"
    assert "36% quicker" in why


@pytest.mark.parametrize("told", [{"is_usual": False}, {"is_new_enough": False}])
def test_a_quick_one_that_would_not_do_is_left(chooser, machine, tmp_path, told):
    first = machine("a", "python3", ns=1_000_000)
    machine("b", "python3.13", ns=500_000, **told)

    assert chosen(chooser, tmp_path / "a", tmp_path / "b") == (first, "")


def test_the_first_may_be_unusual(chooser, machine, tmp_path):
    first = machine("a", "python3", ns=1_000_000, is_usual=False)

    assert chosen(chooser, tmp_path / "a") == (first, "")


def test_where_the_first_is_too_old_the_next_is_taken(chooser, machine, tmp_path):
    machine("a", "python3", ns=100_000, is_new_enough=False)
    newer = machine("a", "python3.12", ns=1_000_000)

    assert chosen(chooser, tmp_path / "a") == (newer, "")


def test_one_that_does_not_run_is_no_candidate(chooser, tmp_path):
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o700)
    for number, junk in enumerate(["no JSON", "1", "{}", "null", "[]"]):
        (tmp_path / f"python3.{11 + number}").write_text(f"#!/bin/sh\necho '{junk}'\n")
        (tmp_path / f"python3.{11 + number}").chmod(0o700)

    assert chooser.find([str(tmp_path), str(tmp_path / "missing")]) == []


def test_two_names_of_one_interpreter_are_measured_as_one(chooser, machine, tmp_path):
    first = machine("a", "python3", ns=1_000_000)
    (tmp_path / "a" / "python3.11").symlink_to(first)

    (only,) = chooser.find([str(tmp_path / "a")])
    assert only["called"] == first


def test_called_as_the_script_does_it_prints_an_interpreter_that_makes_a_venv():
    own = Path(sys._base_executable).parent

    done = subprocess.run(  # noqa: S603
        [sys.executable, PROGRAM, own], capture_output=True, text=True, check=True, timeout=60
    )

    words = [done.stdout.strip(), "-c", "import ensurepip, sys; print(sys.version_info >= (3, 11))"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "True\n"  # noqa: S603
