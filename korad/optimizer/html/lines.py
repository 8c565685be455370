"""Tidy the lines of a page: menus that stand twice, wrapper lists, pictures that repeat a text."""

from __future__ import annotations

import re
from typing import Final

from korad.optimizer.html.marks import AGAIN, TARGET

_ITEM: Final = re.compile(r"( *)((?:(?:-|[0-9]{1,9}[.]) )+)(.*)")
_ITEM_STARTS: Final = frozenset(" -0123456789")
_LINK: Final = rf"\[(?:!\[([^\[\]\n]*+)\]|([^\[\]\n]*+))\]\({TARGET}([^\s(){TARGET}]++)\)"
_LINK_ONLY: Final = re.compile(rf"(?m)^( *(?:-|[0-9]{{1,9}}[.]) |){_LINK}$")
_MENU_LINK: Final = re.compile(_LINK)
_IDLE_BUTTON: Final = re.compile(
    r"\[button: (?:close|[x\u00d7]|(?:close|toggle|open) (?:(?:mobile )?menu|navigation|modal)"
    r"(?: [x\u00d7])?)\]",
    re.IGNORECASE,
)
_FEWEST_REPEATED: Final = 3
_FEWEST_LINKS: Final = 4
_LONGEST_MENU_WORDS: Final = 40


def tidy(text: str, *, targets: bool) -> str:
    """Return the text without what its lines say again, lists indented by their depth.

    Menus are one line; without `targets` they do not say where their links lead.
    """
    lines = _without_repeated(_without_idle_buttons(text).split("\n"))
    text = "\n".join(_lists(lines, targets=targets)).replace(AGAIN, "")
    return _LINK_ONLY.sub(_without_brackets, text)


def _without_brackets(link: re.Match[str]) -> str:
    return f"{link[1]}{link[2] or link[3] or ''} {TARGET}{link[4]}"


def _without_idle_buttons(text: str) -> str:
    """Return the text without buttons that only open or close a menu, and the blank before each."""
    parts: list[str] = []
    done = 0
    for button in _IDLE_BUTTON.finditer(text):
        parts.append(text[done : button.start()].removesuffix(" "))
        done = button.end()
    return "".join([*parts, text[done:]])


def _item(line: str) -> re.Match[str] | None:
    return _ITEM.match(line) if line[:1] in _ITEM_STARTS else None


def _depth(line: str) -> int:
    """Return how far a list item stands in, in characters; -1: the line is no list item."""
    item = _item(line)
    return item.end(2) if item else -1


def _without_repeated(lines: list[str]) -> list[str]:
    """Drop links given before that stand alone, and pictures and choices that a line says too."""
    pictures = {line for line in lines if line.startswith("![")}
    said = {_words(line) for line in lines} if pictures else set()
    choices: set[str] = set()
    kept: list[str] = []
    for line in lines:
        if line in pictures and line[2:-1] in said:
            continue
        if line.startswith("[select "):
            name, _, options = line.partition(": ")
            kept.append(f"{name}: as above]" if options in choices else line)
            choices.add(options)
        else:
            kept.append(line)
    return _without_given(kept)


def _words(line: str) -> str:
    line = line.lstrip("#[- >")
    end = line.find("](" + TARGET)
    return line if end < 0 else line[:end]


def _without_given(lines: list[str]) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        if line.endswith(AGAIN) and line.count(AGAIN) == 2 and _stands_alone(line):  # noqa: PLR2004 - before and after
            # An item stays above the items that it leads to.
            depth = _depth(line)
            if depth < 0 or not kept or _depth(kept[-1]) <= depth:
                continue
        kept.append(line)
    kept.reverse()
    return kept


def _stands_alone(line: str) -> bool:
    return not line[: line.index(AGAIN)].strip("- ")


def _lists(lines: list[str], *, targets: bool) -> list[str]:
    """Drop menus that stand a second time; write the others without the depth of mere wrappers."""
    out: list[str] = []
    seen: set[str] = set()
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
                out += _items(run, seen, targets=targets)
                run = []
            if blank and out and out[-1]:
                out.append("")
            blank = False
            out.append(line)
    return out[:-1]


def _items(run: list[tuple[int, str, str]], seen: set[str], *, targets: bool) -> list[str]:
    said = {words for _, _, words in run}
    if len(run) >= _FEWEST_REPEATED and seen.issuperset(said):
        return []
    seen.update(said)
    depths: list[int] = []
    out: list[str] = []
    menu: list[tuple[str, str]] = []
    before = ""
    for at, bullet, words in run:
        while depths and depths[-1] > at:
            depths.pop()
        if not depths or depths[-1] < at:
            depths.append(at)
        start = f"{'  ' * (len(depths) - 1)}{bullet} "
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
