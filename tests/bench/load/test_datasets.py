"""Data sets are read as they are found in the wild, and what is left out is told."""

from __future__ import annotations

import orjson
import pytest

from bench.load.datasets import DatasetError, kind_of, read_dataset
from bench.load.plan import Prompts

ASKED = {"role": "user", "content": "Where?"}
ANSWERED = {"role": "assistant", "content": "Here."}
RULES = {"role": "system", "content": "Be kind."}


def jsonl(tmp_path, *entries):
    lines = [entry if isinstance(entry, bytes) else orjson.dumps(entry) for entry in entries]
    (tmp_path / "data").write_bytes(b"\n".join(lines))
    return read_dataset(Prompts(kind="openai_jsonl", path="data"), tmp_path)


def sharegpt(tmp_path, *entries):
    (tmp_path / "data").write_bytes(orjson.dumps(list(entries)))
    return read_dataset(Prompts(kind="sharegpt", path="data"), tmp_path)


def talk(*turns):
    return {"id": "x", "conversations": [{"from": who, "value": what} for who, what in turns]}


def test_jsonl_keeps_messages_and_drops_the_answer_at_the_end(tmp_path):
    dataset = jsonl(tmp_path, {"messages": [RULES, ASKED, ANSWERED]}, b"", {"messages": [ASKED]})

    assert dataset.conversations == [[RULES, ASKED], [ASKED]]
    assert dataset.bad == {}
    assert dataset.words == "2 conversations"


def test_jsonl_keeps_members_it_does_not_know(tmp_path):
    tool = {"role": "tool", "tool_call_id": "call_1", "content": "[]", "odd": 1}

    assert jsonl(tmp_path, {"messages": [ASKED, tool]}).conversations == [[ASKED, tool]]


def test_bad_lines_are_counted_by_reason(tmp_path):
    dataset = jsonl(
        tmp_path,
        {"messages": [ASKED]},
        b"{broken",
        b"[1]",
        {"prompt": "x"},
        {"messages": [{"role": "oracle", "content": "x"}]},
        {"messages": [RULES, ANSWERED]},
        {"messages": []},
    )

    assert len(dataset.conversations) == 1
    assert dataset.bad == {
        "no JSON": 1,
        "no messages": 2,
        "a message without a known role": 1,
        "nothing to answer": 2,
    }
    assert "left out 6" in dataset.words
    assert "1 x no JSON" in dataset.words


def test_sharegpt_speakers_become_roles(tmp_path):
    dataset = sharegpt(
        tmp_path,
        talk(("system", "Be kind."), ("human", "Where?"), ("gpt", "Here."), ("human", "Where?")),
        talk(("user", "Where?"), ("chatgpt", "Here.")),
    )

    assert dataset.conversations == [[RULES, ASKED, ANSWERED, ASKED], [ASKED]]


def test_bad_sharegpt_conversations_are_counted_by_reason(tmp_path):
    dataset = sharegpt(
        tmp_path,
        talk(("human", "Where?")),
        talk(("gpt", "I begin.")),
        talk(("narrator", "Once.")),
        {"conversations": [{"from": "human", "value": None}]},
        {"conversations": ["x"]},
        {"items": []},
        7,
    )

    assert len(dataset.conversations) == 1
    assert dataset.bad == {
        "nothing to answer": 1,
        "an unknown speaker": 2,
        "a turn without text": 1,
        "no conversations": 2,
    }


def test_a_byte_order_mark_does_no_harm(tmp_path):
    assert jsonl(tmp_path, b"\xef\xbb\xbf" + orjson.dumps({"messages": [ASKED]})).conversations == [
        [ASKED]
    ]


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("openai_jsonl", b"", "nothing to send: 0 conversations"),
        ("openai_jsonl", b"{}\n{}", "nothing to send.* 2 x no messages"),
        ("sharegpt", b"[", "no JSON"),
        ("sharegpt", b"{}", "a JSON list"),
        ("sharegpt", b"[]", "nothing to send"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_refused(tmp_path, kind, content, words):
    (tmp_path / "data").write_bytes(content)

    with pytest.raises(DatasetError, match=words):
        read_dataset(Prompts(kind=kind, path="data"), tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nosuch"):
        read_dataset(Prompts(kind="sharegpt", path="nosuch"), tmp_path)
    with pytest.raises(DatasetError, match="nosuch"):
        kind_of(tmp_path / "nosuch")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"messages": []}', "openai_jsonl"),
        (b'[{"conversations": []}]', "sharegpt"),
        (b"\xef\xbb\xbf \n[", "sharegpt"),
        (b"", "openai_jsonl"),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_beginning(tmp_path, content, kind):
    (tmp_path / "data").write_bytes(content)

    assert kind_of(tmp_path / "data") == kind
