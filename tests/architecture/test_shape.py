"""The house's measures: files and functions stay small, every file says what it is for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import korad

HOUSE = Path(korad.__file__).parent
FILES = sorted(HOUSE.rglob("*.py"))
LINES_MAX = 300
FUNCTION_LINES_MAX = 50
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff"}

# Exceptions with their reason. One that is no longer needed fails the test that keeps it.
LONG_FILES = {
    "exchange.py": "one state machine, all of it in one place",
    "web/relay.py": "one state machine, all of it in one place",
}
LONG_FUNCTIONS = {
    "app.py:__init__": "the composition root is the list of all parts",
    "billing/event_writer.py:event": "the fields of an event, in their order",
}


def name(file: Path) -> str:
    return file.relative_to(HOUSE).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def test_no_file_is_too_long_but_the_exceptions():
    long = {name(file) for file in FILES if len(file.read_text().splitlines()) > LINES_MAX}

    assert set(LONG_FILES) == long


def test_no_function_is_too_long_but_the_exceptions():
    long = {
        f"{name(file)}:{node.name}"
        for file in FILES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    }

    assert set(LONG_FUNCTIONS) == long


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_file_says_what_it_is_for_and_is_no_drawer(file):
    assert ast.get_docstring(tree(file))
    assert file.stem not in DRAWERS


@pytest.mark.parametrize("file", [f for f in FILES if f.name == "__init__.py"], ids=name)
def test_a_door_holds_no_logic(file):
    simple = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)

    assert [] == [node for node in tree(file).body if not isinstance(node, simple)]


def test_every_folder_of_code_has_a_door():
    folders = {file.parent for file in FILES}

    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()
