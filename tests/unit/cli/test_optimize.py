"""`korad optimize`."""

from __future__ import annotations

import io
from types import SimpleNamespace

import orjson
import pytest

from korad.cli import main, optimize

ROWS = orjson.dumps(
    [{"id": n, "name": f"row {n}"} for n in range(60)], option=orjson.OPT_INDENT_2
).decode()
REQUEST = {
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": f"Which is the third?\n```json\n{ROWS}\n```"}],
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the verb on a request in an empty home; return exit code, output and errors."""
    environ = {"HOME": str(tmp_path), "OPENAI_API_KEY": "sk-upstream"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: environ)
    monkeypatch.setattr(optimize, "load_encode", lambda _: lambda text: [0] * (len(text) // 3))

    def run(body, *options):
        (tmp_path / "request.json").write_bytes(body)
        code = main(["optimize", "request.json", *options])
        return code, *capsys.readouterr()

    return run


def test_tokens_and_dollars_are_told_per_transform(run):
    code, output, _ = run(orjson.dumps(REQUEST))
    lines = output.splitlines()

    assert code == 0
    assert lines[0] == "level     medium"
    assert lines[1] == "strategy  JSON minify + Table (medium)"
    assert [line.split("  ")[0] for line in lines[4:]] == [
        "original",
        "JSON minify",
        "Table",
        "sent",
    ]
    assert "$0.00" in lines[-1]


def test_the_diff_shows_both_texts(run):
    _, output, _ = run(orjson.dumps(REQUEST), "--level", "low", "--diff")

    assert "--- message 0 (user) as it came" in output
    assert '-    "name": "row 59"' in output
    assert "+[{" in output


def test_json_holds_the_request_as_it_would_be_sent(run):
    _, output, _ = run(orjson.dumps(REQUEST), "--json", "--level", "low")
    told = orjson.loads(output)
    (message,) = told["request"]["messages"]

    assert told["optimized_tokens"] < told["original_tokens"]
    assert [step["name"] for step in told["transforms"]] == ["JSON minify"]
    assert told["savings_nano_usd"] == told["transforms"][0]["savings_nano_usd"] > 0
    assert message["content"] == told["changes"][0]["after"]
    assert told["request"]["model"] == "openai/gpt-4o"


def test_a_model_without_a_price_is_told_in_tokens(run):
    code, output, _ = run(orjson.dumps({**REQUEST, "model": "nobody/knows"}))

    assert code == 0
    assert "no known price" in output
    assert "$" not in output


@pytest.mark.usefixtures("run")
def test_a_request_can_come_on_standard_input(monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO(orjson.dumps(REQUEST)))
    monkeypatch.setattr("sys.stdin", stdin)

    assert main(["optimize", "-"]) == 0


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model":"a/b"}', b"\xff"])
def test_what_is_no_request_is_refused(run, body):
    code, output, errors = run(body)

    assert (code, output) == (1, "")
    assert errors.startswith("korad optimize: ")


@pytest.mark.usefixtures("run")
def test_a_file_that_is_not_there_is_named(capsys):
    for file, why in (("nowhere.json", "No such file or directory"), (".", "Is a directory")):
        code = main(["optimize", file])

        assert code == 1
        assert capsys.readouterr().err == f"korad optimize: {file} cannot be read: {why}\n"
