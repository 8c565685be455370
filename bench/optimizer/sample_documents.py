"""Questions over many documents, one of which (or two) holds the answer."""

from __future__ import annotations

from random import Random

from bench.optimizer.conversation import Conversation, Facts
from bench.optimizer.sample_words import name, paragraph, single, system, user

_TASK = "Answer from the given documents only."


def one_answer(random: Random) -> Conversation:
    """Return a question whose answer stands in one document among others on the same matter."""
    town, person = name(random, 4), f"{name(random)} {name(random)}"
    gold = f"{paragraph(random, 2)} The harbour of {town} was planned by {person} in 1902."
    others = [
        f"{paragraph(random, 2)} The harbour of {name(random, 4)} has {random.randrange(3, 40)} "
        f"piers. {paragraph(random, 3)}"
        for _ in range(random.randrange(9, 20))
    ]
    question = f"Who planned the harbour of {town}?"
    must = Facts(answers=[[person]])
    return single("rag/one_answer", _messages(random, [gold, *others], question), must)


def two_hops(random: Random) -> Conversation:
    """Return a question that needs two documents: one names what the other tells about."""
    sensor, park, person = name(random), name(random, 4), f"{name(random)} {name(random)}"
    first = f"The {sensor} sensor is mounted in {park} Park. {paragraph(random, 3)}"
    second = f"{paragraph(random, 3)} {park} Park has been led by {person} since 2009."
    others = [
        f"The {name(random)} sensor is mounted in {name(random, 4)} Park. {paragraph(random, 4)}"
        for _ in range(random.randrange(8, 16))
    ]
    question = f"Who leads the park where the {sensor} sensor is mounted?"
    must = Facts(answers=[[person]], needles=[f"The {sensor} sensor is mounted in {park} Park"])
    return single("rag/two_hops", _messages(random, [first, second, *others], question), must)


def _messages(random: Random, documents: list[str], question: str) -> list[dict[str, str]]:
    random.shuffle(documents)
    text = "\n\n".join(
        f"Document [{at}](Title: {name(random)}) {document}"
        for at, document in enumerate(documents, 1)
    )
    return [system(_TASK), user(f"{text}\n\nQuestion: {question}")]


KINDS = {"rag/one_answer": one_answer, "rag/two_hops": two_hops}
