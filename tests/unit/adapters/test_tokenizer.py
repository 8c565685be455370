"""The tokenizer comes out of korad's own file, without a network."""

from __future__ import annotations

import pytest

from korad.adapters import tokenizer
from korad.adapters.tokenizer import TokenizerError, load_encode


@pytest.fixture(autouse=True)
def _restored_environment(monkeypatch, tmp_path):
    """Undo what `load_encode` tells tiktoken."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


def test_the_encoding_is_o200k_and_special_text_is_text(tmp_path):
    encode = load_encode(tmp_path)

    assert list(encode("hello world")) == [24912, 2375]
    assert len(encode("<|endoftext|>")) > 1
    assert [file.name for file in (tmp_path / "tiktoken").iterdir()] == [tokenizer._CACHE_NAME]


def test_a_damaged_file_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizer, "RANKS_SHA256", "0" * 64)
    with pytest.raises(TokenizerError, match="damaged"):
        load_encode(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "tiktoken").write_text("a file in the way")

    with pytest.raises(TokenizerError, match="cannot unpack"):
        load_encode(tmp_path)
