"""Lists as prompt templates and search tools write them are chosen from; words of a user stay."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import orjson
import pytest

from korad.optimizer import NO_CACHE_POLICY, Chain
from korad.optimizer.base import EXTREME, HIGH, MARK, TOOL, USER, Block
from korad.optimizer.passages.lists import find_passages
from korad.optimizer.transforms.selection import SELECTION
from korad.wire.openai import parse_chat_request

QUESTION = "Which lighthouse did Orsolya Tarnai repair?"
GOLD = "The lighthouse of Brevik Point was repaired by Orsolya Tarnai after the storm."
_WORDS = "harvest barley cellar quiet market river stone garden winter copper window letter".split()  # noqa: SIM905 - reads better
_TITLES = "Mills Weirs Orchards Looms Kilns Ferries Granaries Belfries Quarries Tanneries Presses Barns Inns Bridges Wharves Forges".split()  # noqa: SIM905, E501 - reads better


def prose(chance: Random, sentences: int = 4) -> str:
    return " ".join(
        f"The {' '.join(chance.choices(_WORDS, k=12))} of the {chance.choice(_WORDS)}."
        for _ in range(sentences)
    )


def listed(style: str, joint: str = "\n\n", gold_at: int = 11) -> str:
    chance = Random(7)
    texts = [prose(chance) for _ in _TITLES]
    texts[gold_at] = f"{prose(chance, 1)} {GOLD} {prose(chance, 1)}"
    return joint.join(
        style.format(n=n, title=title, line="=" * len(title), text=text, end=prose(chance, 2))
        for n, (title, text) in enumerate(zip(_TITLES, texts, strict=True), 1)
    )


PLAIN = {
    "end": "Answer from the documents below.\n\n{list}\n\nQuestion: {question}",
    "beginning": "Use the following pieces of retrieved context to answer the question. If you "
    "don't know the answer, say so.\nQuestion: {question} \nContext: {list} \nAnswer:",
    "rules": "Context information is below.\n---------------------\n{list}\n---------------------\n"
    "Given the context information and not prior knowledge, answer the query.\n"
    "Query: {question}\nAnswer: ",
    "instruction": "Context:\n{list}\n\nUsing only the context, answer: {question}",
}
NEED_A_SIGN = {
    "headings": ("## {title}\n\n{text}", "\n\n"),
    "headings of two paragraphs": ("## {title}\n{text}\n\n{end}", "\n\n"),
    "linked headings": ("### [{title}](https://example.org/{n})\n{text}", "\n\n"),
    "headings below one": ("### {title}\n{text}", "\n\n"),
    "bold titles": ("**{title}**\n{text}", "\n\n"),
    "underlined titles": ("{title}\n{line}\n{text}", "\n\n"),
    "titles in bars": ("=== {title} ===\n{text}", "\n\n"),
    "numbers": ("{n}. {title}\n   https://example.org/{n}\n   {text}", "\n\n"),
    "bullets": ("- {title} of old: {text}", "\n"),
    "rules": ("{title}\n{text}", "\n\n---\n\n"),
}
LABELLED = {
    "title and address": ("[{n}] {title} (https://example.org/{n})\n{text}", "\n\n"),
    "source and content": ("Source: {{'source': '{title}.md'}}\nContent: {text}", "\n\n"),
    "content and source": ("Content: {text}\nSource: {title}", "\n\n"),
    "printed": ("page_content='{text}' metadata={{'source': '{title}'}}", "\n\n"),
    "printed list": ("Document(metadata={{'s': '{title}'}}, page_content='{text}')", ", "),
    "bracketed": ("[snippet: {text}, title: {title}, link: https://example.org/{n}]", ", "),
    "pages": ("page_label: {n}\nfile_path: data/{title}.pdf\n\n{text}", "\n\n"),
    "context": ("[CONTEXT {n}]:\n{text}\n[END CONTEXT {n}]", "\n\n"),
    "barred labels": ("--- Document {n}: {title} ---\n{text}", "\n\n"),
    "number as a field": ("Document: {n}\ntitle: {title}\n{text}", "\n\n"),
    "search": ("Title: {title}\nDescription: {text}\nURL: https://example.org/{n}", "\n\n"),
    "tags in tags": (
        (
            '<document index="{n}">\n<source>{title}</source>\n<document_content>\n{text}'
            "\n</document_content>\n</document>"
        ),
        "\n",
    ),
    "articles": (
        '<article id="{n}">\n<title>{title}</title>\n<body>{text}</body>\n</article>',
        "\n",
    ),
}


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("template", PLAIN)
@pytest.mark.parametrize("style", [*NEED_A_SIGN, *LABELLED])
def test_lists_in_prompt_templates_are_chosen_from(style: str, template: str, level: int) -> None:
    written = listed(*{**NEED_A_SIGN, **LABELLED}[style])
    text = PLAIN[template].format(list=written, question=QUESTION)
    shorter = SELECTION.apply(Block(text=text, role=USER, level=level))
    head, tail = PLAIN[template].format(list="\0", question=QUESTION).split("\0")

    assert GOLD in shorter
    assert MARK in shorter
    assert len(shorter) < len(text) * (0.75 if level == HIGH else 0.55)
    assert shorter.startswith(head.rstrip("-\n"))
    assert shorter.endswith(tail.lstrip("-\n "))


def test_the_first_of_plain_paragraphs_may_stand_in_the_line_that_says_context() -> None:
    chance = Random(9)
    texts = [prose(chance, 14), prose(chance, 14), f"{GOLD} {prose(chance, 14)}", prose(chance, 14)]
    text = PLAIN["beginning"].format(list="\n\n".join(texts), question=QUESTION)
    found = find_passages(text, USER, "")

    assert [text[one.start : one.end] for one in found] == texts


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("style", [*NEED_A_SIGN, *LABELLED])
def test_what_a_search_returns_is_chosen_from(style: str, level: int) -> None:
    text = listed(*{**NEED_A_SIGN, **LABELLED}[style])
    block = Block(text=text, role=TOOL, level=level, question=QUESTION, call="search {}")
    shorter = SELECTION.apply(block)

    assert GOLD in shorter
    assert len(shorter) < len(text) * (0.75 if level == HIGH else 0.55)


@pytest.mark.parametrize("style", NEED_A_SIGN)
def test_parts_of_a_page_or_a_users_text_stay(style: str) -> None:
    text = listed(*NEED_A_SIGN[style])
    page = Block(text=text, role=TOOL, level=EXTREME, question=QUESTION, call="fetch {}")
    asked = Block(text=f"{text}\n\n{QUESTION}", role=USER, level=EXTREME)

    assert SELECTION.apply(page) is page.text
    assert SELECTION.apply(asked) is asked.text


@pytest.mark.parametrize(
    "text",
    [
        "# The town\n\n" + listed("## {title}\n\n{text}"),
        "## Introduction\n\nOn towns.\n\n" + listed("## {title}\n\n{text}"),
        listed("## {title}\n\n{text}\n\n### Details\n\n{end}"),
        listed("## Step {n}: {title}\n\n{text}"),
        listed("## {n}.1 {title}\n\n{text}"),
        listed("## Minutes of {title}\n\n{text}"),
        listed("## 2026-01-{n:02}\n\n{text}"),
    ],
    ids=["title", "introduction", "two levels", "steps", "sections", "minutes", "days"],
)
@pytest.mark.parametrize("level", [HIGH, EXTREME])
def test_an_article_with_headings_stays(text: str, level: int) -> None:
    block = Block(text=f"{text}\n\nQuestion: {QUESTION}", role=USER, level=level)

    assert SELECTION.apply(block) is block.text


def test_a_head_that_speaks_of_results_is_no_articles() -> None:
    text = "# Search results\n\n" + listed("## {title}\n\n{text}")
    block = Block(text=f"{text}\n\nQuestion: {QUESTION}", role=USER, level=HIGH)

    assert len(SELECTION.apply(block)) < len(text) * 0.75


def test_each_field_stays_with_its_passage_where_the_content_comes_first() -> None:
    text = listed("Content: {text}\nSource: {title}")
    block = Block(text=text, role=TOOL, level=HIGH, question=QUESTION)
    kept = [one for one in SELECTION.apply(block).split("\n\n") if MARK not in one]

    assert kept == [one for one in text.split("\n\n") if one in kept]
    assert len(kept) >= 3


def test_tags_stay_paired_where_sentences_are_cut() -> None:
    text = listed(*LABELLED["tags in tags"])
    block = Block(text=text, role=TOOL, level=EXTREME, question=QUESTION)
    shorter = SELECTION.apply(block)

    assert "[...]" in shorter
    for tag in ("document", "document_content", "source"):
        assert len(re.findall(rf"<{tag}\b", shorter)) == shorter.count(f"</{tag}>") > 0


@pytest.mark.parametrize(
    "tail",
    [
        "\n\nWhere does Orsolya Tarnai live?\n\nBe short.",
        "\n\nWhere does Orsolya Tarnai live?\n\nBe short.\n\nAnswer in German.",
        "\nWhere does Orsolya Tarnai live?",
        "\n---\nWhere does Orsolya Tarnai live?\nBe short.",
    ],
)
@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("style", ["Passage {n}:\n{text}", "Document {n}\n\n{text}\n\n{end}"])
def test_words_below_the_last_passage_stay(style: str, level: int, tail: str) -> None:
    if "\n\n" in style and not tail.startswith("\n\n"):
        tail = f"\n{tail}"
    text = f"Use the documents.\n\n{listed(style, gold_at=2)}{tail}"
    shorter = SELECTION.apply(Block(text=text, role=USER, level=level))

    assert shorter.endswith(tail)
    assert len(shorter) < len(text) * 0.8


def _sent(messages: list[dict[str, Any]], level: str) -> list[Any]:
    body = orjson.dumps({"model": "gpt-4o", "messages": messages})
    request = parse_chat_request(body)
    done = Chain(lambda text: len(text) // 4).run(request, level, NO_CACHE_POLICY)
    if done is None:
        return messages
    found: list[Any] = orjson.loads(bytes(done.request.members["messages"]))
    return found


def _parts(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]


LISTS = {
    "labels": listed("Document [{n}] {text}"),
    "brackets": listed("[{n}] {title}\n{text}"),
    "tags": listed(*LABELLED["tags in tags"]),
    "fields": listed("Title: {title}\nSource: https://example.org/{n}\n{text}"),
    "json": orjson.dumps(
        [
            {"title": title, "text": listed("{text}")[n * 99 :][:300]}
            for n, title in enumerate(_TITLES)
        ]
        + [{"title": "Points", "text": f"{GOLD} {prose(Random(2))}"}]
    ).decode(),
}


@pytest.mark.parametrize("level", ["high", "extreme"])
@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("is_first", [True, False])
def test_the_question_may_stand_in_another_part(kind: str, level: str, *, is_first: bool) -> None:
    parts = (QUESTION, LISTS[kind]) if is_first else (LISTS[kind], QUESTION)
    (message,) = _sent(_parts(*parts), level)
    after = [part["text"] for part in message["content"]]

    assert after[not is_first] == QUESTION
    assert GOLD in after[is_first]
    assert len(after[is_first]) < len(LISTS[kind]) * 0.75


@pytest.mark.parametrize("level", ["high", "extreme"])
@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "wanted", ["Summarize these documents.", "For each document, name a town."]
)
def test_an_order_in_another_part_may_want_all_of_it(kind: str, level: str, wanted: str) -> None:
    messages = _parts(LISTS[kind], wanted)

    assert _sent(messages, level) == messages


@pytest.mark.parametrize("level", ["high", "extreme"])
@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "head",
    [
        "",
        "Here are the documents about the lighthouse of Brevik:\n\n",
        "I will ask you questions about this lighthouse later. What I have so far:\n\n",
        "Which documents matter I tell you in my next message.\n\n",
    ],
)
def test_documents_of_an_earlier_message_stay(kind: str, level: str, head: str) -> None:
    earlier = {"role": "user", "content": f"{head}{LISTS[kind]}"}
    answer = {"role": "assistant", "content": "I have read them."}
    sent = _sent([earlier, answer, {"role": "user", "content": QUESTION}], level)

    assert sent[0] == earlier


@pytest.mark.parametrize("level", ["high", "extreme"])
@pytest.mark.parametrize("role", ["system", "developer"])
def test_documents_of_the_system_stay(role: str, level: str) -> None:
    system = {"role": role, "content": LISTS["labels"]}

    assert _sent([system, {"role": "user", "content": QUESTION}], level)[0] == system


def test_an_order_beside_the_question_may_want_all_of_it() -> None:
    text = f"Summarize each document, then answer.\n\n{LISTS['labels']}\n\nQuestion: {QUESTION}"
    block = Block(text=text, role=USER, level=EXTREME)

    assert SELECTION.apply(block) is text
