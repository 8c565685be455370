"""What may go wrong with virtual keys, and which names and secrets they may have."""

from __future__ import annotations

from typing import Final

from korad.auth import SECRET_PREFIX

NAME_CHARS_MAX: Final = 128
SECRET_CHARS_MIN: Final = 16
SECRET_CHARS_MAX: Final = 512
KEY_ID_PREFIX: Final = "vk_"
TEAM_ID_PREFIX: Final = "tm_"
CUSTOMER_ID_PREFIX: Final = "cu_"
CLEARED: Final = "none"
"""What the command line calls "not in any": no team and no customer has this name."""


class KeyStoreError(Exception):
    """The key store cannot do this; the message says why and what helps."""


class KeyConflictError(KeyStoreError):
    """Another key, team or customer has this name or this secret."""


class InvalidKeyError(KeyStoreError):
    """A name, secret or place that no key, team or customer may have."""


class KeyNotFoundError(KeyStoreError):
    """No key, team or customer has this id, name or secret."""


class KeysLostError(KeyStoreError):
    """The shared store knows less than it did: it was emptied, replaced or set back."""


def check_key_name(name: str) -> None:
    """Raise InvalidKeyError unless a key may be called `name`."""
    _check_name(name, "key", (KEY_ID_PREFIX, SECRET_PREFIX))


def check_group_name(name: str, kind: str) -> None:
    """Raise InvalidKeyError unless a group of `kind` ("team", "customer") may be called `name`."""
    _check_name(name, kind, (TEAM_ID_PREFIX, CUSTOMER_ID_PREFIX, SECRET_PREFIX))
    if name.lower() == CLEARED:
        raise InvalidKeyError(f"a {kind}'s name may not be '{CLEARED}', which means no {kind}")


def check_secret(secret: str) -> None:
    """Raise InvalidKeyError unless `secret` fits in a header."""
    if not (
        SECRET_CHARS_MIN <= len(secret) <= SECRET_CHARS_MAX
        and secret.isascii()
        and secret.isprintable()
        and " " not in secret
    ):
        raise InvalidKeyError(
            f"a key has {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} printable ASCII characters and "
            "no spaces, so that it fits in a header"
        )


def _check_name(name: str, kind: str, prefixes: tuple[str, ...]) -> None:
    if not name or name != name.strip() or not name.isprintable() or len(name) > NAME_CHARS_MAX:
        raise InvalidKeyError(
            f"a {kind}'s name has 1 to {NAME_CHARS_MAX} printable characters and no space at its "
            "ends"
        )
    if name.startswith(prefixes):
        *others, last = (f"'{prefix}'" for prefix in prefixes)
        raise InvalidKeyError(
            f"a {kind}'s name may not begin with {', '.join(others)} or {last}, as ids and keys do"
        )
