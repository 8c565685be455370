"""The pepper: made once, whoever comes first, and never half."""

from __future__ import annotations

import multiprocessing
import stat

import pytest

from korad.adapters.pepper import PEPPER_FILE, PepperError, load_pepper, load_pepper_for
from korad.config import load_settings


def put_pepper(state_dir, start, answers):
    start.wait()
    answers.put(load_pepper(state_dir))


def test_it_is_made_once_and_stays(tmp_path):
    pepper = load_pepper(tmp_path)

    assert len(pepper) == 32
    assert pepper == load_pepper(tmp_path)
    assert pepper != load_pepper(tmp_path / "other")


def test_it_is_the_owners_alone_and_leaves_no_draft(tmp_path):
    folder = tmp_path / "state"
    load_pepper(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / PEPPER_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [PEPPER_FILE]


def test_processes_that_start_together_get_the_same_one(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=put_pepper, args=(tmp_path / "state", start, answers))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    peppers = {answers.get() for _ in processes}
    for process in processes:
        process.join()

    assert peppers == {load_pepper(tmp_path / "state")}


def test_one_that_another_process_makes_meanwhile_wins(tmp_path, monkeypatch):
    winner = b"w" * 32

    def write_first(_size):
        (tmp_path / PEPPER_FILE).write_bytes(winner)
        return b"l" * 32

    monkeypatch.setattr("korad.adapters.pepper.secrets.token_bytes", write_first)

    assert winner == load_pepper(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [PEPPER_FILE]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_one_is_refused_and_kept(tmp_path, content):
    (tmp_path / PEPPER_FILE).write_bytes(content)
    with pytest.raises(PepperError, match="32 bytes"):
        load_pepper(tmp_path)

    assert (tmp_path / PEPPER_FILE).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(PepperError, match="pepper"):
        load_pepper(tmp_path / "file")


HEX = "0f" * 32


@pytest.fixture
def settings(tmp_path):
    def make(pepper):
        environ = {"KORAD_STATE_DIR": str(tmp_path / "state")}
        return load_settings(None, environ, overrides={"keys.pepper": pepper})

    return make


def test_the_pepper_of_the_settings_is_the_state_folders_without_a_reference(settings, tmp_path):
    assert load_pepper_for(settings(None), {}) == load_pepper(tmp_path / "state")


@pytest.mark.parametrize("held", [b"r" * 32, b"0F" * 32, b"0f" * 32 + b"\n"])
def test_a_pepper_in_a_file_is_raw_or_hex(settings, tmp_path, held):
    path = tmp_path / "shared"
    path.write_bytes(held)
    expected = held if len(held) == 32 else bytes.fromhex(HEX)

    assert load_pepper_for(settings(f"file:{path}"), {}) == expected


def test_a_pepper_in_the_environment_is_hex(settings):
    assert load_pepper_for(settings("env:PEPPER"), {"PEPPER": HEX}) == bytes.fromhex(HEX)


@pytest.mark.parametrize("value", ["", "0f" * 31, "0f" * 33, "zz" * 32])
def test_a_pepper_that_is_none_is_told_and_not_repeated(settings, value):
    with pytest.raises(PepperError, match="PEPPER") as told:
        load_pepper_for(settings("env:PEPPER"), {"PEPPER": value})

    assert not value or value not in str(told.value)


def test_a_pepper_file_that_is_none_is_told(settings, tmp_path):
    (tmp_path / "long").write_bytes(b"0" * 1000)
    for name in ("missing", "long"):
        with pytest.raises(PepperError, match=name):
            load_pepper_for(settings(f"file:{tmp_path / name}"), {})


def test_a_pepper_itself_is_no_reference(settings):
    with pytest.raises(PepperError) as told:
        load_pepper_for(settings(HEX), {})

    assert HEX not in str(told.value)
