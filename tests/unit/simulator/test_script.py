"""Tests of `korad.simulator.script`."""

from __future__ import annotations

import pytest

from korad.simulator import Fault, Script, script_from_json, with_directives


def test_directives_change_only_what_they_name():
    script = with_directives(
        Script(text="kept"),
        "fault=reset_mid_stream;after=2; tokens=100 interval_ms=20;status=529 odd=1",
    )

    assert script == Script(
        text="kept",
        fault=Fault.RESET_MID_STREAM,
        fault_after_chunks=2,
        completion_tokens=100,
        token_interval_s=0.02,
        status=529,
        odd_chunks=True,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fault=none_such", "none_such"),
        ("tokens=many", "many"),
        ("speed=9", "knows no speed"),
        ("odd=yes", "Expected 0 or 1"),
    ],
)
def test_a_directive_that_is_none_is_an_error(text, problem):
    with pytest.raises(ValueError, match=problem):
        with_directives(Script(), text)


def test_a_script_can_come_as_json():
    script = script_from_json(
        b'{"fault":"stall_before_head","tool_calls":[["f","{}"]],"latency_s":1}'
    )

    assert script == Script(fault=Fault.STALL_BEFORE_HEAD, tool_calls=[("f", "{}")], latency_s=1.0)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[]", "Expected `object`"),
        (b"{", "truncated"),
        (b'{"fault":"none_such"}', "none_such"),
        (b'{"latency_s":"1"}', "Expected `float`"),
        (b'{"speed":1}', "knows no speed"),
    ],
)
def test_json_that_is_no_script_is_an_error(body, problem):
    with pytest.raises(ValueError, match=problem):
        script_from_json(body)


def test_no_json_at_all_is_the_plain_script():
    assert Script() == script_from_json(b"")
