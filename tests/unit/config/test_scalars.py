"""What plain settings may be."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

import pytest

from korad.config.kinds import Choice, Flag, Margin, Seconds, Text, WholeNumber
from korad.config.scalars import SCALARS
from korad.config.settings import (
    BillingSettings,
    CacheSettings,
    OptimizerSettings,
    ServerSettings,
)

NUMBER = WholeNumber(least=1, most=9)
CHOICE = Choice(words=("off", "low"))


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (Text(), " a ", "a"),
        (NUMBER, 1, 1),
        (NUMBER, 9, 9),
        (Seconds(), 30, 30.0),
        (Seconds(), Decimal("0.5"), 0.5),
        (Seconds(), 0.5, 0.5),
        (Seconds(zero_allowed=True), 0, 0.0),
        (Flag(), True, True),
        (Flag(), False, False),
        (CHOICE, "LOW", "low"),
        (Margin(), Decimal("1.5"), 15_000),
        (Margin(), Decimal("1.1"), 11_000),
        (Margin(), "1.50", 15_000),
        (Margin(), "1.2345", 12_345),
        (Margin(), 2, 20_000),
        (Margin(), 0, 0),
        (Margin(), 100, 1_000_000),
        (Margin(), "1e1", 100_000),
    ],
)
def test_a_value_of_the_file_is_read(kind, raw, expected):
    assert expected == kind.read(raw)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (Text(), ""),
        (Text(), "  "),
        (Text(), 1),
        (NUMBER, 0),
        (NUMBER, 10),
        (NUMBER, "5"),
        (NUMBER, Decimal("5.0")),
        (NUMBER, True),
        (Seconds(), 0),
        (Seconds(), -1),
        (Seconds(), "30"),
        (Seconds(), True),
        (Seconds(), Decimal("nan")),
        (Seconds(), Decimal("inf")),
        (Seconds(), 10**400),
        (Seconds(zero_allowed=True), Decimal("-0.1")),
        (Flag(), 1),
        (Flag(), "true"),
        (CHOICE, "high"),
        (CHOICE, 1),
        (Margin(), -1),
        (Margin(), Decimal("-0.0001")),
        (Margin(), Decimal("100.0001")),
        (Margin(), "1.23456"),
        (Margin(), "1.50000000000000000000000000000000000001"),
        (Margin(), "1e-999999"),
        (Margin(), True),
        (Margin(), "nan"),
        (Margin(), "inf"),
        (Margin(), "1,5"),
        (Margin(), [1]),
    ],
)
def test_a_wrong_value_of_the_file_is_refused(kind, raw):
    with pytest.raises(ValueError, match=r".") as caught:
        kind.read(raw)

    assert kind.allowed == str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Text(), "a", "a"),
        (NUMBER, " 5 ", 5),
        (Seconds(), "0.5", 0.5),
        (Flag(), "Yes", True),
        (Flag(), "1", True),
        (Flag(), "off", False),
        (Flag(), "FALSE", False),
        (CHOICE, "Low", "low"),
        (Margin(), " 1.5 ", 15_000),
    ],
)
def test_a_text_is_read(kind, text, expected):
    assert expected == kind.read_text(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (NUMBER, "five"),
        (NUMBER, "5.0"),
        (Seconds(), "nan"),
        (Seconds(), "soon"),
        (Flag(), "maybe"),
        (CHOICE, "high"),
        (Margin(), "half"),
    ],
)
def test_a_wrong_text_is_refused(kind, text):
    with pytest.raises(ValueError, match=r"."):
        kind.read_text(text)


@pytest.mark.parametrize(
    ("section", "record"),
    [
        ("server", ServerSettings),
        ("billing", BillingSettings),
        ("optimizer", OptimizerSettings),
        ("cache", CacheSettings),
    ],
)
def test_every_attribute_of_a_record_has_a_setting(section, record):
    settings = [scalar.field or scalar.key for scalar in SCALARS if scalar.section == section]

    assert [field.name for field in fields(record)] == settings


def test_no_two_settings_share_a_variable():
    variables = [variable for scalar in SCALARS for variable in scalar.variables]

    assert sorted(set(variables)) == sorted(variables)


def test_names_follow_the_rule():
    scalars = {scalar.name: scalar for scalar in SCALARS}

    assert ("KORAD_SERVER_BODY_BYTES_MAX",) == scalars["server.body_bytes_max"].variables
    assert ("KORAD_SERVER_PORT", "KORAD_PORT") == scalars["server.port"].variables
    assert "KORAD_SAVINGS_LEVEL" in scalars["optimizer.default_level"].variables
    assert ("KORAD_STATE_DIR",) == scalars["state_dir"].variables
    assert "--savings-level" == scalars["optimizer.default_level"].option
    assert "--state-dir" == scalars["state_dir"].option
