"""What the verbs that manage keys, teams and customers print, and how they end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import orjson

from korad.adapters.key_changes import VirtualKeys
from korad.adapters.key_errors import InvalidKeyError, KeyNotFoundError, KeyStoreError
from korad.adapters.key_stores import open_keys
from korad.adapters.pepper import PepperError
from korad.cli.key_warnings import warn_of_place
from korad.cli.limit_values import CLEARED
from korad.cli.options import settings_from
from korad.cli.state_folder import has_keys, no_state_folder, require_keys
from korad.config import Settings
from korad.domain.limits import GroupKind

Verb = Callable[[argparse.Namespace, VirtualKeys, Settings], None]


def run_verb(
    args: argparse.Namespace, verb: Verb, noun: str, *, begins: bool = False, lists: bool = False
) -> int:
    """Run `verb` on the key store of `args` and return the exit code: 0, 1 or 2 (wrong usage).

    Where there is no store, a verb that `begins` makes it, to one that `lists` it is empty, and to
    all others that is wrong usage.
    """
    settings = settings_from(args)
    warn_of_place(settings, noun)
    try:
        if lists and not has_keys(settings):
            sys.stderr.write(f"korad {noun}: {no_state_folder(settings)}\n")
            if args.as_json:
                write_json([])
            return 0
        if not begins:
            require_keys(settings)
        with open_keys(settings) as store:
            verb(args, store, settings)
    except (InvalidKeyError, argparse.ArgumentTypeError) as error:
        return _fail(noun, error, 2)
    except (KeyStoreError, PepperError) as error:
        return _fail(noun, error, 1)
    return 0


def group_id(store: VirtualKeys, kind: GroupKind, reference: str) -> str | None:
    """Return the id of a team or customer, None for "none". Raises KeyNotFoundError."""
    if reference.lower() == CLEARED:
        return None
    group = store.get_group(kind, reference)
    if group is None:
        raise group_not_found(kind, reference)
    return group.group_id


def group_not_found(kind: GroupKind, reference: str) -> KeyNotFoundError:
    """Return the error for a team or customer that is not there."""
    return KeyNotFoundError(
        f"no {kind.value} has the id or name '{reference}'; see: korad {kind.value}s list"
    )


def write(text: str) -> None:
    """Print `text` as it is."""
    sys.stdout.write(text)


def write_json(shown: object) -> None:
    """Print `shown` as JSON."""
    write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")


def lines(facts: Sequence[tuple[str, str]]) -> str:
    """Return labelled facts, one a line."""
    width = max(len(label) for label, _ in facts)
    return "".join(f"{label:<{width}}  {fact}\n" for label, fact in facts)


def table(rows: Sequence[Sequence[str]], *, numbers: int = 0) -> str:
    """Return rows as aligned columns, one a line; the first row is the head.

    The last `numbers` columns are figures, whose digits stand below one another.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<"] * (len(widths) - numbers) + [">"] * numbers
    return "".join(
        "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        + "\n"
        for row in rows
    )


def _fail(noun: str, error: Exception, code: int) -> int:
    sys.stderr.write(f"korad {noun}: {error}\n")
    return code
