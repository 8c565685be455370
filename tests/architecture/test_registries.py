"""What can be configured exists, and what exists can be reached."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import korad
from korad.adapters.tokenizer import ENCODING
from korad.config import LEVELS
from korad.config.known_providers import KNOWN_PROVIDERS
from korad.domain.upstream import Dialect
from korad.optimizer import LEVELS as OPTIMIZER_LEVELS
from korad.optimizer.transforms import REFERENCES, TRANSFORMS
from korad.providers import AnthropicDialect, CapabilityTable, OpenAIDialect

HOUSE = Path(korad.__file__).parent
TABLE = CapabilityTable.parse((HOUSE / "data" / "anthropic_models.toml").read_text())
CODECS = {
    Dialect.OPENAI: OpenAIDialect(),
    Dialect.ANTHROPIC: AnthropicDialect(TABLE, now_s=lambda: 0),
}


def test_every_dialect_has_a_codec():
    assert set(CODECS) == set(Dialect)


@pytest.mark.parametrize("codec", CODECS.values())
def test_a_codec_says_where_and_how_it_is_called(codec):
    assert codec.path.startswith("/")
    assert not codec.path.endswith("/")
    assert all(isinstance(text, str) for header in codec.headers for text in header)


def test_every_module_of_the_providers_is_reached_from_a_dialect():
    folder = HOUSE / "providers"
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    seen: set[str] = set()
    waiting = [dialect.value for dialect in Dialect]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for node in ast.walk(ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "korad.providers":
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                package, _, name = node.module.rpartition(".")
                waiting += [name] if package == "korad.providers" else []

    assert modules == seen


def test_every_transform_is_in_the_chain_and_has_a_name_of_its_own():
    folder = HOUSE / "optimizer" / "transforms"
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    given = (*(each.apply for each in TRANSFORMS), *(each.refer for each in REFERENCES))
    names = [each.name for each in (*TRANSFORMS, *REFERENCES)]

    assert modules == {function.__module__.rpartition(".")[2] for function in given}
    assert len(set(names)) == len(names)


def test_every_known_provider_speaks_a_known_dialect():
    assert {known.dialect for known in KNOWN_PROVIDERS} <= set(CODECS)


def test_configuration_and_optimizer_name_the_same_levels():
    assert tuple(LEVELS) == tuple(OPTIMIZER_LEVELS)


@pytest.mark.parametrize(
    "name", ["prices.json", "anthropic_models.toml", f"{ENCODING}.tiktoken.gz"]
)
def test_the_files_korad_carries_are_there(name):
    assert (HOUSE / "data" / name).stat().st_size > 0
