"""From a request to the steps of its answer: routes, dialects, books."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from math import ceil

import orjson

from korad.domain.value import value
from korad.simulator.answer import Answer, Ask, compose
from korad.simulator.anthropic_dialect import AnthropicDialect
from korad.simulator.connection import Play
from korad.simulator.delivery import deliver
from korad.simulator.ledger import CapturedRequest, Ledger, LedgerEntry
from korad.simulator.openai_dialect import OpenAIDialect
from korad.simulator.reply import Dialect, Frame, Refused, Reply, Stamp
from korad.simulator.script import Fault, Script, with_directives
from korad.simulator.words import Count

PLANS_MAX = 512
PLAN_BYTES_MAX = 32 * 1024 * 1024
"""Request bodies whose answer is remembered: a load test sends the same few over and over."""

_JSON = b"content-type: application/json\r\n"
_EVENT_STREAM = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
_DIRECTIVE_OPEN = "[[simulate "

_OPENAI = OpenAIDialect()
_ANTHROPIC = AnthropicDialect()


@value
class _Plan:
    ask: Ask
    answer: Answer
    script: Script


class Provider:
    """Answers requests as the providers do, under one script after another; keeps the ledger."""

    def __init__(
        self,
        script: Script,
        *,
        seed: int,
        demo: bool,
        directives: bool,
        count: Count,
        now_s: Callable[[], int],
    ) -> None:
        self.ledger = Ledger()
        self._script = script
        self._seed = seed
        self._demo = demo
        self._directives = directives
        self._count = count
        self._now_s = now_s
        self._number = 0
        self._date_line = (0, b"")
        self._plans: dict[tuple[str, str, bytes], _Plan] = {}
        self._plan_bytes = 0

    @property
    def script(self) -> Script:
        """Return what is done with requests from now on."""
        return self._script

    @script.setter
    def script(self, script: Script) -> None:
        self._script = script
        self._forget_plans()

    def answer(self, request: CapturedRequest) -> Play:
        """Return how a request to a provider's endpoint is answered."""
        headers = {
            name.lower().decode("latin-1"): text.decode("latin-1")
            for name, text in request.raw_headers
        }
        path = request.path.partition("?")[0]
        self._number += 1
        stamp = Stamp.of(self._seed, self._number, self._now_s())
        dialect, refused = _route(request.method, path, headers)
        draft = _Answering(self, dialect, stamp)
        if refused is not None:
            return draft.refuse(refused, self._script)
        if path.endswith("/models"):
            return draft.whole(orjson.dumps(dialect.models(stamp)), self._script)
        draft.entry = self.ledger.open(
            headers.get("x-request-id", f"req_{stamp.token}"), dialect.name
        )
        draft.entry.client_request_id = headers.get("x-client-request-id")
        try:
            plan = self._plan(dialect, headers, request.body)
        except Refused as error:
            return draft.refuse(error, self._script)
        return draft.planned(plan)

    def headers(self, dialect: Dialect, stamp: Stamp, script: Script) -> bytes:
        """Return the header lines of an answer, without type and framing."""
        if self._date_line[0] != stamp.created_s:
            date = formatdate(stamp.created_s, usegmt=True).encode()
            self._date_line = (stamp.created_s, b"date: %b\r\nserver: korad-simulator\r\n" % date)
        own_id = f"{dialect.id_header}: req_{stamp.token}\r\n".encode()
        return self._date_line[1] + own_id + dialect.headers(script)

    def deliver(self, reply: Reply, script: Script, entry: LedgerEntry) -> Play:
        """Return `reply` ready to be sent."""
        entry.status = reply.status
        chance = random.Random(f"{self._seed}/{self._number}") if script.odd_chunks else None  # noqa: S311 - not a secret
        return Play(
            deliver(reply, script, chance),
            entry,
            stale_after=script.fault is Fault.STALE_KEEPALIVE,
        )

    def _plan(self, dialect: Dialect, headers: Mapping[str, str], body: bytes) -> _Plan:
        version = dialect.authenticate(headers, self._script)
        key = (dialect.name, version, body)
        plan = None if "x-simulate" in headers else self._plans.get(key)
        if plan is not None:
            return plan
        try:
            ask = dialect.read(version, body, self._script, self._count)
        except (AttributeError, KeyError, TypeError) as error:
            # Somewhere deep in the request stands a value of the wrong type.
            raise Refused(400, f"The request has a wrong shape: {error!r}") from None
        script = self._scripted_for(ask, headers)
        if script.fault is Fault.NO_USAGE:
            script = dataclasses.replace(script, usage=False)
        answer = compose(ask, script, seed=self._seed, demo=self._demo, count=self._count)
        plan = _Plan(ask=ask, answer=answer, script=script)
        if "x-simulate" not in headers:
            self._remember(key, plan)
        return plan

    def _scripted_for(self, ask: Ask, headers: Mapping[str, str]) -> Script:
        script = self._script
        if not self._directives:
            return script
        try:
            if "x-simulate" in headers:
                script = with_directives(script, headers["x-simulate"])
            _, opened, rest = ask.last_user_text.partition(_DIRECTIVE_OPEN)
            if opened:
                script = with_directives(script, rest.partition("]]")[0])
        except ValueError as error:
            raise Refused(400, str(error), param="x-simulate") from None
        return script

    def _remember(self, key: tuple[str, str, bytes], plan: _Plan) -> None:
        self._plan_bytes += len(key[2])
        if len(self._plans) >= PLANS_MAX or self._plan_bytes > PLAN_BYTES_MAX:
            self._forget_plans()
        self._plans[key] = plan

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._plan_bytes = 0


class _Answering:
    """One answer on its way from a plan to a delivery."""

    def __init__(self, provider: Provider, dialect: Dialect, stamp: Stamp) -> None:
        self._provider = provider
        self._dialect = dialect
        self._stamp = stamp
        # Stands in where there is nothing to bill: unknown paths, the list of models.
        self.entry = LedgerEntry(dialect=dialect.name)

    def planned(self, plan: _Plan) -> Play:
        """Send the answer, or the error the script wants in its place."""
        ask, answer, script = plan.ask, plan.answer, plan.script
        dialect, stamp = self._dialect, self._stamp
        self.entry.model = ask.model
        if script.fault is Fault.ERROR_STATUS:
            return self.refuse(dialect.canned_error(script.status), script)
        self.entry.prompt_tokens = ask.prompt_tokens
        if script.fault is Fault.ERROR_FIRST_EVENT:
            return self._hidden_error(ask, script)
        if ask.stream:
            frames = dialect.events(ask, answer, script, stamp)
            return self._streamed(frames, script, answered=True)
        body = dialect.completion(ask, answer, script, stamp)
        return self.whole(body, script, tokens=answer.completion_tokens, usage=script.usage)

    def whole(self, body: bytes, script: Script, *, tokens: int = 0, usage: bool = False) -> Play:
        """Send `body` under a 200."""
        reply = Reply(
            status=200,
            headers=self._headers(script) + _JSON,
            body=body,
            tokens=tokens,
            usage=usage,
        )
        return self._provider.deliver(reply, script, self.entry)

    def refuse(self, refused: Refused, script: Script) -> Play:
        """Send an error answer."""
        headers = self._headers(script) + _JSON
        if refused.status == 429 and script.retry_after_s is not None:  # noqa: PLR2004 - Too Many Requests
            headers += b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (
                ceil(script.retry_after_s),
                round(script.retry_after_s * 1000),
            )
        reply = Reply(
            status=refused.status,
            headers=headers,
            body=self._dialect.error_body(refused, self._stamp),
            answered=False,
        )
        return self._provider.deliver(reply, script, self.entry)

    def _hidden_error(self, ask: Ask, script: Script) -> Play:
        error = self._dialect.canned_error(script.status)
        if ask.stream:
            frame = Frame(self._dialect.error_event(error, self._stamp))
            return self._streamed(iter((frame,)), script, answered=False)
        reply = Reply(
            status=200,
            headers=self._headers(script) + _JSON,
            body=self._dialect.error_body(error, self._stamp),
            answered=False,
        )
        return self._provider.deliver(reply, script, self.entry)

    def _streamed(self, frames: Iterator[Frame], script: Script, *, answered: bool) -> Play:
        reply = Reply(
            status=200,
            headers=self._headers(script) + _EVENT_STREAM,
            frames=frames,
            ping=self._dialect.ping if script.pings else b"",
            opening_ping=self._dialect.opening_ping if script.pings else b"",
            error_frame=self._dialect.error_event(
                self._dialect.canned_error(script.status), self._stamp
            )
            if script.fault is Fault.ERROR_MID_STREAM
            else b"",
            answered=answered,
        )
        return self._provider.deliver(reply, script, self.entry)

    def _headers(self, script: Script) -> bytes:
        return self._provider.headers(self._dialect, self._stamp, script)


def _route(method: str, path: str, headers: Mapping[str, str]) -> tuple[Dialect, Refused | None]:
    if path.endswith("/messages"):
        dialect: Dialect = _ANTHROPIC
    elif path.endswith("/models") and "anthropic-version" in headers:
        dialect = _ANTHROPIC
    else:
        dialect = _OPENAI
    if path.endswith("/models"):
        allowed = "GET"
    elif path.endswith(("/chat/completions", "/messages")):
        allowed = "POST"
    else:
        return dialect, Refused(404, f"Invalid URL ({method} {path})")
    if method != allowed:
        return dialect, Refused(405, f"Only {allowed} requests are accepted here.")
    return dialect, None
