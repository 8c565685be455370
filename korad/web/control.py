"""Health, models, metrics and recent requests."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from aiohttp import web

from korad.auth import authorize
from korad.domain.identity import VirtualKey
from korad.errors import ClientError
from korad.ports import RecentRequests
from korad.web.chat_completions import read_head
from korad.web.shell import Shell


class ControlPlane:
    """The handlers beside the endpoint itself."""

    def __init__(
        self,
        shell: Shell,
        *,
        model_names: Callable[[], list[str]],
        recent: RecentRequests,
        render_metrics: Callable[[], bytes],
    ) -> None:
        self._shell = shell
        self._model_names = model_names
        self._recent = recent
        self._render_metrics = render_metrics

    async def livez(self, request: web.Request) -> web.Response:
        """Say that the event loop turns."""
        del request
        return _json({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Say whether requests are welcome."""
        del request
        self._shell.refuse()
        return _json({"status": "ready", "inflight": self._shell.inflight})

    async def metrics(self, request: web.Request) -> web.Response:
        """Return the metrics of all workers in Prometheus' text format."""
        del request
        return web.Response(
            body=self._render_metrics(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def models(self, request: web.Request) -> web.Response:
        """Return the models that the key may use and that have a price, in OpenAI's list shape."""
        key = await self._authenticate(request)
        names = [name for name in self._model_names() if _may_use(key, name)]
        return _json({"object": "list", "data": [_model(name) for name in names]})

    async def model(self, request: web.Request) -> web.Response:
        """Return one model."""
        key = await self._authenticate(request)
        name = request.match_info["model"]
        if not self._is_served(name) or not _may_use(key, name):
            raise ClientError(
                404,
                f"The model '{name[:200]}' does not exist.",
                kind="invalid_request_error",
                code="model_not_found",
                param="model",
            )
        return _json(_model(name))

    async def request(self, request: web.Request) -> web.Response:
        """Return the final figures of a recent request made with the same key."""
        key = await self._authenticate(request)
        record = self._recent.find(request.match_info["request_id"])
        if record is None or record.key_id != key.key_id:
            raise ClientError(
                404,
                "No such request among the recent ones of this key.",
                kind="invalid_request_error",
                code="not_found",
            )
        return web.Response(body=record.json, content_type="application/json")

    def _is_served(self, name: str) -> bool:
        try:
            self._shell.rooms.destination(name)
        except ClientError:
            return False
        return True

    async def _authenticate(self, request: web.Request) -> VirtualKey:
        return await self._shell.authenticate(read_head(self._shell, request).credential_digest)


def _may_use(key: VirtualKey, name: str) -> bool:
    provider, _, model = name.partition("/")
    try:
        authorize(key, provider, model)
    except ClientError:
        return False
    return True


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]}


def _json(body: object) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")
