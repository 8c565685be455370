"""Plain settings from file, environment and command line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from korad.config.problems import ConfigError, Problems
from korad.config.scalar_reader import ScalarReader
from korad.config.scalars import SCALARS

EMPTY = {scalar.section: {} for scalar in SCALARS if scalar.section}
FILE = Path("/etc/korad.toml")


def read(*, given=None, environ=None, top=None, **sections):
    problems = Problems()
    reader = ScalarReader(given or {}, environ or {}, file=FILE, problems=problems)
    scalars = reader.read_all(top or {}, EMPTY | sections)
    problems.raise_any()
    return scalars


def problems_of(**places):
    with pytest.raises(ConfigError) as caught:
        read(**places)
    return caught.value.problems


def test_what_nobody_gave_is_left_to_the_defaults():
    scalars = read()

    assert {} == scalars.top
    assert EMPTY == scalars.sections


def test_the_command_line_beats_the_environment_and_that_the_file():
    server = {"port": 1, "host": "file", "workers": 3}
    environ = {"KORAD_PORT": "2", "KORAD_SERVER_HOST": "variable"}

    assert {"port": 3, "host": "variable", "workers": 3} == read(
        server=server, environ=environ, given={"server.port": "3"}
    ).sections["server"]


@pytest.mark.parametrize("raw", ["8085", 8085])
def test_the_command_line_gives_text_or_values(raw):
    assert {"port": 8085} == read(given={"server.port": raw}).sections["server"]


def test_zero_and_false_count_as_given():
    environ = {"KORAD_SERVER_METRICS": "true", "KORAD_PORT": "1"}
    given = {"server.metrics": False, "server.port": 0}

    assert {"metrics": False, "port": 0} == read(given=given, environ=environ).sections["server"]


def test_an_empty_variable_counts_as_unset():
    assert {"port": 1} == read(server={"port": 1}, environ={"KORAD_PORT": " "}).sections["server"]


def test_the_margin_becomes_basis_points():
    assert {"margin_bp": 15_000} == read(billing={"margin": Decimal("1.5")}).sections["billing"]
    assert {"margin_bp": 11_000} == read(environ={"KORAD_MARGIN": "1.1"}).sections["billing"]


def test_a_state_folder_starts_where_it_was_named():
    environ = {"HOME": "/home/a"}

    assert {"state_dir": Path("/etc/state")} == read(top={"state_dir": "state"}).top
    assert {"state_dir": Path("/home/a/state")} == read(
        top={"state_dir": "~/state"}, environ=environ
    ).top
    assert {"state_dir": Path.cwd() / "state"} == read(environ={"KORAD_STATE_DIR": "state"}).top


def test_both_names_of_a_setting_may_be_set_if_they_agree():
    environ = {"KORAD_PORT": "1", "KORAD_SERVER_PORT": "1"}

    assert {"port": 1} == read(environ=environ).sections["server"]
    assert ("KORAD_SERVER_PORT and KORAD_PORT are the same setting, but differ",) == problems_of(
        environ=environ | {"KORAD_PORT": "2"}
    )


def test_each_place_is_named_in_its_own_words():
    allowed = "must be a whole number from 0 to 65535"

    assert (
        f"/etc/korad.toml: [server] port {allowed}",
        f"KORAD_PORT {allowed}",
        f"--port {allowed}",
        "KORAD_SAVINGS_LEVEL must be one of off, low, medium, high, extreme",
    ) == problems_of(
        server={"port": "1"},
        environ={"KORAD_PORT": "x", "KORAD_SAVINGS_LEVEL": "max"},
        given={"server.port": "y"},
    )


def test_a_setting_at_the_top_of_the_file_has_no_section():
    assert ("/etc/korad.toml: state_dir must be a folder",) == problems_of(top={"state_dir": 1})


def test_an_unknown_key_is_told_with_its_section():
    assert (
        '/etc/korad.toml: [billing] "margn" is not known; did you mean "margin"?',
    ) == problems_of(billing={"margn": 1})


def test_an_unknown_override_is_told():
    assert ('the override "server.prot" is not known; did you mean "server.port"?',) == problems_of(
        given={"server.prot": 1}
    )
