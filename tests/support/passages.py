"""Prose that answers no question, to hide an answer in."""

from __future__ import annotations

from random import Random

QUESTION = "Which lighthouse did Orsolya Tarnai repair?"
GOLD = "The lighthouse of Brevik Point was repaired by Orsolya Tarnai after the storm."
WORDS = "harvest barley cellar quiet market river stone garden winter copper window letter".split()  # noqa: SIM905 - reads better


def filler(chance: Random, sentences: int = 5) -> str:
    """Return prose that has nothing to do with the question."""
    return " ".join(
        f"The {' '.join(chance.choices(WORDS, k=12))} of the {chance.choice(WORDS)}."
        for _ in range(sentences)
    )
