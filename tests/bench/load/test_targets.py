"""What the command line says about targets is understood or refused."""

from __future__ import annotations

import os

import pytest

from bench.load.plan import Target
from bench.load.targets import DEFAULT_KEY, DEFAULT_MODEL, TargetError, parse_targets


def test_targets_keep_their_order_and_get_what_is_theirs_or_everybodys():
    mine = os.getpid()

    found = parse_targets(
        ["direct=http://127.0.0.1:9000/v1/", "korad=https://x:1/v1"],
        keys=["sk-all", "korad=sk-bf-a=b"],
        models=["korad=openai/gpt-4o-mini"],
        process_ids=[f"korad={mine}"],
        headers=["korad=X-Team: a:b", "korad=X-Odd:"],
    )

    assert found == [
        Target(name="direct", url="http://127.0.0.1:9000/v1", key="sk-all", model=DEFAULT_MODEL),
        Target(
            name="korad", url="https://x:1/v1", key="sk-bf-a=b", model="openai/gpt-4o-mini",
            process_id=mine, headers={"X-Team": "a:b", "X-Odd": ""},
        ),
    ]  # fmt: skip


def test_a_bare_url_is_named_by_host_and_port():
    (target,) = parse_targets(["http://127.0.0.1:9000/v1"])

    assert (target.name, target.key) == ("127.0.0.1:9000", DEFAULT_KEY)


def test_keys_may_come_from_a_file_or_a_variable(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("sk-of-the-file\n")
    monkeypatch.setenv("BENCH_TEST_KEY", "sk-of-the-variable")

    first, second = parse_targets(
        ["a=http://x/v1", "b=http://y/v1"],
        keys=[f"a=file:{tmp_path / 'key'}", "env:BENCH_TEST_KEY"],
    )

    assert (first.key, second.key) == ("sk-of-the-file", "sk-of-the-variable")


WRONG = [
    ({"targets": ["korad=127.0.0.1:8000"]}, "not a URL"),
    ({"targets": ["korad=ftp://x/v1"]}, "not a URL"),
    ({"targets": ["korad=http://x:99999/v1"]}, "-t korad="),
    ({"targets": ["korad=http://me:secret@x/v1"]}, "no user"),
    ({"targets": ["korad=http://x/v1?a=1"]}, "no user, query"),
    ({"targets": ["=http://x/v1"]}, "needs a name"),
    ({"targets": ["a=http://x/v1", "a=http://y/v1"]}, "there is a target a already"),
    ({"keys": ["one", "two"]}, "--key: two values"),
    ({"keys": ["env:BENCH_NO_SUCH_VARIABLE"]}, "--key: BENCH_NO_SUCH_VARIABLE|--key: environment"),
    ({"process_ids": ["12"]}, "--pid 12: say whose"),
    ({"process_ids": ["a=x"]}, "no such process"),
    ({"process_ids": ["a=999999999"]}, "no such process"),
    ({"headers": ["X-Team:a"]}, "not NAME=HEADER:VALUE"),
    ({"headers": ["b=X-Team:a"]}, "not NAME=HEADER:VALUE"),
    ({"headers": ["a=X-Team"]}, "not NAME=HEADER:VALUE"),
    ({"headers": ["a=X-Team:a\r\nX-Evil:b"]}, "control character"),
    ({"headers": ["a=authorization: x"]}, "set by the client"),
]


@pytest.mark.parametrize(("options", "words"), WRONG, ids=[str(each) for each, _ in WRONG])
def test_what_makes_no_sense_is_refused(options, words):
    with pytest.raises(TargetError, match=words):
        parse_targets(**({"targets": ["a=http://x/v1"]} | options))


def test_no_message_tells_a_key():
    for options in (
        {"keys": ["sk-secret", "sk-other"]},
        {"headers": ["a=Authorization:sk-secret"]},
    ):
        with pytest.raises(TargetError) as raised:
            parse_targets(["a=http://x/v1"], **options)

        assert "sk-" not in str(raised.value)
    with pytest.raises(TargetError) as raised:
        parse_targets(["a=http://me:sk-secret@x/v1"])

    assert "sk-" not in str(raised.value)
