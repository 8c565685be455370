"""Load the o200k_base encoding from the rank file that korad carries; no network is used.

tiktoken finds a rank file in its cache folder by name and checks the SHA-256 itself, so the file
only has to be unpacked once per state folder.
"""

from __future__ import annotations

import gzip
import os
import secrets
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path

import tiktoken

from korad.adapters.private_folder import make_private_folder

ENCODING = "o200k_base"
RANKS_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
# tiktoken names a cached file by the SHA-1 of the address it would have fetched it from.
_CACHE_NAME = "fb374d419588a4632f3f557e76b4b70aebbca790"


class TokenizerError(Exception):
    """The carried rank file is damaged or cannot be unpacked."""


def load_encode(state_dir: Path) -> Callable[[str], Sequence[int]]:
    """Return a function from text to o200k tokens; takes about half a second and 90 MB.

    The function releases the GIL and counts special-token text as ordinary text. Raises
    TokenizerError.
    """
    folder = state_dir / "tiktoken"
    target = folder / _CACHE_NAME
    try:
        if not target.exists():
            _unpack(target)
    except (OSError, EOFError) as error:
        raise TokenizerError(f"cannot unpack the tokenizer's ranks to {target}: {error}") from error
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)  # noqa: TID251 - the only way to tell tiktoken
    return tiktoken.get_encoding(ENCODING).encode_ordinary


def _unpack(target: Path) -> None:
    packed = resources.files("korad.data").joinpath(f"{ENCODING}.tiktoken.gz").read_bytes()
    ranks = gzip.decompress(packed)
    if sha256(ranks).hexdigest() != RANKS_SHA256:
        raise TokenizerError("the tokenizer's rank file is damaged: reinstall korad")
    make_private_folder(target.parent)
    draft = target.with_name(f".{secrets.token_hex(8)}")
    draft.write_bytes(ranks)
    draft.replace(target)
