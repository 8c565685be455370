"""Prices from USD, and money as text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from korad.domain.money import (
    divide_half_even,
    format_margin,
    format_usd,
    new_price,
    pico_usd_per_token,
    price_from_usd_per_mtok,
)


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (0, "$0.000000"),
        (57_000, "$0.000057"),
        (500, "$0.000000"),
        (501, "$0.000001"),
        (1_500, "$0.000002"),
        (2_500, "$0.000002"),
        (-500, "$0.000000"),
        (-1_000, "-$0.000001"),
        (-1_500, "-$0.000002"),
        (999_999_500, "$1.000000"),
        (1_234_567_891_000, "$1234.567891"),
    ],
)
def test_an_amount_shows_six_decimals_rounded_half_even(nano_usd, text):
    assert text == format_usd(nano_usd)


@pytest.mark.parametrize(
    ("margin_bp", "text"),
    [
        (15_000, "1.50x"),
        (10_000, "1.00x"),
        (0, "0.00x"),
        (10_050, "1.00x"),
        (10_150, "1.02x"),
        (123_456, "12.35x"),
    ],
)
def test_a_margin_shows_two_decimals_rounded_half_even(margin_bp, text):
    assert text == format_margin(margin_bp)


@pytest.mark.parametrize(
    ("dividend", "quotient"), [(5, 0), (15, 2), (25, 2), (26, 3), (-5, 0), (-15, -2), (-16, -2)]
)
def test_division_rounds_ties_to_even_on_both_sides_of_zero(dividend, quotient):
    assert quotient == divide_half_even(dividend, 10)


@pytest.mark.parametrize("usd", [0.15, "0.15", Decimal("0.15"), " 0.150 "])
def test_a_price_means_the_decimal_number_it_is_written_as(usd):
    assert pico_usd_per_token(usd, "input") == 150_000


def test_whole_dollars_and_free_classes_are_prices():
    price = price_from_usd_per_mtok({"input": 2, "output": "2.00", "cached_input": 0})

    assert (
        price.input_pico_usd,
        price.output_pico_usd,
        price.cached_input_pico_usd,
        price.cache_write_pico_usd,
    ) == (2_000_000, 2_000_000, 0, None)


@pytest.mark.parametrize(
    "usd",
    [
        "free",
        None,
        True,
        -1,
        "-0.000001",
        float("nan"),
        float("inf"),
        "0.0000001",
        "1e-999999",
        "1e999999",
        "0.0000010000000000000000000000000000000001",
        1_000_001,
    ],
)
def test_a_price_that_pico_usd_cannot_hold_is_refused_by_name(usd):
    with pytest.raises(ValueError, match="'cached_input'"):
        price_from_usd_per_mtok({"input": 1, "output": 1, "cached_input": usd})


@pytest.mark.parametrize("row", [{"input": 1}, {"output": 1}, {}])
def test_a_price_needs_input_and_output(row):
    with pytest.raises(ValueError, match="without"):
        price_from_usd_per_mtok(row)


def test_an_unknown_class_is_refused_by_name():
    with pytest.raises(ValueError, match="'outptu'"):
        price_from_usd_per_mtok({"input": 1, "output": 1, "outptu": 1})


def test_equal_rows_have_equal_ids_and_any_difference_shows():
    row = {"input": 1, "output": 2}
    same = {"output": 2, "input": 1}
    cached = {**row, "cached_input": 1}
    written = {**row, "cache_write": 1}
    plain = new_price(row)
    flex = new_price(row, service_tiers=(("flex", new_price(same)),))
    ids = [new_price(cached).price_id, new_price(written).price_id, flex.price_id, plain.price_id]

    assert plain.price_id == new_price(same).price_id
    assert len(set(ids)) == 4
    assert all(len(i) == 14 and i.startswith("p_") for i in ids)
