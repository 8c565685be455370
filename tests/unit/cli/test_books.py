"""What the verbs that read the books know of keys where there is no state folder."""

from __future__ import annotations

import pytest

from korad.cli.books import key_id_of, names_of
from korad.config import load_settings
from korad.ledger import LedgerError


def test_keys_are_not_looked_for_where_that_would_make_a_state_folder(tmp_path):
    settings = load_settings(None, {"KORAD_STATE_DIR": str(tmp_path / "none")})

    assert names_of(settings, ["vk_1", "cu_1"]) == {}
    assert key_id_of(settings, "vk_1") == "vk_1"
    with pytest.raises(LedgerError, match="no key has the id or name 'bob'"):
        key_id_of(settings, "bob")
    assert list(tmp_path.iterdir()) == []
