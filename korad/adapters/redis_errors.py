"""What can become of a command instead of a reply.

Where `may_have_run` is false the server never saw the command; where it is true nobody knows.
"""

from __future__ import annotations


class PipelineError(Exception):
    """No reply came."""

    may_have_run = False


class NotConnectedError(PipelineError):
    """There is no connection now; the command was not sent."""


class QueueFullError(PipelineError):
    """Too many commands wait for replies; the command was not sent."""


class ReplyTimeoutError(PipelineError):
    """The deadline passed; the command was sent and may run yet."""

    may_have_run = True


class ConnectionLostError(PipelineError):
    """The connection ended before the reply came."""

    may_have_run = True
