"""The command line's frame: verbs found, exit codes told."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from korad import __version__
from korad.cli import main
from korad.config import ConfigError

frame = sys.modules["korad.cli.main"]


@pytest.fixture
def verb(monkeypatch):
    """Install a verb `try` that does what the test says; return what it ran with."""
    seen = []

    def install(do):
        def run(args):
            seen.append(args)
            return do()

        def add_parser(subparsers):
            parser = subparsers.add_parser("try")
            parser.add_argument("--number", type=int)

        module = SimpleNamespace(add_parser=add_parser, run=run)
        monkeypatch.setitem(sys.modules, "korad.cli.try_", module)
        row = frame.Verb(name="try", module="korad.cli.try_", summary="try it")
        monkeypatch.setattr(frame, "VERBS", (*frame.VERBS, row))
        return seen

    return install


def test_version_is_told(capsys):
    assert 0 == main(["--version"])
    assert f"korad {__version__}\n" == capsys.readouterr().out


def test_help_lists_every_verb(capsys):
    assert 0 == main(["--help"])

    out = capsys.readouterr().out

    for verb in ("serve", "simulate", "keys", "check-config", "models"):
        assert verb in [line.split()[0] for line in out.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("argv", [[], ["sevre"], ["--port", "serve"], ["models", "--nonsense"]])
def test_a_wrong_command_line_is_two(argv, capsys):
    assert 2 == main(argv)
    assert "usage: korad" in capsys.readouterr().err


@pytest.mark.parametrize("name", [verb.name for verb in frame.VERBS])
def test_every_verb_is_where_the_table_says(name, capsys):
    assert 0 == main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: korad {name} ")


def test_the_verbs_exit_code_is_the_commands(verb):
    seen = verb(lambda: 7)

    assert 7 == main(["try", "--number", "3"])
    assert 3 == seen[0].number


def test_the_processs_own_arguments_are_the_default(verb, monkeypatch):
    seen = verb(lambda: 0)
    monkeypatch.setattr(sys, "argv", ["korad", "try", "--number", "4"])

    assert 0 == main()
    assert 4 == seen[0].number


def test_a_wrong_option_of_a_verb_is_two(verb):
    seen = verb(lambda: 0)

    assert 2 == main(["try", "--number", "x"])
    assert [] == seen


def test_a_wrong_configuration_is_two_and_told_without_a_traceback(verb, capsys):
    def do():
        raise ConfigError(["port is wrong", "host is wrong"])

    verb(do)

    assert 2 == main(["try"])
    assert (
        "korad: 2 problems in the configuration:\n  - port is wrong\n  - host is wrong\n"
        == capsys.readouterr().err
    )


def test_an_interrupt_is_130(verb, capsys):
    def do():
        raise KeyboardInterrupt

    verb(do)

    assert 130 == main(["try"])
    assert "" == capsys.readouterr().err


def test_a_bug_is_not_hidden(verb):
    def do():
        raise ZeroDivisionError

    verb(do)

    with pytest.raises(ZeroDivisionError):
        main(["try"])


def test_a_reader_that_has_left_is_no_traceback(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "korad", "models"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env={"HOME": str(tmp_path)},
            timeout=30,
            check=False,
        )
    finally:
        os.close(writer)

    assert (141, b"") == (done.returncode, done.stderr)


def test_version_imports_no_verb(tmp_path):
    script = (
        "import sys; from korad.cli import main; assert main(['--version']) == 0; "
        "print(sorted({'aiohttp', 'korad.billing', 'korad.cli.keys', 'tiktoken'} & {*sys.modules}))"
    )
    done = subprocess.run(  # noqa: S603 - the script stands above
        [sys.executable, "-c", script],
        capture_output=True,
        env={"HOME": str(tmp_path)},
        timeout=30,
        check=True,
    )

    assert f"korad {__version__}\n[]\n" == done.stdout.decode()
