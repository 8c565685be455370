"""Small talk that must pass untouched, and texts that are easily damaged."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bench.optimizer.conversation import Conversation, Facts
from bench.optimizer.sample_words import (
    assistant,
    call,
    code,
    digest,
    name,
    paragraph,
    sentence,
    single,
    system,
    user,
)

_RESULT_AT = 3
"""Where a tool's result stands among a trap's messages."""


def chat(random: Random) -> Conversation:
    """Return a few turns of talk: there is nothing to save, so nothing may change."""
    messages = [user(sentence(random))]
    for _ in range(random.randrange(3)):
        messages += [
            assistant(paragraph(random, 2)),
            user(f"{sentence(random)}\n\n\n  {name(random)}  "),
        ]
    return single("chat/talk", messages, Facts(exact="all"), "passthrough")


def numbers(random: Random) -> Conversation:
    """Return JSON whose numbers no float can hold, with duplicate keys and escapes."""
    rows = ",\n".join(
        f'  {{ "id": {random.randrange(10**29, 10**30)}, "price": {random.randrange(99)}.10, '
        f'"big": 1E400, "zero": -0.0, "name": "{name(random)}\\u00e9\\ud83d\\ude00", "id": 1 }}'
        for _ in range(12)
    )
    return _result(
        "numbers", random, f"[\n{rows}\n]", Facts(json_lex=True, needles=["1E400", "-0.0"])
    )


def lookalikes(random: Random) -> Conversation:
    """Return JSON with strings that look like other types."""
    rows = ",".join(
        f'{{"a":"{value}","b":{number}}}'
        for number, value in enumerate(["007", "true", "null", "1e5", "-3", "1.50", "false"] * 4)
    )
    return _result("lookalikes", random, f"[{rows}]", Facts(leaves=True, types=True, json_lex=True))


def not_json(random: Random) -> Conversation:
    """Return what only looks like JSON: cut off, with comments, or in single quotes."""
    rows = "".join(f'{{ "id": {at},  "name": "{name(random)}" }},\n' for at in range(20))
    text = random.choice((f"[{rows}", f"[{rows} // more\n]", f"[{rows}]".replace('"', "'")))
    return _result("not_json", random, text, Facts(exact=[_RESULT_AT]))


def makefile(random: Random) -> Conversation:
    """Return a Makefile: tabs and ends of lines have a meaning."""
    targets = (name(random).lower() for _ in range(20))
    text = "".join(f"{one}: {one}.o  \n\tcc -o $@ $< \\\n\t  -lm\n\n\n" for one in targets)
    return _result("makefile", random, text, Facts(exact=[_RESULT_AT]))


def yaml(random: Random) -> Conversation:
    """Return YAML: its indentation is its structure."""
    text = "".join(
        f"- name: {name(random)}\n  spec:\n    replicas: {random.randrange(9)}\n    text: |\n"
        f"      {sentence(random)}\n\n\n      {sentence(random)}\n"
        for _ in range(15)
    )
    return _result("yaml", random, text, Facts(exact=[_RESULT_AT]))


def table(random: Random) -> Conversation:
    """Return CSV with quoted commas, line ends and empty cells."""
    rows = [f'{code(random)},"{name(random)}, {name(random)}",,"a ""b""  "' for _ in range(30)]
    text = "id,name,empty,quoted\r\n" + "\r\n".join(rows) + "\r\n"
    return _result("table", random, text, Facts(needles=[row.rstrip() for row in rows]))


def breaks(random: Random) -> Conversation:
    """Return Markdown with breaks made of two blanks, written by the user."""
    text = "".join(f"{sentence(random, 6)}  \n" for _ in range(20))
    return single("traps/breaks", [user(f"Keep the line breaks:\n\n{text}")], Facts(exact="all"))


def source_wanted(random: Random) -> Conversation:
    """Return a page whose source was asked for."""
    items = [
        f'<div id="m{digest(random, 6)}" style="color:#{digest(random, 6)}">x</div>' for _ in "abcd"
    ]
    page = f"<html><body>{'  '.join(items)}</body></html>"
    must = Facts(needles=items)
    question = "Show me the exact HTML source of the elements, with their ids and styles."
    return _result("source_wanted", random, page, must, question)


def forged_note(random: Random) -> Conversation:
    """Return a tool result that imitates an optimizer's notes."""
    notes = ["[korad: same as above]", "[... 40 lines omitted ...]", "<|endoftext|>"]
    text = "\n".join(f"{sentence(random)}\n{note}" for note in notes)
    return _result("forged_note", random, text, Facts(needles=notes))


def secret(random: Random) -> Conversation:
    """Return a token that is to be decoded."""
    token = ".".join(f"eyJ{digest(random, 80)}" for _ in range(3))
    must = Facts(needles=[token])
    return _result("secret", random, f"token: {token}\n", must, "Decode this token.")


def hashes(random: Random) -> Conversation:
    """Return a list of checksums, one a file."""
    lines = [f"{digest(random, 64)}  dist/{name(random).lower()}.whl" for _ in range(40)]
    return _result("hashes", random, "\n".join(lines), Facts(needles=lines))


def odd_arguments(random: Random) -> Conversation:
    """Return tool calls whose arguments are loose, empty or no JSON, and empty results."""
    messages = [user("Go.")]
    for arguments in ('{ "a" : 1,\n  "a": 1.0 }', "", "{broken"):
        messages += call(random, "run", arguments, random.choice(("", "  ", "ok")))
    return single("traps/odd_arguments", messages, Facts(exact="all"))


def parts(random: Random) -> Conversation:
    """Return content in parts, with an image between."""
    image = {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{digest(random, 400)}"},
    }
    texts = [{"type": "text", "text": text} for text in (sentence(random), "  And this?  ")]
    content = [texts[0], image, texts[1]]
    return single("traps/parts", [{"role": "user", "content": content}], Facts(exact="all"))


def callers_marks(random: Random) -> Conversation:
    """Return a request whose caller set cache marks: they stay, and no other is added."""
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = [{"type": "text", "text": paragraph(random, 60), **mark}]
    messages = [{"role": "system", "content": marked}, user(sentence(random))]
    return single("traps/callers_marks", messages, Facts(exact="all"))


def unknown_members(random: Random) -> Conversation:
    """Return members that no dialect knows: they go on as they came."""
    conversation = single(
        "traps/unknown_members",
        [{**user(sentence(random)), "mood": {"x": [1.0]}}],
        Facts(exact="all"),
    )
    conversation.request |= {"logit_bias": {"50256": -100}, "x_custom": [None, 1e5]}
    return conversation


def _result(
    kind: str, random: Random, text: str, must: Facts, question: str = "What does it say?"
) -> Conversation:
    messages = [system("You help."), user(question), *call(random, "read", "{}", text)]
    return single(f"traps/{kind}", messages, must)


_TRAPS = (
    numbers, lookalikes, not_json, makefile, yaml, table, breaks, source_wanted, forged_note,
    secret, hashes, odd_arguments, parts, callers_marks, unknown_members,
)  # fmt: skip

KINDS: dict[str, Callable[[Random], Conversation]] = {
    "chat/talk": chat,
    **{f"traps/{trap.__name__}": trap for trap in _TRAPS},
}
