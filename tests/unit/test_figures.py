"""What an exchange used and what that costs: reported where the report is final, else counted."""

from __future__ import annotations

import msgspec
import pytest

from korad.domain.generated import Generated
from korad.domain.usage import Usage, UsageSource
from korad.figures import Figures
from korad.providers.base import Completion
from korad.wire.openai import parse_chat_request
from tests.support.rooms import some_rooms

MODEL = "openai/gpt-4o"
REQUEST = parse_chat_request(
    msgspec.json.encode({"model": MODEL, "messages": [{"role": "user", "content": "a b"}]})
)
COUNTED = 2 + 4 + 3
"""Two words, a message's wrapping, and the reply's."""
REPORT = Usage(prompt_tokens=10, completion_tokens=9)


class Decoder:
    """A stream that has ended, as a decoder tells of it."""

    def __init__(self, *, deltas, usage=None, finished=False, chars=1):
        self.usage, self.finished = usage, finished
        self.generated = Generated()
        self.generated.add("three words more")
        self.generated.deltas, self.generated.spaces = deltas, 0
        self.generated.chars = chars * deltas


def figures_of(rooms=None, **fields):
    rooms = rooms or some_rooms()
    given = {"margin_bp": 15_000, "learns_sizes": False, **fields}
    return Figures(rooms, rooms.destination(MODEL), REQUEST, **given)


def test_a_final_report_is_billed_as_it_is():
    figures = figures_of()
    figures.take(Completion(body=b"", usage=REPORT))
    charge = figures.rate()

    assert figures.usage is REPORT
    assert (38_000, 57_000) == (charge.cost_nano_usd, charge.billed_nano_usd)
    assert (10, 10, 0) == (
        figures.original_tokens,
        figures.optimized_tokens,
        figures.savings_nano_usd,
    )


def test_an_answer_without_a_report_is_counted():
    figures = figures_of()
    figures.take(Completion(body=b"", usage=None, text="three words more"))
    assert figures.needs_count
    figures.count()
    figures.rate()

    assert figures.usage == Usage(
        prompt_tokens=COUNTED, completion_tokens=3, source=UsageSource.COUNTED
    )


def test_a_cut_stream_is_billed_by_its_deltas_where_each_is_a_token():
    figures = figures_of()
    figures.count_prompt()
    figures.end_stream(Decoder(deltas=7))
    figures.count()
    figures.rate()

    assert (COUNTED, 7) == (figures.usage.prompt_tokens, figures.usage.completion_tokens)


def test_a_cut_stream_of_long_deltas_is_billed_by_its_text():
    figures = figures_of()
    figures.count_prompt()
    figures.end_stream(Decoder(deltas=7, chars=100))
    figures.count()
    figures.rate()

    assert 3 == figures.usage.completion_tokens


@pytest.mark.parametrize("tokens", [40, 200])
def test_how_a_model_streams_is_learnt_from_whole_answers(tokens):
    rooms = some_rooms()
    usage = Usage(prompt_tokens=10, completion_tokens=tokens)
    first = figures_of(rooms)
    first.begin_stream(Generated())
    assert first.deltas_are_tokens is None
    first.end_stream(Decoder(deltas=40, usage=usage, finished=True))
    first.rate()
    second, generated = figures_of(rooms), Generated()
    second.begin_stream(generated)

    assert second.deltas_are_tokens is (tokens == 40)
    assert generated.is_kept is (tokens != 40)


def test_a_stream_of_which_no_text_was_kept_is_billed_by_its_deltas_whatever_was_learnt_since():
    rooms = some_rooms()
    whole = Usage(prompt_tokens=10, completion_tokens=40)
    rooms.deltas.learn("gpt-4o", 40, whole)
    figures, decoder = figures_of(rooms), Decoder(deltas=7, chars=100)
    figures.count_prompt()
    figures.begin_stream(decoder.generated)
    rooms.deltas.learn("gpt-4o", 20, whole)
    figures.end_stream(decoder)
    figures.count()
    figures.rate()

    assert 7 == figures.usage.completion_tokens


@pytest.mark.parametrize("learns", [False, True])
def test_only_where_it_is_of_use_the_length_of_answers_is_learnt(learns):
    rooms = some_rooms()
    before = rooms.completion_sizes.expected("gpt-4o")
    for _ in range(20):
        figures = figures_of(rooms, learns_sizes=learns)
        figures.take(Completion(body=b"", usage=REPORT))
        figures.rate()

    assert learns == (rooms.completion_sizes.expected("gpt-4o") != before)


def test_what_a_head_told_stays_told_unless_a_report_comes():
    figures = figures_of()
    figures.count_prompt()
    figures.note_prompt(figures.counted_prompt)
    assert b"X-Korad-Original-Tokens: 9\r\n" in figures.lines(b"x")
    figures.end_stream(Decoder(deltas=1, usage=REPORT, finished=True))
    figures.rate()

    assert 10 == figures.original_tokens
