"""A chat-completions request, parsed only as far as korad reads it."""

from __future__ import annotations

import msgspec

from korad.domain.value import Fact


class ChatRequest(Fact, frozen=True):
    """What `korad.wire.openai.parse_chat_request` makes of a request body.

    `members` holds every top-level member under its name, each as the client's own bytes, so
    that what korad does not touch goes on as it came (20-digit integers, escapes, number
    spelling). Treat it as read-only.
    """

    raw: bytes
    members: dict[str, msgspec.Raw]
    model: str
    """The name the client asked for, e.g. "anthropic/claude-sonnet-4-5-20250929"."""
    stream: bool
    include_usage: bool
    """The client itself asked for the usage chunk (`stream_options.include_usage`)."""
    plain_levels: set[int] | None = None
    """Shared by requests of the very same messages: at which levels these are sent unchanged."""

    def messages_json(self) -> bytes:
        """Return the member `messages`: a copy, of 200 KB 15 us."""
        return bytes(self.members["messages"])

    def whole_number(self, name: str) -> int | None:
        """Return a member that is a whole number above 0, else None."""
        raw = self.members.get(name)
        try:
            number = None if raw is None else msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return number if type(number) is int and number > 0 else None

    @property
    def max_tokens(self) -> int | None:
        """How long the answer may be, where the client says so."""
        newer = self.whole_number("max_completion_tokens")
        return self.whole_number("max_tokens") if newer is None else newer
