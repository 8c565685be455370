"""The look-up of a virtual key, and what it may use."""

from __future__ import annotations

from collections.abc import Iterator

from bench.micro.work import Work
from korad.auth import KeyRing, authenticate, authorize, digest_key
from korad.domain.identity import VirtualKey
from tests.support.rooms import PEPPER, SECRET

_KEYS = 10_000
_NOW_S = 1_700_000_000.0


def authenticated() -> Iterator[Work]:
    """Find a key among 10,000 and see whether it is good."""
    digest = digest_key(PEPPER, SECRET)
    ring = KeyRing(
        VirtualKey(key_id=f"vk_{number}", name="n", digest=digest_key(PEPPER, f"sk-{number}"))
        for number in range(_KEYS)
    )
    key = VirtualKey(key_id="vk_last", name="n", digest=digest)
    ring.apply((key,))
    yield Work(lambda: authenticate(ring, digest, _NOW_S), lambda found: found is key)


def authorized() -> Iterator[Work]:
    """See whether a key with a pattern may use a model."""
    key = VirtualKey(
        key_id="vk_1",
        name="n",
        digest=b"1" * 32,
        allowed_providers=frozenset({"openai", "anthropic"}),
        # One alone: which of several is tried first differs from process to process.
        allowed_models=frozenset({"openai/gpt-4*"}),
    )
    yield Work(
        lambda: authorize(key, "openai", "gpt-4o-mini"),
        lambda found: found is None,
    )


def digested() -> Iterator[Work]:
    """Make the digest of a key that no head remembered brought."""
    expected = digest_key(PEPPER, SECRET)
    yield Work(lambda: digest_key(PEPPER, SECRET), lambda found: found == expected)
