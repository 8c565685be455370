"""What is known of a request on its way through the chain."""

from __future__ import annotations

import pytest

from korad.optimizer.draft import Draft
from korad.optimizer.shrink import BLOCK_CHARS_MIN, UNCHANGED, Form

SHORTER = Form(raw=b"{}", applied=("Whitespace",))


@pytest.mark.parametrize(
    ("forms", "is_known", "changes"),
    [
        ([], False, False),
        ([UNCHANGED], False, False),
        ([UNCHANGED, UNCHANGED], True, False),
        ([UNCHANGED, SHORTER], True, True),
        ([SHORTER], False, True),
    ],
)
def test_what_the_forms_found_tell(forms, is_known, changes):
    draft = Draft(level=1, messages=[b"{}", b"{}"], forms=forms)

    assert (is_known, changes) == (draft.is_known, draft.changes)


@pytest.mark.parametrize(
    ("forms", "size", "expected"),
    [
        ([], BLOCK_CHARS_MIN, True),
        ([], BLOCK_CHARS_MIN - 1, False),
        ([UNCHANGED], BLOCK_CHARS_MIN - 1, False),
        ([UNCHANGED, SHORTER], 1, True),
    ],
)
def test_short_messages_change_only_what_changed_before(forms, size, expected):
    assert expected is Draft(level=1, forms=forms).may_change([b"short", b"x" * size])
