"""These tests run on the event loop that korad is served with, beside real Redis servers."""

from __future__ import annotations

import uvloop

from tests.support.redis import redis_binary, redis_cluster, redis_server

__all__ = ["redis_binary", "redis_cluster", "redis_server"]


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop}
