"""TLS to providers: certificates are verified, sessions are resumed.

asyncio has no way to pass a session to a handshake, but it asks the context to wrap each
connection; a context that remembers the last session of its host saves the server's certificate
and one signature per new connection.
"""

from __future__ import annotations

import ssl
from typing import Any


class ResumingContext(ssl.SSLContext):
    """A client context for ONE host that offers the session of its last connection."""

    _last: ssl.SSLObject | None = None

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Wrap a connection, resuming the latest session known."""
        last = self._last
        session = None if last is None else last.session
        if session is not None:
            kwargs["session"] = session
        self._last = super().wrap_bio(*args, **kwargs)
        return self._last


def client_context() -> ssl.SSLContext:
    """Return a verifying context with the system's certificate authorities."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
