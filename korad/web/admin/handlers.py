"""What the admin API does: one method per operation, named as in its OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import orjson
from aiohttp import web

from korad.adapters.key_changes import VirtualKeys
from korad.adapters.limit_report import (
    BooksNotBegunError,
    read_spending,
    spending_object,
    usd_text,
)
from korad.clock import unix_ns, unix_s
from korad.config.kinds import WholeNumber
from korad.domain.limits import Group, Limits
from korad.errors import server_error
from korad.ledger.reports import lines, newest, of_request
from korad.ledger.store import Ledger
from korad.web.admin.fields import (
    KEY_FIELDS,
    invalid_field,
    read_fields,
    show_group,
    show_key,
)
from korad.web.admin.reading import (
    CHANGE,
    REQUEST_ID,
    group_fields,
    kind_of,
    no_ledger,
    not_found,
    period_of,
    read_body,
    required,
    some,
)
from korad.web.admin.trail import Trail

REQUESTS_MAX = 1_000
_FIGURES = ("events", "input_tokens", "output_tokens", "cached_tokens", "saved_tokens")
_BY = {"key": "key_id", "team": "team_id", "customer": "customer_id", "day": "day"}

_log = logging.getLogger("korad")
T = TypeVar("T")


class Redis(Protocol):
    """What is asked of Redis."""

    def execute_command(self, *args: Any) -> Awaitable[Any]:
        """Run a command."""
        ...


class Handlers:
    """The operations. Stores and ledger are asked in one thread, in order."""

    def __init__(
        self,
        open_keys: Callable[[], VirtualKeys],
        trail: Trail,
        ledger: Ledger | None,
        redis: Redis,
        *,
        shards: int,
    ) -> None:
        self._open_keys = open_keys
        self._keys: VirtualKeys | None = None
        self._trail = trail
        self._ledger = ledger
        self._redis = redis
        self._shards = shards
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="admin")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True)
        if self._keys is not None:
            self._keys.close()

    # ── keys ─────────────────────────────────────────────────────────────────────────────────

    async def list_keys(self, _request: web.Request) -> Any:
        """Return all keys, revoked ones too."""
        keys = await self._in_store(lambda store: (store.list_keys(), store.hints()))
        return {"data": [show_key(key, keys[1].get(key.key_id, "")) for key in keys[0]]}

    async def create_key(self, request: web.Request) -> Any:
        """Make a key; its secret is in this answer only."""
        body = await read_body(request)
        changes = read_fields(body, KEY_FIELDS)
        name = required(changes, "name")
        key, secret = await self._change(
            lambda store: store.create(name, now_s=unix_s(), **changes)
        )
        await self._note(request, "keys.create", key.key_id, body)
        hint = await self._in_store(lambda store: store.hint(key.key_id))
        return {"key": secret.reveal(), **show_key(key, hint)}

    async def get_key(self, request: web.Request) -> Any:
        """Return one key."""
        key = await self._key(request)
        return show_key(key, await self._in_store(lambda store: store.hint(key.key_id)))

    async def update_key(self, request: web.Request) -> Any:
        """Change the fields that are named."""
        key = await self._key(request)
        body = await read_body(request)
        changes = some(read_fields(body, KEY_FIELDS))
        changed = await self._change(lambda store: store.update(key.key_id, **changes))
        await self._note(request, "keys.update", key.key_id, body)
        return show_key(changed, await self._in_store(lambda store: store.hint(key.key_id)))

    async def revoke_key(self, request: web.Request) -> Any:
        """Refuse a key from now on; it stays in the list, inactive."""
        key = await self._key(request)
        changed = await self._change(lambda store: store.revoke(key.key_id))
        await self._note(request, "keys.revoke", key.key_id, {})
        return show_key(changed, await self._in_store(lambda store: store.hint(key.key_id)))

    async def key_budget(self, request: web.Request) -> Any:
        """Return what a key's budgets have left."""
        key = await self._key(request)
        return await self._left(key.key_id, key.account, key.own_limits)

    # ── teams and customers ──────────────────────────────────────────────────────────────────

    async def list_groups(self, request: web.Request) -> Any:
        """Return all teams, or all customers."""
        kind = kind_of(request)
        groups = await self._in_store(lambda store: store.list_groups(kind))
        return {"data": [show_group(group) for group in groups]}

    async def create_group(self, request: web.Request) -> Any:
        """Make a team or a customer."""
        kind, body = kind_of(request), await read_body(request)
        changes = read_fields(body, group_fields(kind))
        name = required(changes, "name")
        group = await self._change(
            lambda store: store.create_group(kind, name, now_s=unix_s(), **changes)
        )
        await self._note(request, f"{kind.value}s.create", group.group_id, body)
        return show_group(group)

    async def get_group(self, request: web.Request) -> Any:
        """Return one team or customer."""
        return show_group(await self._group(request))

    async def update_group(self, request: web.Request) -> Any:
        """Change the fields that are named, for all its keys at once."""
        group, body = await self._group(request), await read_body(request)
        changes = some(read_fields(body, group_fields(group.kind)))
        changed = await self._change(
            lambda store: store.update_group(group.kind, group.group_id, **changes)
        )
        await self._note(request, f"{group.kind.value}s.update", group.group_id, body)
        return show_group(changed)

    async def group_budget(self, request: web.Request) -> Any:
        """Return what the budgets of a team or customer have left."""
        group = await self._group(request)
        return await self._left(group.group_id, group.customer_id or group.group_id, group.limits)

    # ── the books ────────────────────────────────────────────────────────────────────────────

    async def usage(self, request: web.Request) -> Any:
        """Return sums of a period, by key, team, customer, day or model."""
        by = request.query.get("by", "key")
        if by != "model" and by not in _BY:
            raise invalid_field("by", "key, team, customer, day or model")
        period = period_of(request)
        found = await self._in_ledger(lambda ledger: lines(ledger, period))
        sums: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for line in found:
            name = f"{line.provider}/{line.model}" if by == "model" else getattr(line, _BY[by])
            for figure in (*_FIGURES, "cost_nano_usd", "billed_nano_usd", "savings_nano_usd"):
                sums[name][figure] = sums[name].get(figure, 0) + getattr(line, figure)
        return {
            "data": [
                {by: name or None, **figures, "billed_usd": usd_text(figures["billed_nano_usd"])}
                for name, figures in sorted(sums.items())
            ]
        }

    async def requests(self, request: web.Request) -> Any:
        """Return the last billing events of a period, newest first."""
        limit = request.query.get("limit", "100")
        try:
            count = WholeNumber(least=1, most=REQUESTS_MAX).read_text(limit)
        except ValueError:
            raise invalid_field("limit", f"a whole number from 1 to {REQUESTS_MAX}") from None
        period = period_of(request)
        key_id = request.query.get("key")

        def read(ledger: Ledger) -> list[Any]:
            return [orjson.loads(payload) for payload in newest(ledger, period, count, key_id)]

        return {"data": await self._in_ledger(read)}

    async def one_request(self, request: web.Request) -> Any:
        """Return the billing event of one request."""
        request_id = request.match_info["id"]
        payload = await self._in_ledger(lambda ledger: of_request(ledger, request_id))
        if payload is None:
            raise not_found("request")
        return orjson.loads(payload)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    async def _in_store(self, work: Callable[[VirtualKeys], T]) -> T:
        def run() -> T:
            if self._keys is None:
                self._keys = self._open_keys()
            return work(self._keys)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def _change(self, work: Callable[[VirtualKeys], T]) -> T:
        # What cannot be written down is not done.
        await asyncio.get_running_loop().run_in_executor(self._thread, self._trail.open)
        return await self._in_store(work)

    async def _in_ledger(self, work: Callable[[Ledger], T]) -> T:
        ledger = self._ledger
        if ledger is None:
            raise no_ledger()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(ledger))

    async def _key(self, request: web.Request) -> Any:
        key = await self._in_store(lambda store: store.get(request.match_info["id"]))
        if key is None:
            raise not_found("key")
        return key

    async def _group(self, request: web.Request) -> Group:
        kind = kind_of(request)
        group = await self._in_store(lambda store: store.get_group(kind, request.match_info["id"]))
        if group is None:
            raise not_found(kind.value)
        return group

    async def _left(self, entity: str, account: str, limits: Limits) -> Any:
        """Return each budget with what was spent and is held of it."""
        try:
            spending = await read_spending(
                self._redis.execute_command,
                entity,
                account,
                limits,
                shards=self._shards,
                now_ms=unix_ns() // 1_000_000,
            )
        except BooksNotBegunError:
            # Emptied, or being rebuilt.
            raise server_error(
                503, "The books in Redis have not begun.", "budgets_unavailable", retry_after_s=1
            ) from None
        return spending_object(spending)

    async def _note(
        self, request: web.Request, action: str, target: str, changes: Mapping[str, Any]
    ) -> None:
        """Write a change to the trail, and tell Redis' readers of it if Redis is there."""

        def write() -> bytes:
            return self._trail.note(
                action,
                target,
                changes,
                remote=request.remote or "unix socket",
                request_id=request[REQUEST_ID],
                now_s=unix_s(),
            )

        try:
            line = await asyncio.get_running_loop().run_in_executor(self._thread, write)
        except OSError as error:
            # The change is made, and its answer may hold a secret that is shown only once.
            _log.error("the trail lacks %s of %s: %s", action, target, error)
            return
        request[CHANGE] = line
