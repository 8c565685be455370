"""What a terminal would not show: colours, overwritten progress, blanks at line ends.

Only a tool's plain output is tidied. In code, tables, diffs and everything else whose form may
matter nothing is touched, and of what a user pasted only a fenced terminal's output.
"""

from __future__ import annotations

import re

from korad.optimizer.base import LOW, TOOL, Block, Transform
from korad.optimizer.recognition.kinds import Kind, is_error_line, kind_of

_TIDIED = frozenset({Kind.LOG, Kind.TEXT})
_TERMINAL_FENCES = frozenset(
    {"text", "txt", "log", "logs", "console", "terminal", "output", "plaintext"}
)
# An OSC 8 sequence holds a link's target, which is readable to nobody but the model: it stays.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\](?!8;)[^\x07\x1b\n]*\x07")
_PROGRESS = re.compile(r"\d ?%|\d ?/ ?\d|[#=>█━▏▎▍▌▋▊▉]{3}|\d ?[kKMG]i?B|[-\\|/⠀-⣿]$|\.\.\.?$|…$")
_DIGITS = str.maketrans("123456789", "000000000")
_BLANKS = (" ", "\t")


def tidy(block: Block) -> str:
    """Return the block's text as a terminal would leave it on the screen."""
    if block.fence is not None:
        return _tidy_fenced(block)
    if block.role != TOOL or not _is_untidy(block.text):
        return block.text
    if kind_of(block.text, None, block.call) not in _TIDIED:
        return block.text
    seen = _as_seen(block.text)
    if not _has_lone_returns(seen) and not _has_escapes(seen):
        seen = _without_gaps(seen.replace("\r\n", "\n") if "\r" in seen else seen)
    return block.text if seen == block.text else seen


def _tidy_fenced(block: Block) -> str:
    text = block.text
    if block.role == TOOL or ("\x1b" not in text and "\r" not in text):
        return text
    kind = kind_of(text, block.fence)
    plain = block.fence in _TERMINAL_FENCES and kind in _TIDIED
    return _as_seen(text) if plain or (block.fence == "" and kind is Kind.LOG) else text


def _is_untidy(text: str) -> bool:
    # Single characters first: they are found thirty times as fast.
    if "\r" in text or "\x1b" in text or text[-1:] in _BLANKS:
        return True
    return "\n" in text and (" \n" in text or "\n\n\n" in text or ("\t" in text and "\t\n" in text))


def _as_seen(text: str) -> str:
    """Return `text` without terminal escapes and without what progress bars overwrote."""
    plain = _ESCAPES.sub("", text) if "\x1b" in text else text
    # Escapes cut short, or put together by what was taken from between, are data, not colours.
    if _has_escapes(plain):
        return text
    if not _has_lone_returns(plain) or "\r\r\n" in plain:
        return plain
    lines = plain.split("\n")
    return "\n".join([_last_writing(line) if "\r" in line else line for line in lines])


def _has_escapes(text: str) -> bool:
    return "\x1b" in text and ("\x1b[" in text or "\x1b]" in text)


def _has_lone_returns(text: str) -> bool:
    """Tell whether a carriage return stands elsewhere than at a line's end.

    What such a line shows depends on more than the line: it is left as it is, blanks and all.
    """
    return "\r" in text and ("\r\r\n" in text or text.count("\r") != text.count("\r\n"))


def _last_writing(line: str) -> str:
    """Return what a line's last writing left, the line itself if it overwrote no mere progress."""
    end = "\r" if line.endswith("\r") else ""
    overwritten, _, last = line.removesuffix("\r").rpartition("\r")
    if not last.strip():
        return line
    # A thousand steps of a bar are a few once their digits are alike.
    steps = {step.rstrip() for step in overwritten.translate(_DIGITS).split("\r")}
    if any(step and (not _PROGRESS.search(step) or is_error_line(step)) for step in steps):
        return line
    return last + end


def _without_gaps(text: str) -> str:
    """Return `text` without blanks at line ends and without more than one empty line in a row."""
    # A single line may be a value, such as a bare number, that its blanks belong to.
    if "\n" not in text.strip(" \t\n"):
        return text
    if " \n" in text or "\t\n" in text or text[-1:] in _BLANKS:
        lines = text.split("\n")
        if "  \n" in text and any(_breaks_on_purpose(line) for line in lines):
            return text
        text = "\n".join([line.rstrip(" \t") for line in lines])
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


def _breaks_on_purpose(line: str) -> bool:
    """Tell whether `line` ends in just two blanks, which is a line break in Markdown."""
    return line.endswith("  ") and bool(line[-3:-2].strip())


TIDY_TEXT = Transform(name="Whitespace", level=LOW, apply=tidy, exact=True)
