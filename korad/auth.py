"""Who is asking, and may they: request headers to a `VirtualKey`, by digest.

The key store and the ring hold keyed digests only, so a look-up is a dict access on 32 bytes
that the caller cannot steer: no secret is ever compared with another, and nothing that is at
rest can be used as a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from zlib import crc32

from korad.domain.identity import VirtualKey
from korad.errors import UnknownKeyError, no_key, permission_error

SECRET_PREFIX = "sk-bf-"  # noqa: S105 - the public prefix of every key, not a key
RANDOM_BYTES_MIN = 32
DIGEST_BYTES = 32

CREDENTIAL_HEADERS = (b"x-bf-vk", b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")
"""Every header that may carry a virtual key, in the order they decide. None goes upstream."""

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BEARER = b"bearer "
_CHECKSUM_CHARS = 6  # 62^6 > 2^32


def find_credential(headers: Mapping[bytes, bytes]) -> str | None:
    """Return what the first credential header present says, or None when there is none.

    Names are lower-case. "" means a header that holds no key (empty, or not a Bearer): it is
    an answer, not a gap, so that a broken header never lets another one decide.
    """
    for name in CREDENTIAL_HEADERS:
        held = headers.get(name)
        if held is None:
            continue
        held = held.strip()
        if name == b"authorization":
            if held[: len(_BEARER)].lower() != _BEARER:
                return ""
            held = held[len(_BEARER) :].lstrip()
        # Any byte decodes; a secret is ASCII, so other text finds no key instead of raising.
        return held.decode("latin-1")
    return None


def digest_key(pepper: bytes, secret: str | bytes) -> bytes:
    """Return the 32-byte keyed digest under which `secret` is stored and looked up."""
    text = secret.encode() if isinstance(secret, str) else secret
    return blake2b(text, key=pepper, digest_size=DIGEST_BYTES).digest()


def generate_key_secret(random_bytes: bytes) -> str:
    """Return a new virtual key made of `random_bytes` (>= 32), ending in a checksum."""
    if len(random_bytes) < RANDOM_BYTES_MIN:
        raise ValueError(f"a virtual key needs at least {RANDOM_BYTES_MIN} random bytes")
    # Padded to the longest text of so many bytes, so that every key is equally long.
    width = len(_base62((1 << 8 * len(random_bytes)) - 1, 0))
    body = _base62(int.from_bytes(random_bytes), width)
    return f"{SECRET_PREFIX}{body}{_checksum(body)}"


def is_mistyped(secret: str) -> bool:
    """Return whether korad cannot have generated `secret`: for a better message, never a gate."""
    body, checksum = secret[len(SECRET_PREFIX) : -_CHECKSUM_CHARS], secret[-_CHECKSUM_CHARS:]
    return not secret.startswith(SECRET_PREFIX) or checksum != _checksum(body)


class KeyRing:
    """The virtual keys a process knows, by digest.

    Inactive and expired keys stay in it: their holders are told 403, not 401.
    """

    __slots__ = ("_digest_of", "by_digest")

    def __init__(self, keys: Iterable[VirtualKey] = ()) -> None:
        self.by_digest: dict[bytes, VirtualKey] = {}
        """Read-only to others; a method call on every request would cost more than the look-up."""
        self._digest_of: dict[str, bytes] = {}
        self.apply(keys)

    def apply(self, changes: Iterable[VirtualKey]) -> None:
        """Take in new and changed keys; a key whose digest changed loses its old one."""
        for key in changes:
            former = self._digest_of.get(key.key_id)
            if former is not None and former != key.digest:
                del self.by_digest[former]
            self._digest_of[key.key_id] = key.digest
            self.by_digest[key.digest] = key

    def find(self, digest: bytes) -> VirtualKey | None:
        """Return the key stored under `digest`, or None."""
        return self.by_digest.get(digest)

    def __len__(self) -> int:
        return len(self.by_digest)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"


def authenticate(ring: KeyRing, digest: bytes | None, now_s: float) -> VirtualKey:
    """Return the key of `digest` (None: the request carried none) if it is good at `now_s`.

    Raises ClientError: 401 virtual_key_required, 403 virtual_key_blocked; UnknownKeyError.
    """
    if digest is None:
        raise no_key()
    key = ring.by_digest.get(digest)
    if key is None:
        raise UnknownKeyError
    if not key.active:
        raise permission_error("This virtual key is inactive.", "virtual_key_blocked")
    if key.expires_at_s is not None and now_s >= key.expires_at_s:
        raise permission_error("This virtual key has expired.", "virtual_key_blocked")
    return key


def authorize(key: VirtualKey, provider: str, model: str) -> None:
    """Raise ClientError 403 (provider_blocked, model_blocked) unless `key` may use the model.

    `provider` and `model` are the two sides of the first slash of the name asked for.
    """
    if key.allowed_providers is not None and provider not in key.allowed_providers:
        raise permission_error(
            f"This virtual key may not use the provider '{provider}'.", "provider_blocked", "model"
        )
    patterns = key.allowed_models
    if patterns is None or any(model_matches(each, provider, model) for each in patterns):
        return
    raise permission_error(
        f"This virtual key may not use the model '{provider}/{model}'.", "model_blocked", "model"
    )


def model_matches(pattern: str, provider: str, model: str) -> bool:
    """Return whether `pattern` names the model: "openai/gpt-4o", "openai/*", "gpt-4o", "gpt-4*".

    A pattern with a slash is a whole name and one without is a model at any provider; a model
    name with slashes of its own ("openrouter", "openai/gpt-4o") never passes for another
    provider's.
    """
    name = f"{provider}/{model}" if "/" in pattern else model
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def is_model_pattern(text: str) -> bool:
    """Return whether `text` is a pattern that `model_matches` understands as it is meant."""
    rest = text.removesuffix("*")
    return (
        bool(text)
        and "*" not in rest
        and not rest.startswith("/")
        and text.isprintable()
        and " " not in text
    )


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits)).rjust(width, _BASE62[0])


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECKSUM_CHARS)
