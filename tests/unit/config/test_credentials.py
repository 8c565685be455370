"""References to credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from korad.config.credentials import (
    CREDENTIAL_BYTES_MAX,
    referenced_variable,
    resolve_credential,
)


def test_a_variable_gives_its_text_without_blanks_around():
    credential = resolve_credential("env:TEAM_KEY", {"TEAM_KEY": " sk-1\n"}, Path())

    assert "sk-1" == credential.secret.reveal()
    assert "environment variable TEAM_KEY" == credential.source


@pytest.mark.parametrize("environ", [{}, {"TEAM_KEY": ""}, {"TEAM_KEY": "  "}])
def test_an_unset_or_empty_variable_is_no_credential(environ):
    assert resolve_credential("env:TEAM_KEY", environ, Path()).secret is None


def test_a_file_is_looked_for_beside_the_configuration(tmp_path):
    (tmp_path / "key").write_text("sk-1\n")

    credential = resolve_credential("file:key", {}, tmp_path)

    assert "sk-1" == credential.secret.reveal()
    assert f"file {tmp_path / 'key'}" == credential.source


def test_a_file_may_be_in_the_users_home(tmp_path):
    (tmp_path / "key").write_text("sk-1")

    credential = resolve_credential("file:~/key", {"HOME": str(tmp_path)}, Path("/elsewhere"))

    assert "sk-1" == credential.secret.reveal()


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        resolve_credential("file:key", {}, tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hunter2" * CREDENTIAL_BYTES_MAX, "is larger than"),
        (b"hunter2\nhunter2", "a line end"),
        (b"hunter2 hunter2", "a blank"),
        ("hunter2é".encode(), "not ASCII"),
    ],
)
def test_a_file_without_a_usable_credential_is_an_error(tmp_path, content, reason):
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(ValueError, match=reason) as caught:
        resolve_credential("file:key", {}, tmp_path)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "reference", ["sk-hunter2", "env:", "env:hunter2 key", "env:hunter2=1", "file:", "ENV:hunter2"]
)
def test_anything_else_is_refused_as_a_literal_key_and_not_repeated(reference):
    with pytest.raises(
        ValueError, match='must be "env:NAME" or "file:PATH", not the key'
    ) as caught:
        resolve_credential(reference, {}, Path())

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "variable"), [("env:A", "A"), ("file:a", None), (None, None), (7, None)]
)
def test_only_env_references_name_a_variable(reference, variable):
    assert variable == referenced_variable(reference)
