"""Problems of a configuration, told at once."""

from __future__ import annotations

import pytest

from korad.config.problems import ConfigError, Problems, suggestion


def test_one_problem_is_the_whole_message():
    assert "port is wrong" == str(ConfigError(["port is wrong"]))


def test_several_problems_are_a_list():
    error = ConfigError(["port is wrong", "host is wrong"])

    assert ("port is wrong", "host is wrong") == error.problems
    assert "2 problems in the configuration:\n  - port is wrong\n  - host is wrong" == str(error)


def test_nothing_is_raised_without_a_problem():
    problems = Problems()
    problems.raise_any()

    problems.unknown("korad.toml: [server]", "prot", ["port", "host"])
    with pytest.raises(ConfigError) as caught:
        problems.raise_any()

    assert 'korad.toml: [server] "prot" is not known; did you mean "port"?' == str(caught.value)


def test_a_name_near_to_nothing_gets_the_whole_list():
    assert "known: host, port" == suggestion("zzz", ["port", "host"])
