"""What the first releases of a supported Python get wrong, Debian 12's among them."""

from __future__ import annotations

from pathlib import Path

import korad

HOUSE = Path(korad.__file__).parent


def test_no_pattern_makes_a_group_possessively_optional():
    # Before 3.11.5 `(?:a|b)?+` goes on behind an alternative that failed; `?` or `*+` do not.
    wrong = [file.name for file in HOUSE.rglob("*.py") if ")?+" in file.read_text(encoding="utf-8")]

    assert wrong == []
