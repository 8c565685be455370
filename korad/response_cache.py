"""The exact response cache: which requests take part, under which key, and the store in memory.

Two requests are the same when key, level, destination and every member of the body are. Members
are compared as JSON values: order of names, blanks and escapes do not count; of a number the
spelling does, so that no two numbers are ever taken for one. In a long body the members' own bytes
are compared. Off is the default, and then nothing of this is touched.

Two equal requests under way at once both go upstream; the later answer replaces the earlier one.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import msgspec

from korad.domain.answer import StoredAnswer
from korad.domain.chat import ChatRequest
from korad.wire.openai import encode_members

BODY_BYTES_MAX = 1024 * 1024
"""Longest request body that takes part: its key is made on the event loop, 2 us per KiB."""
MEMBERS_MAX = 1_000
"""Most members of a body that takes part: no API has as many, and a key sorts them."""
DECODED_BYTES_MAX = 65_536
"""Longest body whose members are compared as values, not as bytes: that costs 10 us per KiB."""
ENTRY_BYTES_MAX = 1024 * 1024
"""Longest answer kept."""
KEY_BYTES = 32

_ENTRY_OVERHEAD_BYTES = 1_024
"""What an entry takes beside its bytes: key, records, place in the table."""

# A number keeps its own spelling: through a float, 1e999 and many a long one would be another's.
_decode = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode())).decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def takes_part(request: ChatRequest, *, asked: bool) -> bool:
    """Return whether a request for which the cache is on may use it.

    `asked`: it says so itself. Where only its key does, temperature 0 must show that the same
    answer is expected again.
    """
    if len(request.raw) > BODY_BYTES_MAX or len(request.members) > MEMBERS_MAX:
        return False
    return asked or _is_zero(request.members.get("temperature"))


def cache_key(request: ChatRequest, *parts: str) -> bytes:
    """Return the 32-byte key of a request for whatever else `parts` say decides its answer."""
    flags = (str(request.stream), str(request.include_usage))
    # Encoded as JSON, so that no two lists of parts run into the same bytes.
    digest = blake2b(msgspec.json.encode((request.model, *flags, *parts)), digest_size=KEY_BYTES)
    digest.update(_canonical(request))
    return digest.digest()


def _canonical(request: ChatRequest) -> bytes:
    """Return the body's members in one spelling for all equal bodies."""
    raw = request.raw
    # A name that occurs twice would be dropped by decoding, and which of the two a provider reads
    # is not known. Each dropped member takes quotes with it, so their number tells.
    if len(raw) <= DECODED_BYTES_MAX and b"\\u0022" not in raw:
        try:
            canonical = _encode_sorted(_decode(raw))
        except (msgspec.DecodeError, RecursionError):
            # Good JSON that is no value of Python's: thousands of digits or of brackets.
            return _by_name(request)
        if canonical.count(b'"') == raw.count(b'"'):
            return canonical
    return _by_name(request)


def _by_name(request: ChatRequest) -> bytes:
    return encode_members(dict(sorted(request.members.items())))


def _is_zero(raw: msgspec.Raw | None) -> bool:
    if raw is None:
        return False
    try:
        number = msgspec.json.decode(raw, type=float)
    except msgspec.DecodeError:
        return False
    return bool(number == 0)


class Recording:
    """The answer to one request as its client gets it, as far as it may be kept."""

    __slots__ = ("_bytes", "_pieces", "key")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._bytes = 0
        self._pieces: list[bytes] = []

    def take(self, data: bytes) -> None:
        """Take a piece of the answer; from ENTRY_BYTES_MAX on nothing is held any more."""
        self._bytes += len(data)
        if self._bytes <= ENTRY_BYTES_MAX:
            self._pieces.append(data)
        else:
            self._pieces = []

    def whole(self) -> bytes | None:
        """Return the answer, or None when it was too long."""
        return b"".join(self._pieces) if self._bytes <= ENTRY_BYTES_MAX else None


class AnswerMemory:
    """Answers in this process: the least recently used goes first."""

    __slots__ = ("_bytes_max", "_entries", "_ttl_ms", "bytes_held")

    def __init__(self, *, ttl_s: float, bytes_max: int) -> None:
        self._ttl_ms = round(ttl_s * 1000)
        self._bytes_max = bytes_max
        self._entries: OrderedDict[bytes, StoredAnswer] = OrderedDict()
        self.bytes_held = 0

    def get(self, key: bytes, now_ms: int) -> StoredAnswer | None:
        """Return the answer under `key` at Unix time `now_ms`; an expired one is dropped."""
        answer = self._entries.get(key)
        if answer is None:
            return None
        if now_ms >= answer.stored_ms + self._ttl_ms:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return answer

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep `answer`, in place of what `key` held; one that is too large is not kept."""
        if key in self._entries:
            self._drop(key)
        size_bytes = _size_bytes(answer)
        if len(answer.body) > ENTRY_BYTES_MAX or size_bytes > self._bytes_max:
            return
        while self.bytes_held + size_bytes > self._bytes_max:
            self._drop(next(iter(self._entries)))
        self._entries[key] = answer
        self.bytes_held += size_bytes

    def __len__(self) -> int:
        """Return how many answers are held."""
        return len(self._entries)

    def _drop(self, key: bytes) -> None:
        self.bytes_held -= _size_bytes(self._entries.pop(key))


def _size_bytes(answer: StoredAnswer) -> int:
    return len(answer.body) + len(answer.lines) + _ENTRY_OVERHEAD_BYTES
