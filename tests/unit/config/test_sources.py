"""Where settings come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from korad.config.problems import ConfigError, Problems
from korad.config.sources import (
    default_state_dir,
    expand_folder,
    find_config_file,
    read_document,
    read_environment,
)


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/home/a"}, "/home/a/.local/state/korad"),
        ("linux", {"HOME": "/home/a", "XDG_STATE_HOME": "/state"}, "/state/korad"),
        ("linux", {"HOME": "/home/a", "XDG_STATE_HOME": "state"}, "/home/a/.local/state/korad"),
        ("darwin", {"HOME": "/Users/a"}, "/Users/a/Library/Application Support/korad"),
        ("win32", {"LOCALAPPDATA": "/c/local"}, "/c/local/korad"),
        ("win32", {"USERPROFILE": "/c/a"}, "/c/a/AppData/Local/korad"),
    ],
)
def test_the_state_folder_is_the_platforms(platform, environ, expected):
    assert Path(expected) == default_state_dir(environ, platform)


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home():
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_home)

    with pytest.raises(ConfigError, match="set KORAD_STATE_DIR"):
        default_state_dir({}, "linux")


def test_a_folder_may_be_absolute_relative_or_in_the_users_home():
    environ = {"HOME": "/home/a"}

    assert Path("/x") == expand_folder("/x", environ, Path("/base"))
    assert Path("/base/x") == expand_folder("x", environ, Path("/base"))
    assert Path("/home/a/x") == expand_folder("~/x", environ, Path("/base"))
    assert Path.cwd() / "x" == expand_folder("x", environ, Path())


def test_the_file_is_looked_for_in_order(tmp_path, monkeypatch):
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    monkeypatch.chdir(tmp_path)

    assert (None, "") == find_config_file(None, {}, state_dir)

    (state_dir / "korad.toml").touch()

    assert (state_dir / "korad.toml", "") == find_config_file(None, {}, state_dir)

    (tmp_path / "korad.toml").touch()

    assert (Path("korad.toml"), "") == find_config_file(None, {}, state_dir)

    environ = {"KORAD_CONFIG": "/there.toml"}

    assert (Path("/there.toml"), "KORAD_CONFIG") == find_config_file(None, environ, state_dir)
    assert (Path("/here.toml"), "--config") == find_config_file(
        Path("/here.toml"), environ, state_dir
    )


def test_an_empty_variable_names_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert (None, "") == find_config_file(None, {"KORAD_CONFIG": " "}, tmp_path)


def problem_of(path: Path, named_by: str = "") -> str:
    problems = Problems()

    assert {} == read_document(path, named_by, problems)

    with pytest.raises(ConfigError) as caught:
        problems.raise_any()
    return str(caught.value)


def test_a_file_that_is_not_there_names_who_named_it(tmp_path):
    path = tmp_path / "korad.toml"

    assert (
        f"{path} (named by KORAD_CONFIG) cannot be read: No such file or directory"
        == problem_of(path, "KORAD_CONFIG")
    )


def test_a_folder_is_no_file(tmp_path):
    assert "cannot be read: Is a directory" in problem_of(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "is not UTF-8 text"),
        (b"[server", "is not TOML: Expected ']'"),
        (b"port = 1\nport = 2", "is not TOML: Cannot overwrite a value"),
        (b"port = " + b"9" * 5000, "is not TOML"),
        (b"a = 1e99999999999999999999", "is not TOML"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
    ],
)
def test_a_file_that_is_not_toml_says_so(tmp_path, content, reason):
    path = tmp_path / "korad.toml"
    path.write_bytes(content)

    assert f"{path} {reason}" in problem_of(path)


def test_a_byte_order_mark_does_not_matter(tmp_path):
    path = tmp_path / "korad.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1")

    assert {"a": 1} == read_document(path, "", Problems())


def test_the_environment_is_a_copy(monkeypatch):
    monkeypatch.setenv("KORAD_PORT", "1")
    environ = read_environment()
    monkeypatch.setenv("KORAD_PORT", "2")

    assert "1" == environ["KORAD_PORT"]
