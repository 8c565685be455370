"""A provider's base URL, taken apart and checked."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

from korad.domain.upstream import Dialect, Origin

ALLOWED = (
    'an address such as "https://api.openai.com/v1": http or https, no user name, password, '
    "query or fragment"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PRINTABLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9.])?")
_ANTHROPIC_VERSION_PATH = "/v1"


def parse_base_url(text: str, dialect: Dialect) -> tuple[Origin, str]:
    """Return where to connect and the path prefix without a trailing slash.

    An Anthropic base URL is given without "/v1", as Anthropic's own SDKs take it; one that has
    it already is left alone. An IPv6 host comes without brackets. Raises ValueError, whose
    message does not repeat `text`: a password may stand in it.
    """
    parts = _split(text)
    port = parts.port
    if port is None:
        port = _DEFAULT_PORTS[parts.scheme]
    elif port == 0:
        raise ValueError(ALLOWED)
    path = parts.path.rstrip("/")
    if dialect is Dialect.ANTHROPIC and not path.endswith(_ANTHROPIC_VERSION_PATH):
        path += _ANTHROPIC_VERSION_PATH
    return Origin(scheme=parts.scheme, host=parts.hostname or "", port=port), path


def format_base_url(origin: Origin, base_path: str) -> str:
    """Return the URL again, without the port where it is the scheme's own."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if origin.port != _DEFAULT_PORTS[origin.scheme]:
        host = f"{host}:{origin.port}"
    return f"{origin.scheme}://{host}{base_path}"


def _split(text: str) -> SplitResult:
    # urlsplit drops line ends and tabs silently, so what it must not see is refused first.
    if not _PRINTABLE.fullmatch(text) or set('?#@\\"<>') & set(text):
        raise ValueError(ALLOWED)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
        if "[" in parts.netloc:
            IPv6Address(host)
            return _checked_scheme(parts)
    except ValueError:
        raise ValueError(ALLOWED) from None
    if not _HOST.fullmatch(host):
        raise ValueError(ALLOWED)
    return _checked_scheme(parts)


def _checked_scheme(parts: SplitResult) -> SplitResult:
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(ALLOWED)
    return parts
