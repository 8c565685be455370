"""The origin of a web page, as browsers write it into their requests."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from korad.domain.value import value

ANY_ORIGIN = "*"
PORT_MAX = 65_535
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?))(?::(\d{1,5}))?",
    re.ASCII | re.IGNORECASE,
)


@value
class WebOrigin:
    """One origin, or "*" for every one; empty is None, as not set."""

    allowed: str = (
        '"*" or one origin such as "https://app.example": scheme, host and perhaps a port, '
        'nothing behind them, not even "/"'
    )

    def read(self, raw: object) -> str | None:
        """Return the origin in the one spelling that browsers compare with."""
        if not isinstance(raw, str):
            raise ValueError(self.allowed)  # noqa: TRY004 - one error for every wrong value
        text = raw.strip()
        if text in ("", ANY_ORIGIN):
            return text or None
        parts = _ORIGIN.fullmatch(text)
        if parts is None:
            raise ValueError(self.allowed)
        scheme, address, name, port = parts.groups()
        host = name.lower() if address is None else f"[{IPv6Address(address)}]"
        return f"{scheme.lower()}://{host}{self._port(scheme.lower(), port)}"

    def read_text(self, text: str) -> str | None:
        """Return the origin that `text` names."""
        return self.read(text)

    def _port(self, scheme: str, digits: str | None) -> str:
        if digits is None:
            return ""
        port = int(digits)
        if not 1 <= port <= PORT_MAX:
            raise ValueError(self.allowed)
        return "" if port == _DEFAULT_PORTS.get(scheme) else f":{port}"
