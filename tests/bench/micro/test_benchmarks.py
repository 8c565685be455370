"""Every microbenchmark does what it says, and is measured as it should be."""

from __future__ import annotations

import inspect
import shutil
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

import korad
from bench.__main__ import main
from bench.micro import measure as module, rooms
from bench.micro.bytecodes import bytecodes_of
from bench.micro.command import table
from bench.micro.figures import Measured, Run
from bench.micro.instructions import per_operation
from bench.micro.marked import Marked
from bench.micro.measure import measure
from bench.micro.registry import BENCHMARKS, UnknownBenchmarkError, chosen, opened_benchmark
from bench.micro.work import Work


@pytest.mark.parametrize("name", BENCHMARKS)
def test_its_work_comes_out_right_each_time(name):
    with opened_benchmark(name) as work:
        assert work.operations > 0
        for _ in range(3):
            result = work.call()
            assert work.is_right(result), result
        assert not work.is_right(object())


def test_every_generator_of_the_rooms_is_a_benchmark():
    found = set()
    for file in Path(rooms.__file__).parent.glob("[!_]*.py"):
        members = import_module(f"bench.micro.rooms.{file.stem}").__dict__.items()
        found |= {
            f"{file.stem}:{name}"
            for name, member in members
            if inspect.isgeneratorfunction(member) and not name.startswith("_")
        }

    assert found == {benchmark.place for benchmark in BENCHMARKS.values()}


def test_benchmarks_are_chosen_by_name_or_room():
    assert list(BENCHMARKS) == chosen([])
    assert ["heads.new", "money.price", "money.rate", "money.usage"] == chosen(
        ["money", "heads.new"]
    )
    with pytest.raises(UnknownBenchmarkError, match="head, money\\.prices"):
        chosen(["head", "money.prices", "keys"])


def test_bytecodes_are_counted_in_all_that_is_called():
    def add(one: int, two: int) -> int:
        return one + two

    def call_it() -> int:
        return add(1, 2)

    alone = bytecodes_of(lambda: None)
    counts = {bytecodes_of(call_it) for _ in range(5)}

    assert 0 < alone < 6
    assert len(counts) == 1
    assert alone + 5 < counts.pop() < alone + 25


def test_a_benchmark_without_figures_is_told_and_the_others_go_on(monkeypatch):
    def not_there():
        raise ImportError("no such part")

    @contextmanager
    def opened(name):
        if name == "missing":
            not_there()
        yield Work(lambda: name, lambda found: found != "wrong", operations=2)

    monkeypatch.setattr(module, "opened_benchmark", opened)
    monkeypatch.setattr(module, "SAMPLE_NS", 10_000)
    found = measure(["missing", "wrong", "good"], seconds=0)

    assert ["good"] == list(found.measured)
    assert module.ROUNDS_MIN == len(found.measured["good"].samples_ns)
    assert {"missing", "wrong"} == set(found.failed)
    assert "no such part" in found.failed["missing"]
    assert str(Path(korad.__file__).parent) == found.korad_path


def test_the_verb_prints_a_table_and_writes_every_sample(tmp_path, capsys):
    out = tmp_path / "micro.json"

    assert main(["micro", "money", "--seconds", "0.01", "--json", str(out)]) == 0

    printed = capsys.readouterr().out
    run = msgspec.json.decode(out.read_bytes(), type=Run)
    assert ["money.price", "money.rate", "money.usage"] == list(run.measured)
    assert all(name in printed for name in run.measured)
    assert all(each.samples_ns and each.bytecodes for each in run.measured.values())
    assert not run.failed


def test_the_verb_lists_and_refuses(capsys):
    assert main(["micro", "--list"]) == 0
    assert len(BENCHMARKS) == len(capsys.readouterr().out.splitlines())
    assert main(["micro", "nothing"]) == 2
    assert "nothing" in capsys.readouterr().err


def test_instructions_have_a_column_only_if_they_were_counted():
    def told(instructions):
        one = Measured(samples_ns=[1.0, 2.0, 3.0], bytecodes=29.0, instructions=instructions)
        return table(
            Run(
                schema_version=1,
                korad_path="",
                python="",
                measured={"keys.digest": one},
                failed={},
            )
        )

    assert "instructions" not in told(None)
    assert "instructions" in told(1234.0)
    assert "1,234" in told(1234.0)


def test_a_failed_benchmark_fails_the_verb(monkeypatch, capsys):
    monkeypatch.setitem(
        BENCHMARKS, "keys.digest", BENCHMARKS["keys.digest"]._replace(place="keys:gone")
    )

    assert main(["micro", "keys", "--seconds", "0.01"]) == 1
    assert "keys.digest          FAILED: AttributeError" in capsys.readouterr().out


# ── instructions ─────────────────────────────────────────────────────────────────────────────


def test_instructions_are_those_of_the_calls_alone():
    marked = [Marked(name="a", calls=10, operations=1), Marked(name="b", calls=5, operations=2)]
    # Before the start; then 10 and 30 calls of 7 (and 3 of the marks); between; 5 and 15 of 40.
    counts = [10**6, 73, 213, 500, 203, 603]

    assert {"a": 7.0, "b": 20.0} == per_operation(marked, counts)


@pytest.mark.timeout(180)  # valgrind is slow, and slower beside others
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs the command valgrind")
def test_instructions_are_counted_by_valgrind(capsys):
    assert main(["micro", "keys.digest", "--seconds", "0.01", "--instructions"]) == 0

    counts = capsys.readouterr().out.splitlines()[1].split()
    assert 500 < int(counts[5].replace(",", "")) < 50_000


def test_without_valgrind_that_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["micro", "keys.digest", "--seconds", "0.01", "--instructions"]) == 2
    assert main(["profile", "--seconds", "0.1", "--instructions"]) == 2
    assert 2 == capsys.readouterr().err.count("needs the command valgrind")
