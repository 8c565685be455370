"""The pages tell the truth: their tables and lists are compared with the code."""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest

from bench.__main__ import VERBS as BENCH_VERBS
from bench.drills.catalogue import DRILLS
from bench.load.scenarios import built_in
from korad.cli.keys import add_parser as add_keys_parser
from korad.cli.main import VERBS
from korad.config.known_providers import KNOWN_PROVIDERS, key_variable
from korad.config.scalars import SCALARS
from korad.config.settings import CacheSettings, ServerSettings
from korad.domain.upstream import Provider, Timeouts
from korad.providers.anthropic import IGNORED, REFUSED
from korad.web.cross_origin import EXPOSED_HEADERS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
BENCH = (ROOT / "bench" / "README.md").read_text()
ARCHITECTURE_LINES_MAX = 195

# Position of the code, and either the status itself or its position, in each maker of errors.
MAKERS = {
    "_limited": (1, 429),
    "authentication_error": (1, 401),
    "permission_error": (1, 403),
    "upstream_error": (2, None),
    "server_error": (2, None),
}
STATUS_400 = {"invalid_request", "unsupported_parameter", "invalid_messages"}


def rows(heading: str, page: str = README) -> list[list[str]]:
    """Return the cells of the first table under a heading of a page, without its head."""
    section = page.partition(f"# {heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None, heading
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table[0].splitlines()
    ][2:]


def _last_table(heading: str) -> list[list[str]]:
    section = BENCH.partition(f"# {heading}\n")[2]
    last = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[-1]
    return [line.strip("|").split(" | ") for line in last.splitlines()][2:]


def names_in(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def listed(word: str) -> list[str]:
    paragraph = re.search(rf"^{word}: (.*?)\.\n", README, re.MULTILINE | re.DOTALL)
    assert paragraph is not None, word
    return names_in(paragraph[1])


def raised_errors() -> dict[str, set[int]]:
    """Return every code that korad writes out as an error's, with the statuses written beside."""
    found: dict[str, set[int]] = {}
    for path in (ROOT / "korad").rglob("*.py"):
        # The simulator's errors are those of the providers it stands for; the admin API has a
        # document of its own.
        if {"simulator", "admin"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (error := _error_of(node)) is not None:
                code, status = error
                found.setdefault(code, set()).update({status} if status else ())
    return found


def _error_of(call: ast.Call) -> tuple[str, int | None] | None:
    name = getattr(call.func, "id", "")
    first = _constant(call.args[0]) if call.args else None
    status = first if isinstance(first, int) else None
    place, fixed = MAKERS.get(name, (None, None))
    if place is not None and len(call.args) > place:
        code = _constant(call.args[place])
    else:
        code = next((_constant(word.value) for word in call.keywords if word.arg == "code"), None)
    if not isinstance(code, str):
        return None
    return code, 400 if name in STATUS_400 else fixed or status


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def test_the_error_table_holds_every_code_that_korad_raises_and_no_other():
    documented = [names_in(row[2])[0] for row in rows("Errors")]

    assert sorted(raised_errors()) == sorted(documented)


def test_the_error_table_tells_the_status_of_every_code():
    documented = {
        names_in(row[2])[0]: {int(s) for s in row[0].split(", ")} for row in rows("Errors")
    }

    for code, statuses in raised_errors().items():
        assert statuses <= documented[code], code


def test_the_refused_parameters_are_those_of_the_code():
    assert sorted(REFUSED) == listed("Refused")


def test_the_ignored_parameters_are_those_of_the_code():
    assert sorted(IGNORED) == listed("Ignored")


def test_the_command_table_holds_every_verb():
    subparsers = argparse.ArgumentParser().add_subparsers()
    add_keys_parser(subparsers)
    (keys,) = subparsers.choices["keys"]._subparsers._group_actions
    verbs = {verb.name for verb in VERBS} - {"keys"} | {f"keys {verb}" for verb in keys.choices}

    assert verbs == {names_in(row[0])[0].removeprefix("korad ") for row in rows("Command line")}


def test_the_table_of_scripts_holds_every_script_and_every_verb_of_the_bench():
    scripts = {f"scripts/{path.name}" for path in (ROOT / "scripts").iterdir() if path.is_file()}
    verbs = {f"scripts/bench {verb}" for verb in BENCH_VERBS}

    documented = [names_in(row[0])[0] for row in rows("Development")]

    assert sorted(scripts - {"scripts/bench"} | verbs) == sorted(documented)


@pytest.mark.parametrize("page", [README, ARCHITECTURE], ids=["readme", "architecture"])
def test_a_page_names_every_room_of_the_bench(page):
    rooms = {path.parent.name for path in (ROOT / "bench").glob("*/__init__.py")}

    assert [room for room in sorted(rooms) if not re.search(rf"\b{room}\b", page)] == []


def test_the_tree_names_every_room_of_korad():
    tree = README.partition("```text\nkorad/exchange.py")[2].partition("```")[0]
    rooms = {path.name for path in (ROOT / "korad").iterdir() if path.name[0] not in "_."}

    assert [room for room in sorted(rooms - {"exchange.py", "py.typed"}) if room not in tree] == []


def test_the_page_of_the_bench_tells_every_verb_scenario_and_drill():
    verbs = [name for row in rows("bench: what korad does, measured", BENCH) for name in row[:1]]
    scenarios = [name for row in rows("Scenarios", BENCH) for name in names_in(row[0])]
    drills = [names_in(row[0])[0] for row in _last_table("The drills")]

    assert sorted(names_in(" ".join(verbs))) == sorted(BENCH_VERBS)
    assert sorted(scenarios) == sorted(scenario.name for scenario in built_in())
    assert drills == [drill.name for drill in DRILLS]


def test_the_provider_table_is_that_of_the_code():
    documented = [
        (names_in(name)[0], (names_in(key) or [None])[0], names_in(address)[0], dialect)
        for name, key, address, dialect in rows("Providers")
    ]

    assert [
        (
            known.name,
            None if known.local else key_variable(known.name),
            known.base_url or "AZURE_BASE_URL",
            known.dialect.value,
        )
        for known in KNOWN_PROVIDERS
    ] == documented


def test_pages_of_another_origin_may_read_every_response_header_of_the_table():
    documented = {name.lower() for row in rows("Response headers") for name in names_in(row[0])}

    assert documented - {"x-ratelimit-*"} <= {name.lower() for name in EXPOSED_HEADERS}


def test_the_table_of_limits_tells_the_defaults():
    defaults = {f"server.{field.name}": field.default for field in fields(ServerSettings)}
    defaults |= {f"cache.{field.name}": field.default for field in fields(CacheSettings)}
    timeouts = Timeouts()
    row = "providers.NAME"
    defaults |= {
        f"{row}.connect_timeout_s": timeouts.connect_s,
        f"{row}.first_byte_timeout_s": timeouts.first_byte_s,
        f"{row}.idle_timeout_s": timeouts.idle_s,
        f"{row}.connections_max": signature(Provider).parameters["connections_max"].default,
    }

    for name, default, _ in rows("Limits and timeouts"):
        assert str(defaults[names_in(name)[0]]) == default, name


def test_every_limit_of_the_server_and_the_cache_is_in_the_table_of_limits():
    documented = {names_in(row[0])[0] for row in rows("Limits and timeouts")}

    for scalar in SCALARS:
        if scalar.section in {"server", "cache"} and scalar.key.endswith(("_s", "_max")):
            assert scalar.name in documented


def test_the_short_variables_are_those_of_the_code():
    documented = re.search(r"Shorter: (.*?)\. An empty", README, re.DOTALL)
    assert documented is not None

    shortest = {scalar.variables[-1] for scalar in SCALARS if scalar.short or not scalar.section}

    assert shortest == set(names_in(documented[1]))


def test_the_sample_holds_every_section_of_the_settings():
    text = re.sub(r"^#(?=[^ \n])", "", (ROOT / "korad.sample.toml").read_text(), flags=re.MULTILINE)
    sample = tomllib.loads(text)

    for scalar in SCALARS:
        assert scalar.key in (sample[scalar.section] if scalar.section else sample)


@pytest.mark.parametrize("page", [README, ARCHITECTURE], ids=["readme", "architecture"])
def test_every_file_that_a_page_names_exists(page):
    named = re.findall(r"(?<![\w/.])((?:korad/|scripts/)?[\w/]+\.(?:py|toml|json))\b", page)
    # These are the reader's own, made by him or by korad.
    named = [name for name in named if name not in {"korad.toml", "/admin/v1/openapi.json"}]

    assert named
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "korad" / name).exists(), name


def test_the_architecture_page_stays_short():
    assert ARCHITECTURE_LINES_MAX >= len(ARCHITECTURE.splitlines())
