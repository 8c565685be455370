"""The admin API: keys, teams, customers, budgets, usage and requests, over HTTP of its own.

Comes in: a bearer token and JSON. Goes out: JSON, errors in OpenAI's shape. Every change is written
to the trail. Off without an address; see `[admin]` in the sample configuration.
"""

from __future__ import annotations

from korad.web.admin.openapi import DOCUMENT
from korad.web.admin.server import AdminServer

__all__ = ["DOCUMENT", "AdminServer"]
