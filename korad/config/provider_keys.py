"""What may stand in a `[providers.NAME]` table, and what each may be."""

from __future__ import annotations

import re

from korad.config.kinds import Choice, Flag, Kind, Seconds, Text, WholeNumber
from korad.domain.upstream import AuthScheme, Dialect, OnDisconnect
from korad.domain.value import value

_QUERY = re.compile(r"[!-~]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[ -~]*")
# These belong to the credential, to the dialect or to the framing of the message.
_HEADERS_OF_KORAD = frozenset(
    {
        "accept-encoding",
        "anthropic-version",
        "api-key",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-api-key",
        "x-request-id",
    }
)


@value
class Query:
    """A query string without its question mark."""

    allowed: str = 'a query string without "?" and "#", such as "api-version=preview"'

    def read(self, raw: object) -> str:
        """Return `raw`, which may be empty."""
        if not isinstance(raw, str) or not _QUERY.fullmatch(raw) or set("?#") & set(raw):
            raise ValueError(self.allowed)
        return raw

    def read_text(self, text: str) -> str:
        """Return `text`, which may be empty."""
        return self.read(text)


PROVIDER_KEYS: dict[str, Kind] = {
    "api_key": Text(),
    "dialect": Choice(words=tuple(dialect.value for dialect in Dialect)),
    "base_url": Text(),
    "auth": Choice(words=tuple(scheme.value for scheme in AuthScheme)),
    "connect_timeout_s": Seconds(),
    "first_byte_timeout_s": Seconds(),
    "idle_timeout_s": Seconds(),
    "connections_max": WholeNumber(least=1, most=1_000_000),
    "gateway": Flag(),
    "free": Flag(),
    "query": Query(),
    "on_disconnect": Choice(words=tuple(policy.value for policy in OnDisconnect)),
    "drain_timeout_s": Seconds(),
    "drains_max": WholeNumber(least=0, most=1_000_000),
}


def read_headers(raw: object) -> tuple[tuple[str, str], ...]:
    """Return the extra request headers of a provider, names in lower case.

    Raises ValueError with what is allowed, naming no value: a header may hold a secret.
    """
    if not isinstance(raw, dict):
        raise ValueError("a table of header names and strings")  # noqa: TRY004 - one error for all
    headers = []
    for name, text in raw.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"a table of header names and strings, and {name!r} is no header name")
        if name.lower() in _HEADERS_OF_KORAD:
            raise ValueError(f"without {name}, which korad sets itself")
        if not isinstance(text, str) or not _HEADER_VALUE.fullmatch(text):
            raise ValueError(f"a table of strings of printable ASCII, and {name} is not one")
        headers.append((name.lower(), text))
    return tuple(headers)
