"""Whether there is anything to read: a verb that only reads makes no state folder."""

from __future__ import annotations

import argparse

from korad.adapters.key_stores import keys_in_redis
from korad.config import Settings


def no_state_folder(settings: Settings) -> str:
    """Return what is to be told where there is none."""
    return (
        f"there is no state folder {settings.state_dir}, so nothing is kept there; "
        "`korad serve` makes it, or `korad keys create`"
    )


def require_state_folder(settings: Settings) -> None:
    """Raise ArgumentTypeError where there is no state folder: most likely its name is mistyped."""
    if not settings.state_dir.exists():
        raise argparse.ArgumentTypeError(no_state_folder(settings))


def require_keys(settings: Settings) -> None:
    """Raise ArgumentTypeError where the keys, or the pepper they need, have no folder to be in."""
    if not has_keys(settings):
        require_state_folder(settings)


def has_keys(settings: Settings) -> bool:
    """Return whether the key store can be opened without making a state folder."""
    is_elsewhere = keys_in_redis(settings) and settings.keys.pepper is not None
    return is_elsewhere or settings.state_dir.exists()
