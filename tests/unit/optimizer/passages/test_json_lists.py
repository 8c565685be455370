"""Search results in JSON are thinned out and stay JSON; records, messages and code stay whole."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import EXTREME, HIGH, MARK, MEDIUM, TOOL, USER, Block
from korad.optimizer.transforms.json_table import JSON_TABLE
from korad.optimizer.transforms.selection import SELECTION

QUESTION = "Which lighthouse did Orsolya Tarnai repair?"
GOLD = 'The lighthouse "Brevik Point" was repaired by Orsolya Tarnai after the storm.'
_WORDS = "harvest barley cellar quiet market river stone garden winter copper window letter".split()  # noqa: SIM905 - reads better
SEARCH = 'web_search {"query": "lighthouse repair"}'

Shape = Callable[[int, str], Any]


def prose(chance: Random, sentences: int = 4) -> str:
    return " ".join(
        f"The {' '.join(chance.choices(_WORDS, k=12))} of the {chance.choice(_WORDS)}."
        for _ in range(sentences)
    )


def texts(count: int = 16) -> list[str]:
    chance = Random(7)
    found = [prose(chance) for _ in range(count)]
    found[11] = f"{prose(chance, 1)}\n{GOLD} {prose(chance, 1)}"
    return found


def written(value: object) -> str:
    return orjson.dumps(value).decode()


def spaced(document: str, indent: int = 0) -> str:
    """Return a document as Python's own library writes it, with an indent or on one line."""
    return msgspec.json.format(document, indent=indent)


def escaped(document: str) -> str:
    """Return a document with an escape in the place of whatever is not ASCII."""
    return "".join(
        sign
        if sign.isascii()
        else "".join(f"\\u{unit:04x}" for unit in memoryview(sign.encode("utf-16-le")).cast("H"))
        for sign in document
    )


def listed(shape: Shape) -> str:
    return written([shape(n, text) for n, text in enumerate(texts())])


def found_by(text: str, level: int = HIGH, role: str = TOOL, **kwargs: str) -> str:
    given = {"question": QUESTION, "call": "fetch {}", **kwargs}
    return SELECTION.apply(Block(text=text, role=role, level=level, **given))


RESULTS: dict[str, Shape] = {
    "title and text": lambda n, text: {"title": f"Part {n}", "text": text},
    "web": lambda n, text: {"title": f"Part {n}", "url": f"https://a.example/{n}", "snippet": text},
    "scored": lambda n, text: {"id": n, "content": text, "score": 0.9 - n / 100},
    "library": lambda n, text: {"page_content": text, "metadata": {"source": f"{n}.md", "page": n}},
    "nested": lambda n, text: {"document": {"name": f"{n}", "content": text}, "distance": n / 10},
}
DOCUMENTS: dict[str, Callable[[Shape], str]] = {
    "compact": listed,
    "on one line": lambda shape: spaced(listed(shape)),
    "pretty": lambda shape: spaced(listed(shape), 2),
    "results": lambda shape: (
        f'{{"query": "x y", "results": {listed(shape)}, "count": 16, "took": 0.5}}'
    ),
    "accents": lambda shape: listed(shape).replace("cellar", "çéllar"),
    "escapes": lambda shape: escaped(listed(shape).replace("cellar", "çéllar")),
}


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("shape", RESULTS)
def test_results_in_json_are_chosen_from_and_stay_json(
    shape: str, document: str, level: int
) -> None:
    text = DOCUMENTS[document](RESULTS[shape])
    shorter = found_by(text, level)
    after = orjson.loads(shorter)
    elements = after["results"] if document == "results" else after
    objects = [one for one in elements if isinstance(one, dict)]

    assert len(shorter) < len(text) * (0.75 if level == HIGH else 0.5)
    assert GOLD in "\n".join(map(str, _strings(after)))
    assert objects
    assert {frozenset(one) for one in objects} == {frozenset(RESULTS[shape](0, ""))}
    assert all(one.startswith(MARK) for one in elements if isinstance(one, str))
    assert document != "results" or after["count"] == 16


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    return [value] if isinstance(value, str) else []


def test_at_high_the_elements_that_stay_are_verbatim_and_the_notes_count_the_others() -> None:
    before = orjson.loads(listed(RESULTS["web"]))
    after = orjson.loads(found_by(listed(RESULTS["web"])))
    kept = [one for one in after if isinstance(one, dict)]
    dropped = sum(int(one.split()[1]) for one in after if isinstance(one, str))

    assert kept == [one for one in before if one in kept]
    assert len(kept) + dropped == 16


TABLED: dict[str, Shape] = {
    "flat": lambda n, text: {
        "title": f"Part {n}",
        "published_date": "2026-01-02",
        "language": "en",
        "relevance_score": n / 100,
        "content": text,
    },
    "nested": lambda n, text: {
        "document": {"document_name": f"{n}", "page_number": n, "page_content": text},
        "relevance_score": n / 10,
        "chunk_index": n,
    },
}


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("shape", TABLED)
def test_results_that_became_a_table_are_chosen_from_too(shape: str, level: int) -> None:
    chance = Random(5)
    passages = [prose(chance, 2)[:150] for _ in range(60)]
    passages[31] = f"{GOLD} The barley of the river was not asked, and the cellar was too cold."
    text = written([TABLED[shape](n, one) for n, one in enumerate(passages)])
    table = JSON_TABLE.apply(Block(text=text, role=TOOL, level=MEDIUM))
    shorter = found_by(table, level)

    assert table.startswith(MARK)
    assert len(shorter) < len(table) * (0.75 if level == HIGH else 0.5)
    assert written(GOLD)[1:-1] in shorter
    assert '"[korad: ' in shorter


@pytest.mark.parametrize("level", [HIGH, EXTREME])
def test_a_result_a_line_stays_so(level: int) -> None:
    text = "\n".join(written(RESULTS["web"](n, one)) for n, one in enumerate(texts()))
    lines = list(map(orjson.loads, found_by(text, level).split("\n")))

    assert GOLD in "\n".join(_strings(lines))
    assert sum(map(len, map(str, lines))) < len(text) * 0.75


@pytest.mark.parametrize("level", [HIGH, EXTREME])
def test_a_list_of_strings_is_one_of_passages_where_something_says_so(level: int) -> None:
    text = written(texts())

    assert GOLD in "\n".join(orjson.loads(found_by(text, level, call=SEARCH)))
    assert len(found_by(text, level, call=SEARCH)) < len(text) * 0.75
    assert len(found_by(f'{{"documents": [{text}]}}', level)) < len(text) * 0.75
    assert found_by(text, level) is text


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("around", ["Use this:\n{}\n\nQuestion: {}", "Context: {} \n{}\n"])
def test_what_a_user_says_around_json_stays(around: str, level: int) -> None:
    document = spaced(listed(RESULTS["web"]), 1)
    head, tail = around.format("\0", QUESTION).split("\0")
    shorter = found_by(f"{head}{document}{tail}", level, USER, question="", call="")

    assert shorter.startswith(head)
    assert shorter.endswith(tail)
    assert GOLD in "\n".join(_strings(orjson.loads(shorter[len(head) : -len(tail)])))
    assert len(shorter) < len(document) * 0.75


def test_json_in_a_fence_is_chosen_from_by_the_words_around_it() -> None:
    text = spaced(listed(RESULTS["web"]), 2)

    words = f"What I found:\n```json\n\n```\n{QUESTION}"

    assert len(found_by(text, role=USER, fence="json", call="", question=words)) < len(text) * 0.75
    assert found_by(text, role=USER, fence="python", call="") is text


RECORDS: dict[str, Shape] = {
    "orders": lambda n, text: {"order_id": n, "total": n * 3, "note": text, "url": "x"},
    "tickets": lambda n, text: {"id": n, "title": "t", "description": text, "status": "open"},
    "issues": lambda n, text: {"title": "t", "body": text, "url": "x", "state": f"{n}"},
    "reviews": lambda n, text: {"title": "t", "text": text, "rating": n},
    "mails": lambda n, text: {"from": f"{n}", "subject": "b", "url": "x", "body": text},
    "messages": lambda n, text: {"role": "user", "content": text, "rank": n},
    "segments": lambda n, text: {"start": n, "end": n + 1, "text": text, "source": "x"},
    "pairs": lambda n, text: {"question": f"{n}", "answer": text, "source": "x"},
    "examples": lambda n, text: {"text": text, "label": "good", "page": n},
    "products": lambda n, text: {"name": f"{n}", "description": text, "url": "x", "price": 3},
    "rules": lambda n, text: {"pattern": f"{n}", "text": text},
    "no source": lambda n, text: {"id": n, "text": text},
    "other members": lambda n, text: {"text": text, "url": "x", "colour": "red", "weight": n},
    "schema": lambda n, text: {"title": f"{n}", "description": text, "properties": {}},
    "rows": lambda n, text: {"title": f"{n}", "url": "x", "score": n, "text": text[:20], "a": [n]},
}


SEARCHED = RECORDS.keys() - {"other members", "no source", "rules"}
"""Records also where a search returned them: it may say more of a document than others do."""


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize(
    ("shape", "call"),
    [*((one, "fetch {}") for one in RECORDS), *((one, SEARCH) for one in sorted(SEARCHED))],
)
def test_records_stay_whole(shape: str, call: str, level: int) -> None:
    text = f"[{', '.join(listed(RECORDS[shape])[1:-1] for _ in range(3))}]"

    assert found_by(text, level, call=call) is text


def _dialogue(n: int, text: str) -> dict[str, str]:
    lines = [f"{('Ana', 'Bo')[at % 2]}: {text[at * 40 : at * 40 + 40]}" for at in range(6)]
    return {"title": f"Part {n}", "url": "x", "text": "\n".join(lines)}


def _code(n: int, text: str) -> dict[str, str]:
    line = f"if x[{n}] == {{'{text[:9]}'}}:\n    return {{}}; y = f(x);\n"
    return {"title": f"{n}.py", "url": "x", "text": line * 8}


@pytest.mark.parametrize("shape", [_dialogue, _code])
def test_dialogue_and_code_in_strings_stay(shape: Shape) -> None:
    text = listed(shape)

    assert found_by(text, call=SEARCH) is text


def test_dates_stay_where_the_question_is_about_them() -> None:
    text = listed(lambda n, text: {**RESULTS["web"](n, text), "date": f"2026-01-{n + 1:02}"})

    assert found_by(text, question="What is the latest news of the lighthouse?") is text
    assert len(found_by(text)) < len(text)


@pytest.mark.parametrize(
    "question",
    [
        "Summarize the results.",
        "List all captains.",
        "How many results are there?",
        "What does the third result say of the lighthouse?",
        "What does result 7 say of the lighthouse?",
        "Which lighthouse has a missing address?",
        "Write Python that parses this list of lighthouses.",
        "",
    ],
)
def test_questions_about_all_results_leave_json_alone(question: str) -> None:
    text = listed(RESULTS["web"])

    assert found_by(text, EXTREME, question=question) is text


@pytest.mark.parametrize(
    "text",
    [
        listed(RESULTS["web"])[:-1],
        listed(RESULTS["web"]).replace('"url"', "'url'"),
        written({f"{n}": RESULTS["web"](n, one) for n, one in enumerate(texts())}),
        written({"title": "x", "url": "x", "text": " ".join(texts())}),
        written([RESULTS["web"](n, one * 5) for n, one in enumerate(texts(12)[9:])]),
        '["' * 4_000,
        "[" * 4_000 + '"' + prose(Random(1), 30) + '"' + "]" * 4_000,
    ],
    ids=["cut short", "no JSON", "object", "one document", "three", "open", "deep"],
)
def test_what_is_no_array_of_four_stays(text: str) -> None:
    assert found_by(text, EXTREME) is text


def test_words_with_escaped_letters_are_found() -> None:
    asked = "Wer hat das größte Straßenschild in Mühlhäusern übermalt?"
    gold = "Das größte Straßenschild in Mühlhäusern übermalte Frau Köß."
    passages = [
        f"{one} {gold if n == 13 else 'Das Schild der Straße.'}" for n, one in enumerate(texts())
    ]
    text = escaped(written([RESULTS["web"](n, one) for n, one in enumerate(passages)]))

    assert gold in "\n".join(_strings(orjson.loads(found_by(text, EXTREME, question=asked))))


@given(
    strings=st.lists(st.text(max_size=120), min_size=4, max_size=10),
    level=st.sampled_from([HIGH, EXTREME]),
    write=st.sampled_from([str, escaped, spaced]),
)
@settings(max_examples=80, deadline=None)
def test_whatever_the_strings_hold_the_result_is_json(
    strings: list[str], level: int, write: Callable[[str], str]
) -> None:
    chance = Random(3)
    results = [
        {"title": one[:9], "text": f"{prose(chance)} {one}. {prose(chance, 2)}", "url": one}
        for one in strings * 2
    ]
    text = write(written(results))
    after = orjson.loads(
        found_by(text, level, question="Who has the barley cellar? Copper window.")
    )
    kept = [one for one in after if isinstance(one, dict)]

    if level == HIGH:
        assert all(one in results for one in kept)
    else:
        assert {(one["title"], one["url"]) for one in kept} <= {
            (one["title"], one["url"]) for one in results
        }
