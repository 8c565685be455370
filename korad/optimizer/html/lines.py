"""Tidy the lines of a page: menus that stand twice, wrapper lists, pictures that repeat a text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from korad.optimizer.html.again import without_said_again
from korad.optimizer.html.marks import AGAIN, TARGET

_ITEM: Final = re.compile(r"( *)((?:(?:-|[0-9]{1,9}[.]) )+)(.*)")
_ITEM_STARTS: Final = frozenset(" -0123456789")
_LINK: Final = rf"\[(?:!\[([^\[\]\n]*+)\]|([^\[\]\n]*+))\]\({TARGET}([^\s(){TARGET}]++)\)"
_LINK_ONLY: Final = re.compile(rf"( *(?:(?:-|[0-9]{{1,9}}[.]|#{{1,6}}) ){{0,2}}){_LINK}")
_MENU_LINK: Final = re.compile(_LINK)
_BUTTON: Final = "[button: "
_IDLE: Final = re.compile(
    r"(?:close|[x\u00d7]|(?:close|toggle|open) (?:(?:mobile )?menu|navigation|modal)"
    r"(?: [x\u00d7])?)\]",
    re.IGNORECASE,
)
_PICTURE_OF: Final = re.compile(r" (?:image|photo|picture|logo|thumbnail)$", re.IGNORECASE)
_LINES_BESIDE: Final = 4
"""Two texts, with blank lines between."""
_FEWEST_LINKS: Final = 4
_LONGEST_MENU_WORDS: Final = 40


def tidy(text: str, *, targets: bool) -> str:
    """Return the text without what its lines say again, lists indented by their depth.

    Menus are one line; without `targets` they do not say where their links lead.
    """
    text = without_said_again(_without_idle_buttons(text)).replace(AGAIN, "")
    lines = _without_repeated(text.split("\n"))
    lines = _lists(lines, targets=targets)
    return "\n".join([_without_brackets(line) if line[-1:] == ")" else line for line in lines])


def _without_brackets(line: str) -> str:
    link = _LINK_ONLY.fullmatch(line)
    return f"{link[1]}{link[2] or link[3] or ''} {TARGET}{link[4]}" if link else line


def _without_idle_buttons(text: str) -> str:
    """Return the text without buttons that only open or close a menu, and the blank before each."""
    first, *others = text.split(_BUTTON)
    parts = [first]
    in_row = first[:1] == "|"
    for other in others:
        _, found, line = parts[-1].rpartition("\n")
        in_row = line[:1] == "|" if found else in_row
        idle = _IDLE.match(other)
        if idle and not in_row:  # in a table it is what can be done there
            parts[-1] = parts[-1].removesuffix(" ")
            parts.append(other[idle.end() :])
        else:
            parts += [_BUTTON, other]
    return "".join(parts)


def _item(line: str) -> re.Match[str] | None:
    return _ITEM.match(line) if line[:1] in _ITEM_STARTS else None


def _without_repeated(lines: list[str]) -> list[str]:
    """Drop pictures that a line beside them says too, and choices that stand above."""
    choices: set[str] = set()
    kept: list[str] = []
    for at, line in enumerate(lines):
        if line.startswith("!["):
            shown = _PICTURE_OF.sub("", line[2:-1])
            before = lines[max(at - _LINES_BESIDE, 0) : at]
            after = lines[at + 1 : at + 1 + _LINES_BESIDE]
            if _is_said(shown, reversed(before)) or _is_said(shown, after):
                continue
        if line.startswith("[select "):
            name, _, options = line.partition(": ")
            kept.append(f"{name}: as above]" if options in choices else line)
            choices.add(options)
        else:
            kept.append(line)
    return kept


def _is_said(words: str, lines: Iterable[str]) -> bool:
    """Tell whether one of the lines says the words, before a heading says something else."""
    for line in lines:
        if _words(line) == words:
            return True
        if line.startswith("#"):
            return False
    return False


def _words(line: str) -> str:
    line = line.lstrip("#[- >")
    words, found, _ = line.partition(TARGET)
    return words.removesuffix(" ").removesuffix("](") if found else line


def _lists(lines: list[str], *, targets: bool) -> list[str]:
    """Drop menus that stand a second time; write the others without the depth of mere wrappers."""
    out: list[str] = []
    run: list[tuple[int, str, str]] = []
    blank = False
    for line in [*lines, "end"]:
        if item := _item(line):
            run.append((item.end(2), item[2].split()[-1], item[3]))
            blank = False
        elif not line:
            blank = True
        else:
            if run:
                out += _items(run, targets=targets)
                run = []
            if blank and out and out[-1]:
                out.append("")
            blank = False
            out.append(line)
    return out[:-1]


def _items(run: list[tuple[int, str, str]], *, targets: bool) -> list[str]:
    depths: list[int] = []
    out: list[str] = []
    menu: list[tuple[str, str]] = []
    before = ""
    for at, bullet, words in run:
        while depths and depths[-1] > at:
            depths.pop()
        if not depths or depths[-1] < at:
            depths.append(at)
        # A heading needs no bullet.
        bare = bullet == "-" and words[:1] == "#"
        start = "" if bare else f"{'  ' * (len(depths) - 1)}{bullet} "
        link = _MENU_LINK.fullmatch(words) if bullet == "-" and words[-1:] == ")" else None
        if menu and (start != before or link is None):
            out += _menu(menu, before, targets=targets)
            menu = []
        before = start
        if link is None:
            out.append(start + words)
        else:
            menu.append((link[1] or link[2] or "", link[3]))
    return out + _menu(menu, before, targets=targets)


def _menu(links: list[tuple[str, str]], start: str, *, targets: bool) -> list[str]:
    """Write items that are links on one line if they are many and short."""
    if len(links) < _FEWEST_LINKS or max(len(words) for words, _ in links) > _LONGEST_MENU_WORDS:
        return [f"{start}{words} {TARGET}{target}" for words, target in links]
    if not targets:
        return [start + ", ".join(words for words, _ in links)]
    return [start + " ".join(f"{words} {TARGET}{target}" for words, target in links)]
