"""Source code that a conversation holds twice, nearly twice, and as a diff."""

from __future__ import annotations

from random import Random

from bench.optimizer.conversation import Conversation, Facts, Message
from bench.optimizer.sample_words import (
    assistant,
    call,
    digest,
    name,
    sentence,
    single,
    system,
    user,
)


def make_module(random: Random, functions: int) -> str:
    """Return a Python module with comments, docstrings and loops."""
    parts = [f'"""{sentence(random)}"""', "from __future__ import annotations", ""]
    for _ in range(functions):
        one, other, called = (name(random, 2).lower() for _ in range(3))
        parts += [
            "",
            f"def {one}_{digest(random, 4)}({other}, limit={random.randrange(99)}):",
            f'    """{sentence(random, 9)}"""',
            f"    # {sentence(random, 7)}",
            f"    {called} = 0",
            f"    for item in {other}:",
            f"        if item % {random.randrange(2, 9)} == 0 and item < limit:",
            f"            {called} += item * {random.randrange(2, 99)}",
            "        else:",
            f'            raise ValueError(f"{name(random)} {{item}}")',
            f"    return {called}",
            "",
        ]
    return "\n".join(parts)


def read_twice(random: Random) -> Conversation:
    """Return a loop that reads a file, talks, and reads the file again, changed in one line."""
    path = f"lib/{name(random).lower()}.py"
    module = make_module(random, random.randrange(10, 22))
    lines = module.splitlines()
    at = random.choice([n for n, line in enumerate(lines) if line.startswith("    return")])
    lines[at] += f"  # reviewed {digest(random, 6)}"
    arguments = f'{{"path": "{path}"}}'
    messages: list[Message] = [system("You review code."), user(f"Please review {path}.")]
    messages += call(random, "read_file", arguments, module)
    messages += [assistant("It is sound. One line needs a mark."), user("Added. Have a look.")]
    messages += call(random, "read_file", arguments, "\n".join(lines))
    messages += [assistant("Good."), user("And once more, unchanged?")]
    messages += call(random, "read_file", arguments, "\n".join(lines))
    messages.append(assistant("Unchanged."))
    needles = [lines[at].strip(), *random.sample([line for line in lines if "def " in line], 5)]
    return Conversation(
        family="code",
        sub="read_twice",
        mode="loop",
        request={"messages": messages},
        must=Facts(needles=needles),
    )


def pasted_twice(random: Random) -> Conversation:
    """Return a loop whose user pastes a module, and pastes it again with a line more."""
    module = make_module(random, random.randrange(10, 18))
    added = f"LIMIT_{digest(random, 4).upper()} = {random.randrange(999)}"
    messages = [
        system("You answer questions about code."),
        user(f"What does this do?\n\n```python\n{module}\n```"),
        assistant("It adds up what is below a limit."),
        user(f"I added a constant. Still right?\n\n```python\n{module}\n{added}\n```"),
        assistant("Yes."),
    ]
    needles = [added, *random.sample([line for line in module.splitlines() if "+=" in line], 5)]
    return Conversation(
        family="code",
        sub="pasted_twice",
        mode="loop",
        request={"messages": messages},
        must=Facts(needles=[needle.strip() for needle in needles]),
    )


def diff(random: Random) -> Conversation:
    """Return a question about a long diff."""
    lines: list[str] = []
    needles: list[str] = []
    for _ in range(random.randrange(4, 9)):
        path = f"lib/{name(random).lower()}.py"
        lines += [f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"]
        for _ in range(3):
            at = random.randrange(10, 900)
            body = make_module(random, 2).splitlines()
            changed = f"    total = {random.randrange(9_999)}  # {digest(random, 6)}"
            needles.append(changed.strip())
            lines += [f"@@ -{at},8 +{at},8 @@", *(f" {line}" for line in body[3:10])]
            lines += [f"-    total = {random.randrange(99)}", f"+{changed}"]
    text = "\n".join(lines)
    return single(
        "code/diff", [user(f"Review this.\n\n```diff\n{text}\n```")], Facts(needles=needles)
    )


KINDS = {"code/read_twice": read_twice, "code/pasted_twice": pasted_twice, "code/diff": diff}
