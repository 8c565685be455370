"""`bench load` from its command line to its files: a korad of its own, a stand-in, real sockets."""

from __future__ import annotations

import argparse
import os
import socket

import msgspec
import orjson
import pytest

from bench.__main__ import main
from bench.load.command import add_arguments
from bench.load.demo import UPSTREAM_KEY
from bench.load.options import command_words, parse_cpus
from bench.load.result import METRICS, SCHEMA_VERSION, Result
from bench.load.scenarios import built_in
from bench.load.stand_in_process import StandIn

SHORT = ("--duration", "1", "--warmup", "0.2", "--blocks", "1")


def read(folder):
    return msgspec.json.decode((folder / "result.json").read_bytes(), type=Result, strict=True)


@pytest.fixture
def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def test_the_demo_measures_a_korad_and_what_is_behind_it(tmp_path, capsys):
    checks = ("--check", "errors==0", "--check", "korad:requests_per_s<=1")

    code = main(
        ["load", "steady", "--demo", "--rate", "40", *SHORT, *checks, "--out", str(tmp_path)]
    )

    printed = capsys.readouterr().out
    result = read(tmp_path)
    assert code in (1, 2), printed
    assert result.schema_version == SCHEMA_VERSION
    assert [target.name for target in result.targets] == ["direct", "korad"]
    for target in result.targets:
        assert target.total.ok == target.total.started > 20
        assert target.total.errors == {}
        assert {"e2e", "overhead", "lag"} <= set(target.total.histograms) <= set(METRICS)
    direct, korad = result.targets
    assert direct.total.resources is None
    assert korad.total.resources is not None
    assert korad.total.resources.pss_mib_max > 10
    assert [(check.target, check.text) for check in result.checks] == [
        ("direct", "errors==0"),
        ("korad", "errors==0"),
        ("korad", "korad:requests_per_s<=1"),
    ]
    assert not result.checks[2].passed
    assert {(ratio.target, ratio.baseline) for ratio in result.ratios} == {("korad", "direct")}
    assert "korad" in printed
    assert str(tmp_path / "report.html") in printed
    for name in ("result.json", "report.html"):
        written = (tmp_path / name).read_text()
        assert UPSTREAM_KEY not in written
        assert "sk-bf-" not in written


def test_any_endpoint_can_be_measured_with_prompts_of_ones_own(tmp_path, capsys):
    data = tmp_path / "talk.jsonl"
    lines = [{"messages": [{"role": "user", "content": f"Question {at}"}]} for at in range(5)]
    data.write_bytes(b"\n".join(map(orjson.dumps, lines)) + b"\n{broken")
    with StandIn() as provider:
        code = main(
            [
                "load", "aborts", "-t", f"mine={provider.url}", "--key", "sk-mine",
                "--stand-in", provider.url, "--data", str(data), "--rate", "40", *SHORT,
                "--out", str(tmp_path),
            ]
        )  # fmt: skip

    told = capsys.readouterr()
    result = read(tmp_path)
    (mine,) = result.targets
    assert code in (0, 2), told.out
    assert "5 conversations; left out 1: 1 x no JSON" in told.err
    assert (mine.total.errors, result.ratios, result.checks) == ({}, [], [])
    assert mine.total.left > 0
    assert mine.total.ok + mine.total.left == mine.total.started
    assert mine.total.chunks > 0
    assert result.scenario["prompts"]["kind"] == "openai_jsonl"
    assert "sk-mine" not in (tmp_path / "result.json").read_text()


def test_a_target_that_does_not_answer_is_no_result(tmp_path, closed_port):
    target = f"gone=http://127.0.0.1:{closed_port}/v1"

    code = main(["load", "steady", "-t", target, "--rate", "20", *SHORT, "--out", str(tmp_path)])

    assert code == 2
    assert set(read(tmp_path).targets[0].total.errors) == {"refused"}


WRONG = [
    (["load", "--demo"], "name a scenario"),
    (["load", "nosuch", "--demo"], "no scenario 'nosuch'"),
    (["load", "steady"], "name a target"),
    (["load", "steady", "--demo", "-t", "a=http://x/v1"], "--demo brings its own targets"),
    (["load", "steady", "-t", "a=x"], "not a URL"),
    (["load", "steady", "-t", "a=http://nosuch.invalid/v1"], "a: nosuch.invalid: "),
    (["load", "steady", "--demo", "--check", "b:errors==0"], "no target 'b'"),
    (["load", "steady", "--demo", "--check", "nosuch==0"], "no figure 'nosuch'"),
    (["load", "steady", "--demo", "--blocks", "0"], "--blocks: must be at least 1"),
    (["load", "steady", "--demo", "--data", "/nonexistent"], "/nonexistent"),
    (["load", "steady", "--demo", "--rate", "-1"], "command line: stages"),
    (["load", "saturation", "--demo", "--rate", "1"], "a closed loop"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_what_makes_no_sense_is_told_before_anything_is_started(words, told, capsys):
    assert main(words) == 2
    assert told in capsys.readouterr().err


def test_the_scenarios_are_listed_with_their_summaries(capsys):
    assert main(["load", "--list"]) == 0

    listed = capsys.readouterr().out
    for scenario in built_in():
        assert f"\n{scenario.name} " in f"\n{listed}"
        assert scenario.summary in listed


def test_the_schema_is_that_of_the_result(capsys):
    assert main(["load", "--schema"]) == 0

    schema = orjson.loads(capsys.readouterr().out)
    assert set(schema["$defs"]["Result"]["properties"]) == set(Result.__struct_fields__)


def test_the_command_that_is_told_holds_no_secrets():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(
        ["steady", "-t", "a=http://x/v1", "--key", "a=sk-secret", "--header", "a=X-Key:sk-secret",
         "--rate", "5", "--cpus", str(min(os.sched_getaffinity(0)))]
    )  # fmt: skip

    told = command_words(args)

    assert told.startswith("bench load steady -t a=http://x/v1 --header 'a=X-Key:***' --rate 5.0")
    assert "secret" not in told


@pytest.mark.parametrize("text", ["", "x", "-1", "99999", "0,,1"])
def test_cores_that_are_none_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="cores here are"):
        parse_cpus(text)
