"""The chain of transforms."""

from __future__ import annotations

import pytest

from korad.optimizer import LEVELS, PASSTHROUGH, Chain
from korad.wire.openai import parse_chat_request


@pytest.mark.parametrize("level", LEVELS)
def test_an_empty_chain_changes_nothing_at_any_level(level):
    request = parse_chat_request(b'{"model":"a/b","messages":[{"role":"user","content":"hi"}]}')

    assert Chain().run(request, level) is None


def test_a_pass_through_has_the_documented_name():
    assert PASSTHROUGH == "Passthrough (no optimization needed)"
