"""Old tool results are masked in epochs, and the bill never rises by it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from korad.optimizer.masking import KEPT_RESULTS, LEAST_RESULT_CHARS, MASK_NOTE, Sent, mask


def loop(seed: int, steps: int, mean_chars: int) -> list[Sent]:
    """Return an agent's loop of `steps` calls, with results of random length."""
    chance = Random(seed)
    messages = [
        Sent(role="system", text_chars=chance.randrange(200, 20_000)),
        Sent(role="user", text_chars=300),
    ]
    for _ in range(steps):
        messages.append(Sent(role="assistant", text_chars=chance.randrange(40, 400)))
        for _ in range(chance.choice((1, 1, 2))):
            chars = int(chance.expovariate(1 / mean_chars))
            messages.append(Sent(role="tool", text_chars=chars))
    return messages


def calls_of(messages: Sequence[Sent]) -> list[list[Sent]]:
    """Return the history of each call that a conversation made."""
    return [
        list(messages[:end])
        for end in range(1, len(messages) + 1)
        if end == len(messages) or messages[end].role == "assistant"
    ]


def bill(calls: Sequence[Sequence[tuple[str, int]]], read: float, write: float) -> float:
    """Return what `calls` cost where the longest common prefix with the last is read from cache."""
    total, before = 0.0, []
    for call in calls:
        common = 0
        for one, other in zip(before, call, strict=False):
            if one != other:
                break
            common += one[1]
        total += read * common + write * (sum(chars for _, chars in call) - common)
        before = list(call)
    return total


def sent(messages: Sequence[Sent], masked: frozenset[int]) -> list[tuple[str, int]]:
    return [
        ("note", len(MASK_NOTE)) if at in masked else (f"{at}", message.text_chars)
        for at, message in enumerate(messages)
    ]


def test_a_long_loop_loses_its_old_results() -> None:
    masked = mask(loop(1, 120, 8_000))

    assert len(masked) > 50


def test_a_short_loop_loses_nothing() -> None:
    assert frozenset() == mask(loop(1, 12, 1_500))


def test_no_messages_need_no_mask() -> None:
    assert frozenset() == mask([])


@pytest.mark.parametrize("seed", range(8))
def test_only_old_and_long_tool_results_are_masked(seed: int) -> None:
    messages = loop(seed, 100, 6_000)
    results = [at for at, message in enumerate(messages) if message.role == "tool"]
    masked = mask(messages)

    assert masked <= set(results[:-KEPT_RESULTS])
    assert all(messages[at].text_chars >= LEAST_RESULT_CHARS for at in masked)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_masked_once_stays_masked(seed: int) -> None:
    before: frozenset[int] = frozenset()
    epochs = 0
    calls = calls_of(loop(seed, 80, 9_000))
    for call in calls:
        masked = mask(call)
        epochs += masked != before

        assert before <= masked
        before = masked
    assert 0 < epochs < len(calls) / 3


@pytest.mark.parametrize(("read", "write"), [(0.1, 1.25), (0.1, 1.0), (0.5, 1.0)])
@pytest.mark.parametrize("mean_chars", [800, 4_000, 16_000])
def test_the_bill_never_rises_wherever_the_loop_ends(
    mean_chars: int, read: float, write: float
) -> None:
    calls = calls_of(loop(mean_chars, 60, mean_chars))
    plain = [sent(call, frozenset()) for call in calls]
    shorter = [sent(call, mask(call)) for call in calls]

    assert all(
        bill(shorter[:end], read, write) <= bill(plain[:end], read, write)
        for end in range(1, len(calls) + 1)
    )


def test_chat_without_tools_is_never_masked() -> None:
    turns = [
        Sent(role=role, text_chars=50_000) for _ in range(40) for role in ("user", "assistant")
    ]

    assert frozenset() == mask(turns)
