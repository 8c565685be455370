"""Everything that can go wrong with an exchange, and what the client is told.

    KoradError                      an answer in OpenAI's error shape
    ├── ClientError                 the caller's fault, 4xx
    │   └── UnknownKeyError         401: it may have been made a moment ago
    ├── UpstreamError               the provider's fault, 502 / 504
    ├── UpstreamRefused             the provider's own error answer, passed on
    └── ServerError                 ours: draining, overloaded, bugs
    ExchangeStateError              a bug: a step of an exchange out of order

The table "Errors" of the README lists status, type and code of each.
"""

from __future__ import annotations

import orjson

Headers = tuple[tuple[str, str], ...]


class KoradError(Exception):
    """An answer in OpenAI's error shape: status, message, type, param, code and extra headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str,
        code: str | None,
        param: str | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = headers

    def body(self) -> bytes:
        """Return the JSON error object, all four keys present."""
        return orjson.dumps(
            {
                "error": {
                    "message": self.message,
                    "type": self.kind,
                    "param": self.param,
                    "code": self.code,
                }
            }
        )


class ClientError(KoradError):
    """The caller's fault."""


class UnknownKeyError(ClientError):
    """No such virtual key is known; it may have been made a moment ago."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "Unknown virtual key. One is made with: korad keys create --name NAME",
            kind="authentication_error",
            code="virtual_key_not_found",
        )


class UpstreamError(KoradError):
    """The provider could not be reached, broke off or took too long."""


class UpstreamRefused(KoradError):  # noqa: N818 - it refused; an error is what it sent
    """The provider answered with an error of its own; status and message are passed on."""


class ServerError(KoradError):
    """korad itself cannot serve this now."""


class ExchangeStateError(RuntimeError):
    """A step of an exchange was taken out of order: our bug, never the client's."""


def invalid_request(message: str, *, code: str, param: str | None = None) -> ClientError:
    """Return a 400 of type invalid_request_error."""
    return ClientError(400, message, kind="invalid_request_error", code=code, param=param)


def unsupported_parameter(message: str, param: str) -> ClientError:
    """Return the 400 for a parameter that the provider cannot honour."""
    return invalid_request(message, code="unsupported_parameter", param=param)


def invalid_messages(message: str, param: str = "messages") -> ClientError:
    """Return the 400 for messages that are missing or of the wrong shape."""
    return invalid_request(message, code="invalid_messages", param=param)


def no_key() -> ClientError:
    """Return the 401 for a request without a key."""
    return ClientError(
        401,
        "No virtual key. Send it as 'x-bf-vk: sk-bf-...' or 'Authorization: Bearer sk-bf-...'.",
        kind="authentication_error",
        code="virtual_key_required",
    )


def body_timed_out() -> ClientError:
    """Return the 408 for a body that stopped coming."""
    return ClientError(
        408,
        "The request's body did not arrive in time.",
        kind="invalid_request_error",
        code="request_timeout",
    )


def permission_error(message: str, code: str, param: str | None = None) -> ClientError:
    """Return a 403: `virtual_key_blocked`, `provider_blocked` or `model_blocked`."""
    return ClientError(403, message, kind="permission_error", code=code, param=param)


def upstream_error(status: int, message: str, code: str) -> UpstreamError:
    """Return a 502 (`upstream_unreachable`, `upstream_broken`) or 504 (`upstream_timeout`)."""
    return UpstreamError(status, message, kind="upstream_error", code=code)


def server_error(
    status: int, message: str, code: str, *, retry_after_s: int | None = None
) -> ServerError:
    """Return a 500 or 503 of type server_error, with `retry-after` where one is given."""
    headers = () if retry_after_s is None else (("retry-after", str(retry_after_s)),)
    return ServerError(status, message, kind="server_error", code=code, headers=headers)
