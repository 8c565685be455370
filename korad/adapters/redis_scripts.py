"""The Lua scripts that korad runs within Redis, as they are packaged."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from korad.domain.value import Fact


class Script(Fact, frozen=True):
    """One script; `sha` is the name Redis gives it."""

    name: str
    text: bytes
    sha: bytes


def make_script(name: str, text: bytes) -> Script:
    """Return the script of this text."""
    digest = hashlib.sha1(text, usedforsecurity=False)
    return Script(name=name, text=text, sha=digest.hexdigest().encode())


def load_script(name: str) -> Script:
    """Return the script in `korad/adapters/scripts/<name>.lua`. Raises FileNotFoundError."""
    file = files("korad.adapters") / "scripts" / f"{name}.lua"
    return make_script(name, file.read_bytes())
