"""Words, names and messages for generated conversations."""

from __future__ import annotations

from random import Random
from typing import Any

from bench.optimizer.conversation import Conversation, Facts, Message

_SYLLABLE_LETTERS = "babebodadedikakelolumaminoperarisasotatuvavewoza"
_SYLLABLES = [_SYLLABLE_LETTERS[at : at + 2] for at in range(0, len(_SYLLABLE_LETTERS), 2)]
_STORY = (
    "the crew moved slowly along a narrow valley while rain fell on their tents and nobody spoke "
    "about what had happened near an old mill because each of them believed that another would "
    "begin after supper when lamps were lit and somebody found a map which showed two bridges "
    "where only one had been built so they argued over distance weather food money trust boats "
    "horses letters until morning came with thin light across cold fields of barley and stone"
)
_PROSE = _STORY.split()


def name(random: Random, syllables: int = 3) -> str:
    """Return an invented name."""
    return "".join(random.choice(_SYLLABLES) for _ in range(syllables)).capitalize()


def code(random: Random, letters: int = 2, digits: int = 6) -> str:
    """Return an identifier such as `QX-481512`."""
    head = "".join(random.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(letters))
    return f"{head}-{random.randrange(10 ** (digits - 1), 10**digits)}"


def digest(random: Random, characters: int = 12) -> str:
    """Return hexadecimal digits."""
    return f"{random.getrandbits(4 * characters):0{characters}x}"


def sentence(random: Random, words: int = 14) -> str:
    """Return a sentence of ordinary words."""
    chosen = [random.choice(_PROSE) for _ in range(words)]
    return f"{' '.join(chosen).capitalize()}."


def paragraph(random: Random, sentences: int = 5) -> str:
    """Return some sentences."""
    return " ".join(sentence(random, random.randrange(9, 19)) for _ in range(sentences))


def system(text: str) -> Message:
    """Return a system message."""
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    """Return a user's message."""
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    """Return an assistant's message."""
    return {"role": "assistant", "content": text}


def call(random: Random, tool: str, arguments: str, result: str, said: str = "") -> list[Message]:
    """Return an assistant's tool call and its result."""
    call_id = f"call_{digest(random)}"
    function = {"name": tool, "arguments": arguments}
    return [
        {
            "role": "assistant",
            "content": said or None,
            "tool_calls": [{"id": call_id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call_id, "content": result},
    ]


def tool(title: str, description: str, **parameters: str) -> dict[str, Any]:
    """Return a tool's definition; `parameters` are strings with their descriptions."""
    return {
        "type": "function",
        "function": {
            "name": title,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {
                    key: {"type": "string", "description": text} for key, text in parameters.items()
                },
                "required": list(parameters),
            },
        },
    }


def single(kind: str, messages: list[Message], must: Facts, *flags: str) -> Conversation:
    """Return a one-shot request; `kind` is family and kind, "logs/access"."""
    family, _, sub = kind.partition("/")
    request = {"messages": messages, "temperature": 0}
    return Conversation(
        family=family, sub=sub, mode="single", request=request, must=must, flags=list(flags)
    )
