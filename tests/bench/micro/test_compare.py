"""Two commits are compared by the same benchmarks, and nothing is left of it."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.micro import compare, trees
from bench.micro.compare import MeasureError, measure_both, table
from bench.micro.figures import Measured, Run
from bench.micro.statistics import median, quantile, ratio_of_pairs, summary
from bench.micro.trees import PRESENT, ROOT, TreeError, resolved

needs_repository = pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs a git repository"
)
NAMES = ["money.rate", "limits.sizes"]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return the folder that all temporary folders are made in."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@needs_repository
def test_a_commit_compared_with_itself_is_the_same(temporary, capsys):
    head = resolved("HEAD")  # it may move meanwhile
    assert main(["compare", head, head, *NAMES, "--rounds", "2", "--seconds", "0"]) == 0

    printed = capsys.readouterr().out
    assert 2 == printed.splitlines()[0].split().count(head)
    for name in NAMES:
        (line,) = (each for each in printed.splitlines() if each.startswith(name))
        assert " 1.0000" in line
    assert [] == list(temporary.iterdir())


@needs_repository
@pytest.mark.parametrize("commit", ["no-such-commit", "HEAD:korad"])
def test_what_is_no_commit_is_refused(commit, temporary, capsys):
    assert main(["compare", "HEAD", commit, "money"]) == 2
    assert "bench compare: " in capsys.readouterr().err
    assert [] == list(temporary.iterdir())


@needs_repository
def test_the_folder_goes_away_also_after_an_error(temporary):
    def measured(folder, *_given, **_options):
        assert (folder / "korad" / "__init__.py").exists()
        raise MeasureError("as told")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compare, "_measured", measured)
        assert main(["compare", "HEAD", "HEAD", "money"]) == 2
    assert [] == list(temporary.iterdir())


def test_without_git_that_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TreeError, match="git"):
        resolved("HEAD")
    assert PRESENT == resolved(PRESENT)


def test_the_working_tree_is_measured_as_it_is_and_what_a_side_lacks_is_told(
    temporary, monkeypatch
):
    whole = trees.korad_at

    def without_limits(commit):
        return whole(PRESENT) if commit == "new" else lacking

    with whole(PRESENT) as old:
        (old / "korad" / "adapters" / "limit_plan.py").unlink()
        lacking = _given(old)
        monkeypatch.setattr(compare, "korad_at", without_limits)
        runs = measure_both(("old", "new"), NAMES, rounds=1, seconds=0)

    before, after = runs[0]
    assert str(old / "korad") == before.korad_path != after.korad_path
    assert ["money.rate"] == list(before.measured)
    assert NAMES == list(after.measured)
    text = table(("old", "new"), NAMES, runs)
    assert "limits.sizes         not at A: ModuleNotFoundError" in text
    assert before.measured["money.rate"].bytecodes == after.measured["money.rate"].bytecodes
    assert [] == list(temporary.iterdir())


class _given:  # noqa: N801 - stands for a context manager's function
    """A folder that is there already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self):
        return self.folder

    def __exit__(self, *_):
        return None


def test_a_folder_without_korad_is_never_measured_as_if_it_had_one(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "korad_at", lambda _: _given(tmp_path))
    with pytest.raises(MeasureError, match="in place of"):
        measure_both((".", "."), ["money.rate"], rounds=1, seconds=0)


def test_sides_take_turns_in_going_first(monkeypatch, tmp_path):
    seen = []

    def measured(folder, _names, _seconds, *, bytecodes, hash_seed):
        seen.append((folder.name, bytecodes, hash_seed))
        return Run(schema_version=1, korad_path="", python="", measured={}, failed={})

    monkeypatch.setattr(compare, "korad_at", lambda commit: _given(tmp_path / commit))
    monkeypatch.setattr(compare, "_measured", measured)
    measure_both(("A", "B"), NAMES, rounds=3, seconds=0)

    assert "ABBAAB" == "".join(side for side, _, _ in seen)
    assert [True, True, False, False, False, False] == [counts for _, counts, _ in seen]
    assert [0, 0, 1, 1, 2, 2] == [seed for _, _, seed in seen]


def test_a_difference_is_told_and_noise_is_not():
    draw = random.Random(1)
    noise = [(100 + draw.random() * 20, 100 + draw.random() * 20) for _ in range(20)]
    same, slower = (
        ratio_of_pairs(noise, seed=1),
        ratio_of_pairs([(one, other * 1.5) for one, other in noise], seed=1),
    )

    assert not same.differs
    assert same.low <= same.ratio <= same.high
    assert slower.differs
    assert slower.low > 1.2
    assert ratio_of_pairs(noise, seed=1) == same


def test_the_table_says_slower_and_by_how_much():
    def run(nanoseconds, bytecodes):
        measured = Measured(samples_ns=[nanoseconds * 3, nanoseconds], bytecodes=bytecodes)
        return Run(
            schema_version=1, korad_path="", python="", measured={"money.rate": measured}, failed={}
        )

    runs = [(run(100.0 + at, 50.0), run(200.0 + 2 * at, 75.0)) for at in range(5)]
    (line,) = table(("a", "b"), ["money.rate"], runs).splitlines()[1:2]
    (few,) = table(("a", "b"), ["money.rate"], runs[:4]).splitlines()[1:2]

    assert "2.00 [2.00, 2.00]" in line
    assert line.endswith("1.5000 slower")
    assert few.endswith("1.5000")


def test_quantiles_are_interpolated():
    assert (2.5, 1.0, 4.0) == (
        median([4, 1, 3, 2]),
        quantile([4, 1, 3, 2], 0),
        quantile([4, 1, 3, 2], 1),
    )
    assert (20.0, 10.0, 0.25) == tuple(summary([10, 30, 20, 25, 15]))
