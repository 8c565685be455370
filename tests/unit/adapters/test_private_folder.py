"""Whoever needs it first: the state folder and what is above it are their owner's alone."""

from __future__ import annotations

import os

import pytest

from korad.adapters.journal_folder import lock_folder
from korad.adapters.machine import load_machine
from korad.adapters.pepper import load_pepper
from korad.adapters.private_folder import is_private, make_private_folder
from korad.adapters.tokenizer import load_encode


@pytest.mark.parametrize(
    "first",
    [
        load_encode,
        load_pepper,
        lambda state: load_machine(state / "journal"),
        lambda state: os.close(lock_folder(state / "journal" / "w00")),
    ],
    ids=["tokenizer", "pepper", "machine", "journal"],
)
def test_the_state_folder_is_private_whoever_makes_it(tmp_path, monkeypatch, first):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")  # the tokenizer's is undone with it
    state = tmp_path / "above" / "state"

    first(state)

    modes = [path.stat().st_mode & 0o777 for path in (state, state.parent)]
    assert modes == [0o700, 0o700]
    assert all(is_private(path) for path in state.rglob("*") if path.is_dir())


def test_a_folder_that_is_there_stays_as_it_is_and_is_told_apart(tmp_path):
    wide = tmp_path / "wide"
    wide.mkdir()
    wide.chmod(0o750)

    make_private_folder(wide)

    assert wide.stat().st_mode & 0o777 == 0o750
    assert not is_private(wide)
