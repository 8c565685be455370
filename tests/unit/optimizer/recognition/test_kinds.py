"""Telling logs, code, tables and the rest apart."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from korad.optimizer.recognition import kinds
from korad.optimizer.recognition.kinds import (
    Kind,
    are_error_lines,
    cares_for_form,
    is_error_line,
    kind_of,
)


def lines(pattern, count=30):
    """`count` lines made of `pattern`, each with its own numbers."""
    return "".join(
        pattern.format(n=n, two=n % 60, id=f"{n * 7919 % 2**32:08x}", word=WORDS[n % len(WORDS)])
        + "\n"
        for n in range(count)
    )


WORDS = ("orders", "cart", "search", "billing", "mail")

NAMES = [f"{word}_{n}" for n, word in enumerate(WORDS * 3)]
PASSAGE = "a long tunnel was opened to the public, so they say, and nobody came to see it. " * 4

LOGS = {
    "syslog": "Apr  3 10:11:{two:02d} web1 sshd[{n}]: Accepted publickey for {word} port {n}",
    "rfc5424": "<34>1 2026-04-03T10:11:{two:02d}Z host app - ID{n} - {word} done",
    "access": '10.0.0.{n} - - [03/Apr/2026:10:11:{two:02d} +0000] "GET /{word} HTTP/1.1" 200 {n}',
    "nginx error": "2026/04/03 10:11:{two:02d} [warn] {n}#0: *{n} upstream {word} slow",
    "spring": "2026-04-03 10:11:{two:02d}.123  INFO 1 --- [main] c.e.{word} : served {n}",
    "log4j": "10:11:{two:02d},345 DEBUG [pool-{n}] com.example.{word} - ok {n}",
    "python": "2026-04-03 10:11:{two:02d},123 - app.{word} - INFO - done {n}",
    "basic": "INFO:app.{word}:finished {n}",
    "celery": "[2026-04-03 10:11:{two:02d},123: INFO/Worker-{n}] Task {word}[{id}] succeeded",
    "klog": "I0403 10:11:{two:02d}.123456    {n} proxier.go:12] syncing {word}",
    "zap": "2026-04-03T10:11:{two:02d}.123Z\tINFO\tserver/{word}.go:12\tdone {n}",
    "logfmt": 'ts=2026-04-03T10:11:{two:02d}Z level=info msg="got {word}" n={n}',
    "dmesg": "[ {n}.123456] usb 1-{n}: new device {word}",
    "compose": "web_1  | 2026-04-03 10:11:{two:02d} served {word} {n}",
    "journal": "Apr 03 10:11:{two:02d} host systemd[1]: Started {word}-{n}.service.",
    "docker build": "#{n} [build 3/{n}] RUN make {word}",
    "ninja": "[{n}/120] Building CXX object {word}/{id}.o",
    "cmake": "[ {two}%] Building C object {word}/file{n}.c.o",
    "npm": "npm warn deprecated {word}@{n}.0.1: no longer supported",
    "cargo": "   Compiling {word} v0.{n}.1\nCompiling {word} v{n}.0.0",
    "gradle": "> Task :{word}:compile{n}",
    "apt": "Get:{n} http://deb.example.org stable/main {word} amd64 {n} [12 kB]",
    "pip": "Collecting {word}=={n}.0\n  Downloading {word}-{n}.0.whl (12 kB)",
    "pytest": "tests/test_{word}.py::test_case_{n} PASSED",
    "go test": "--- PASS: Test{word}{n} (0.00s)",
    "tap": "ok {n} - {word} works",
    "actions": "2026-04-03T10:11:{two:02d}.1234567Z ##[group]Run {word} {n}",
    "json lines": '{{"ts": {n}, "level": "info", "msg": "{word}"}}',
    "json lines of numbered levels": '{{"level": 30, "req": {{"id": {n}}}, "msg": "{word}"}}',
    "json lines without a level": '{{"log": "{word} {n}", "stream": "stdout", "time": "{n}"}}',
    "json lines of a journal": '{{"__REALTIME_TIMESTAMP": "{n}", "MESSAGE": "{word} {n}"}}',
    "rails": "I, [2026-04-03T10:11:{two:02d}.123456 #{n}]  INFO -- : [{id}] handled {word}",
    "rust tracing": "  2026-04-03T10:11:{two:02d}.123456Z  INFO {word}::srv: handled order {n}",
    "logcat": "04-03 10:11:{two:02d}.123  1702  2395 D {word}: handled order {n}",
    "logcat by tags": "D/{word}Manager( {n}): handled order {n}",
    "strace": 'read({n}, "{id}", 4096) = {two}',
    "strace of threads": "[pid {n}] 1252.213866 futex(0x{id}, FUTEX_WAKE_PRIVATE, 1) = {n}",
    "training": "epoch 0 step {n} | loss 0.{id} | lr 3.0e-04 | {n} tok/s",
    "health app": "20260403-10:11:{two:02d}:606|Step_{word}|30002312|onStep {n}",
    "windows cbs": "2026-04-03 10:11:{two:02d}, Info                  CBS    Loaded {word} {id}",
    "thunderbird": "- 1131566{n:03d} 2026.04.03 dn{n} Apr 3 10:11:{two:02d} dn{n} {word}: opened",
    "open stack": "api.log.1.2026-04-03_13:53:08 2026-04-03 10:11:{two:02d}.387 {n} INFO {word}",
    "hits in a log": "var/app.log:{n}:2026-04-03 10:11:{two:02d} INFO {word} {n}",
    "hits in logs": "var/app-1.log:2026-04-03 10:11:{two:02d} INFO {word} {n}",
    "numbered log": "{n:6}\t2026-04-03 10:11:{two:02d} INFO {word} {n}",
    "basic iso stamps": "20260403T1011{two:02d}Z {word} handled order {n}",
    "indented cargo": "   Compiling {word}-{word} v0.{n}.1",
    "indented go test": "    --- PASS: Test/{word}_{n} (0.00s)",
    "unittest": "test_{word}_{n} (tests.test_{word}.Test.test_{n}) ... ok",
    "bare": "worker {n} finished {word} in {two} ms",
    "sequence": "seq={n} written",
    "coloured": "\x1b[32m10:11:{two:02d}\x1b[0m \x1b[1m{word}\x1b[0m {n}",
    "crlf": "2026-04-03 10:11:{two:02d} {word} {n}\r",
}


@pytest.mark.parametrize("pattern", LOGS.values(), ids=LOGS)
def test_a_log_is_recognised_by_its_lines(pattern):
    assert Kind.LOG is kind_of(lines(pattern))


@pytest.mark.parametrize("name", ["rust tracing", "indented cargo", "numbered log"])
def test_an_indented_log_may_hold_what_is_indented_further(name):
    made = lines(LOGS[name], 20).splitlines()
    made[5:5] = [f"           caused by part {n}" for n in range(8)]

    assert Kind.LOG is kind_of("\n".join(made))


def test_a_stack_trace_inside_a_log_does_not_hide_it():
    trace = "Traceback (most recent call last):\n" + '  File "a.py", line 3, in f\n' * 8

    assert Kind.LOG is kind_of(lines(LOGS["python"]) + trace + "ValueError: no\n")


SOURCES = {
    "python": "import os\n\n\ndef f(x):\n    if x:\n        return x\n    return None\n",
    "python calls": "app = Flask(__name__)\napp.run(host='0.0.0.0', port=80)\nprint(app.name)\n",
    "javascript": "const a = require('a');\nmodule.exports = function (b) {\n  return a(b);\n};\n",
    "typescript": "export interface A {\n  id: number;\n  name: string;\n}\n",
    "c": '#include <stdio.h>\n\nint main(void) {\n\tputs("hi");\n\treturn 0;\n}\n',
    "go": "package main\n\nfunc main() {\n\tprintln(1)\n}\n",
    "rust": "pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n",
    "java": "public class A {\n  private int x = 1;\n\n  int get() { return x; }\n}\n",
    "sql": "SELECT a, b\nFROM t\nWHERE a = 1\nORDER BY b;\n",
    "shell": "#!/bin/sh\nset -e\nfor f in *.c; do\n  cc -c $f\ndone\n",
    "makefile": "all: a.o b.o   \n\tcc -o all a.o b.o\n\n\n\nclean:\n\trm -f *.o\n" * 4,
    "dockerfile": "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN pip install .\n",
    "yaml": lines(
        "svc{n}:\n  image: r/{n}\n  cmd: |\n    run   \n\n\n\n      nested\n  list:\n  - a"
    ),
    "flat yaml": "name: app\nversion: 1\ndebug: true\n",
    "toml": "[tool.a]\nname = 'b'\nlimit = 3\n\n[tool.c]\nd = 1\n",
    "ini": "[main]\na = 1\nb = two\n",
    "env": "A=1\nB=two\nexport C=3\n",
    "css": ".a {\n  color: red;\n}\n\n#b {\n  margin: 0;\n}\n",
    "xml": "<project>\n  <a>1</a>\n  <b>2</b>\n  <c/>\n</project>\n",
    "xml declared": '<?xml version="1.0"?>\n<rss><channel><title>x</title></channel></rss>',
    "jsx": "<div className={a}>\n" + "  <li>{x}</li><p>y</p><b>z</b>\n" * 5 + "</div>\n",
    "jinja": "{% extends 'a' %}\n<ul>\n{% for x in y %}<li>{{ x }}</li>\n{% endfor %}\n</ul>\n",
    "php": "<?php\necho '<div><p>a</p></div>';\n?>\n<html></html>\n",
    "license first": lines("# Permission number {n} is granted to use {word}", 60) + "import os\n",
    "cat -n": "     1\tdef f():\n     2\t    return 1\n     3\t\n     4\tx\n",
    "grep -n": "12:def f\n15:    return\n90:x\n",
    "editor": "[File: x.py (120 lines total)]\n(12 more lines above)\n13:Some words\n14:More\n",
    "editor after words": "Your edit failed.\n\n[as it would be]\n"
    + lines("{n}|word {word}", 12)
    + "\n[as it was]\n"
    + lines("{n}|word {word}", 12),
    "numbered log view": "".join(f"{n:6}\tINFO started {n}\n" for n in range(1, 40)),
    "http answer": "HTTP/1.1 200 OK\r\nX-Id: 1\r\n\r\nbody\r\n",
    "http request": "POST /a HTTP/1.1\r\nHost: b\r\n\r\n",
    "python literal": "[" + lines("{{'i': {n}, 'name': 'row {n}'}},", 40) + "]",
    "json with NaN": '{"loss": NaN, "rows": [\n' + lines('  {{"i": {n}}},') + "1]}",
    "json with a comment": '{\n  // note\n  "a": 1\n}',
    "json cut short": '[\n  {\n    "i": 0,\n    "name": "row',
    "json with a comma too many": '[\n  {\n    "i": 0\n  },\n]',
}


@pytest.mark.parametrize("text", SOURCES.values(), ids=SOURCES)
def test_what_must_keep_its_form_is_source(text):
    assert Kind.SOURCE is kind_of(text)


OTHERS = {
    "object": ('{"a": 1}', Kind.JSON),
    "array": (" [1,\n 2] \n", Kind.JSON),
    "documents": ('{\n  "a": 1\n}\n{\n  "a": 2\n}\n', Kind.JSON),
    "odd numbers": ('{"a": 1E400, "b": 1.10, "a": 123456789012345678901234567890}', Kind.JSON),
    "page": ("<!DOCTYPE html>\n<html><body><p>x</p></body></html>", Kind.HTML),
    "page after a comment": ("<!-- c -->\n<html lang='en'><p>x</p></html>", Kind.HTML),
    "fragment": ("<div><ul>" + "<li><a href='/x'>y</a></li>" * 6 + "</ul></div>", Kind.HTML),
    "git diff": ("diff --git a/f b/f\nindex 1..2 100644\nBinary files differ\n", Kind.DIFF),
    "patch": ("--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n ctx   \n-old\n+new\n", Kind.DIFF),
    "git show": ("commit 12ab\nAuthor: A\n\n    Fix\n\ndiff --git a/f b/f\n+x\n", Kind.DIFF),
    "csv": ('id,name,note\n0,"O, 82","say ""hi"" \n twice"\n1,"O, 58","no"\n2,x,y\n', Kind.TABLE),
    "csv with times": (lines("2026-04-03 10:11:{two:02d},{n},{word}"), Kind.TABLE),
    "tsv": ("a\tb\tc\n0\t\t\n\t246\t  \n1\t\t\n", Kind.TABLE),
    "semicolons": (lines("{n};{word};{id}"), Kind.TABLE),
    "ruled": ("| a | b |\n|---|---|\n| 1 | 2 |\n", Kind.TABLE),
    "psql": (" id | name\n----+------\n  1 | a\n  2 | b\n", Kind.TABLE),
    "columns": (lines("{word:20}{n:<12}x     |"), Kind.TABLE),
    "ps": (
        "  PID TTY          TIME CMD\n    1 ?        00:00:01 init\n   22 ?        00:00:00 sh\n",
        Kind.TABLE,
    ),
    "kubectl": (
        "NAME    READY   STATUS   AGE\ncart-1  1/1     Running  3d\nmail-2  0/1     Error    9h\n",
        Kind.TABLE,
    ),
    "ls": ("total 8\n-rw-r--r-- 1 r r 93 Apr 30 08:32 a.md\ndrwxr-xr-x 2 r r 9 b\n", Kind.LISTING),
    "names": ("AUTHORS.rst\nLICENSE\nsetup.py\nsrc/\ntests/\n", Kind.LISTING),
    "find": (lines("./src/{word}/file_{n}.py"), Kind.LISTING),
    "tree": ("├── f0.py\n│   ├── f1.py\n└── g.py\n", Kind.LISTING),
    "hits": (lines("src/{word}.py:{n}:    return {word}"), Kind.LISTING),
    "sums": (lines("{id}{id}{id}{id}  file_{n}.tar.gz"), Kind.LISTING),
    "du": (lines("{n}K\t./{word}/{n}"), Kind.LISTING),
    "markdown": ("# Title\n\nSome words.\n\n* one\n* two\n\nSee [a](https://b).\n", Kind.MARKDOWN),
    "hard breaks": ("Roses are red,  \nViolets are blue,  \nand more\n", Kind.MARKDOWN),
    "prose": ("The train was late again.\nNobody minded much.\n", Kind.TEXT),
    "passages": ("Document [1](Title: A) It is so.\n\nDocument [2](Title: B) Not so.", Kind.TEXT),
    "paragraphs": ("".join(f"{w} {'word  and word ' * 40}\n" for w in WORDS), Kind.TEXT),
    "dialogue": ("Ann B: It works .\nBob C: OK .\nAnn B: Right . So , what now ?\n", Kind.TEXT),
    "records": (lines('{{"flight": "QX{n}", "to": "{word}", "fare": {two}}}'), Kind.JSON),
    "records with a level of skill": (lines('{{"name": "{word}", "level": {n}}}'), Kind.JSON),
    "records with a message": (lines('{{"from": "{word}", "message": "row {n}"}}'), Kind.JSON),
    "csv with times and words": (lines("2026-04-03 10:11:{two:02d}, Error rate, {n}"), Kind.TABLE),
    "top": (lines("  {n:4} root 20 0 1712 S 0.0 00:00:{two:02d}  {word:9} x"), Kind.TABLE),
    "chunks of files": (
        "".join(f"Chunk {n} of 15\nSource: {w}.md\n{PASSAGE[n:]}\n" for n, w in enumerate(NAMES)),
        Kind.TEXT,
    ),
    "chunks of one file": (
        "".join(f"Chunk {n} of 15\nSource: a.md\n{PASSAGE[n:]}\n" for n in range(15)),
        Kind.TEXT,
    ),
    "string": ('"line one  \\nline two"', Kind.TEXT),
    "number": ("  5067165809410791934955906  ", Kind.TEXT),
    "one message": ("bash: foo: command not found", Kind.TEXT),
    "equal lines": ("red 88662\n" * 40, Kind.TEXT),
    "controls": ("a\x0bb\x0cc\x1cd\x85e 7758\n" * 10, Kind.TEXT),
    "numbers": (lines("{n}"), Kind.TEXT),
    "nothing": ("", Kind.BLANK),
    "white space": (" \t\n\t \n", Kind.BLANK),
}


@pytest.mark.parametrize(("text", "kind"), OTHERS.values(), ids=OTHERS)
def test_other_texts_are_told_by_their_look(text, kind):
    assert kind is kind_of(text)


@pytest.mark.parametrize(
    ("fence", "text", "kind"),
    [
        ("python", "anything", Kind.SOURCE),
        ("html", "<html><p>x</p></html>", Kind.SOURCE),
        ("", "<html><p>x</p></html>", Kind.SOURCE),
        ("json", '{"a": 1}', Kind.JSON),
        ("json", '{"a": 1,}', Kind.SOURCE),
        ("", '{"a": 1}', Kind.JSON),
        ("", lines(LOGS["spring"]), Kind.LOG),
        ("log", lines(LOGS["spring"]), Kind.LOG),
        ("text", "def f():\n    return 1\n", Kind.SOURCE),
        ("diff", "-a\n+b", Kind.DIFF),
        ("csv", "a,b", Kind.TABLE),
        ("jsonl", lines(LOGS["json lines"]), Kind.LOG),
        ("jsonl", lines('{{"id": {n}, "name": "{word}"}}'), Kind.JSON),
        ("ndjson", "{broken", Kind.JSON),
        ("markdown", "a", Kind.MARKDOWN),
        ("bash", lines(LOGS["spring"]), Kind.SOURCE),
    ],
)
def test_a_fence_that_names_a_language_decides(fence, text, kind):
    assert kind is kind_of(text, fence)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ('bash {"command": "cat f.py"}', Kind.SOURCE),
        ('bash {"command": "cd /a && sed -n 1,40p src/a.rs"}', Kind.SOURCE),
        ('bash {"command": "open setup.py\\n"}', Kind.SOURCE),
        ('bash {"command": "cat Makefile"}', Kind.SOURCE),
        ('read_file {"path":"a/b.ts"}', Kind.SOURCE),
        ('edit {"command": "view", "file_path": "/a/b.yaml"}', Kind.SOURCE),
        ('bash {"command": "cat README.md"}', Kind.MARKDOWN),
        ('bash {"command": "head -5 a.csv"}', Kind.TABLE),
        ('bash {"command": "cat f"}', Kind.TEXT),
        ('bash {"command": "python f.py"}', Kind.TEXT),
        ('bash {"command": "cat app.log"}', Kind.TEXT),
        ('run_tests {"path": "tests/a.py"}', Kind.TEXT),
        ('fetch {"url": "https://example.org/a.html"}', Kind.TEXT),
        ('bash {"command": "cat > f.py"}', Kind.TEXT),
        ("", Kind.TEXT),
    ],
)
def test_a_call_that_shows_a_file_tells_what_the_text_is(call, kind):
    assert kind is kind_of("Plain words\nof no look at all", None, call)


def test_a_page_read_from_a_file_is_its_source():
    page = "<!doctype html><html><body>x</body></html>"

    assert Kind.SOURCE is kind_of(page, None, 'bash {"command": "cat index.html"}')


def test_a_log_that_turns_into_code_is_no_log():
    text = lines("worker {n} finished {word} in {two} ms", 600) + SOURCES["python"] * 100

    assert Kind.LOG is not kind_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "<" * 100_000,
        "a::b" * 9_000,
        "\t" * 9_000 + "a",
        "\n" * 9_000 + "a",
        "\ud800",
        "\r",
    ],
)
def test_odd_texts_have_a_kind_too(text):
    assert kind_of(text) in Kind


@given(st.text(max_size=300), st.sampled_from([None, "", "json", "log", "x"]), st.text(max_size=40))
def test_any_text_has_one_kind(text, fence, call):
    kind = kind_of(text, fence, call)
    kinds._known.clear()

    assert kind is kind_of(text, fence, call)


def test_the_kept_answers_are_bounded(monkeypatch):
    monkeypatch.setattr(kinds, "KNOWN_MAX", 3)
    for n in range(10):
        kind_of(f"text {n}")

    assert len(kinds._known) <= 3


@pytest.mark.parametrize(
    "question",
    [
        "cat poem.md; I will edit it with an exact match",
        "cat f.py; exact str_replace edits follow",
        "Quote it verbatim.",
        "Is it byte for byte the same?",
        "How many bytes are between them?",
        "Why does my linter complain about the indentation here?",
        "Are there trailing spaces?",
        "Does this file use CRLF line endings?",
        "Tabs or spaces?",
        "What is wrong with the format of the JSON?",
        "Decode this please: dGhl",
        "Show the HTML source.",
        "Which CSS class has the div?",
        "What is its id attribute?",
        "Which ANSI colour codes are in there?",
        "Is the quote escaped?",
        "Stimmt die Einrückung?",
        "Sind da Leerzeichen am Zeilenende?",
        "Gib es wortwörtlich wieder",
        "Y a-t-il des espaces en trop ?",
        "Décode-le mot pour mot",
        "¿Está bien la sangría?",
        "¿Hay saltos de línea de más?",
        "这里的缩进对吗",
        "请逐字引用",
        "x" * 500 + " Mind the whitespace.",
        "x " * 900 + "I need an exact match of it. " + "y " * 900,
    ],
)
def test_a_question_may_be_about_the_form(question):
    assert cares_for_form(question)


# Two samples of each alternative of the pattern, some with letters that fold into others.
FORM_WORDS = """\
exact match|exactly the same|str_replace|verbatim|word for word|byte-by-byte|bytes|whitespace
white-spaces|indented|unindented|trailing|spacing|zero-width|tab|tabs|tab characters|crlf|new line
newlines|extra spaces|double blanks|hidden characters|line endings|line-feed|carriage return|lint
linters|linting|prettier|pretty-printed|formatting|reformatted|format of this|json format|decoded
base64|base-64|hexdump|hex dump|page source|source of the webpage|raw output|html tag|which tags
markup|mark-up|css|class names|id attributes|data-name|attribute|xpath|x-path|selector|ansi
color codes|coloured sequences|what colours|escaping|wortwörtlich|wörtlich|exakter wortlaut
zeichen für zeichen|einrückung|eingerückt|leerzeichen|leerraum|leerzeile|zeilenumbruch|tabulatoren
dekodieren|quelltext|html-quelltext|formatierung|mot à mot|espaces|saut de ligne|fin de ligne
retraits|retours chariot|retour à la ligne|tabulation|décoder|octet|balises|mise en forme
palabra por palabra|literalmente|textualmente|sangría|indentación|espacio|saltos de línea
finales de línea|tabulador|decodificar|formateo|etiquetas|缩进|换行
""".replace("\n", "|").split("|")[:-1]


@pytest.mark.parametrize("words", [*FORM_WORDS, "\u017fpacing", "L\u0130NE ENDINGS"])
def test_no_word_of_form_is_missed_among_others(words):
    for said in (words, words.upper(), f"Is it about “{words}”, then?"):
        assert cares_for_form(said)
        assert cares_for_form(f"{said} {'Fix the issue. ' * 60}")


@pytest.mark.parametrize(
    "question",
    [
        "",
        "What does the output say?",
        "Which user placed order #W3840181 and what is its status?",
        "Review formatting.py and css/tabs.py",
        "Find the slowest request and the one that got a 502.",
        "Why did the settlement fail? Give the root cause.",
        "What does [same as tool result 1 above] mean?",
        "What is exactly the price?",
        f"{'Fix the issue. ' * 20}{'The indentation rule. ' * 40}{'Run the tests. ' * 20}",
    ],
)
def test_most_questions_are_about_the_content(question):
    assert not cares_for_form(question)


@pytest.mark.parametrize(
    "line",
    [
        "2026-04-03 ERROR [main] boom",
        "java.lang.NullPointerException: x",
        "Traceback (most recent call last):",
        "ValueError: no",
        "npm ERR! code E404",
        "FATAL: out of memory",
        "panic: runtime error",
        "make: *** [all] Error 2",
        "process exited with code 137",
        "FAILED tests/a.py::b",
        "connection refused",
        "1 failed, 20 passed",
        "Build failed with 0 warnings",
        "errors: 0, failed: 3",
        "Back-off: CrashLoopBackOff",
        "E: Unable to locate package",
        "OSError: [Errno 28] No space left on device",
        "raise from IOException",
        "HTTPTimeout after 3 s",
        "pod is in CrashLoopBackOff",
        "Deadlock_detected while waiting",
        "We can't reach it",
        "my_error=17",
    ],
)
def test_a_line_may_speak_of_an_error(line):
    assert is_error_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "INFO all fine",
        "0 errors, 3 warnings",
        "20 passed, 0 failed",
        "failed=0 unreached=0",
        "error: null",
        "process exited with code 0",
        "npm warn deprecated a@1: old",
        "the terror of mirrors",
        "no errors found",
    ],
)
def test_a_line_without_an_error_is_none(line):
    assert not is_error_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "3 errors_and more, failed_2 and _failed, failed2",
        "couldnot, cannot_be, xtimed out, out ofmemory, notfound",
        "exit code 0, exited with 0, exit 0, exits 12, exit 0x1",
        "undeadlocked, deadlock's",
        "timed  out, segmentation\tfault",
    ],
)
def test_what_only_begins_or_ends_like_a_sign_of_an_error(line):
    told = [part for part in line.split(", ") if is_error_line(part)]

    assert told == [
        part for part in line.split(", ") if part in {"3 errors_and more", "deadlock's"}
    ]


@pytest.mark.parametrize(
    "sign", ["couldn't", "could not", "can't", "no such", "exit=3", "oom", "err", "backoff"]
)
def test_a_denial_beside_a_sign_of_an_error_denies_nothing(sign):
    assert is_error_line(f"no errors, {sign}")
    assert is_error_line(f"{sign}: error=0")
    assert not is_error_line("no errors, error=0")


def test_many_lines_are_told_as_each_alone():
    told = ["ok", "no errors found", "error: disk full"] * 5 + ["all is well"] * 40
    told += ["x.OSError: no", "\ud800 failed", "done"]

    assert are_error_lines(told) == [is_error_line(line) for line in told]
    assert are_error_lines([]) == []
