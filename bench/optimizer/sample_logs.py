"""Logs in five styles, with an error and an outlier planted in each."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import orjson

from bench.optimizer.conversation import Conversation, Facts
from bench.optimizer.sample_words import call, code, digest, name, single, system, user

Planted = tuple[list[str], list[str], str, str]
"""Lines that tell of an error; what must be kept of them; a value unlike all others; its line."""


def _access(random: Random, second: int) -> str:
    return (
        f"10.4.{random.randrange(9)}.{random.randrange(250)} - - "
        f"[17/Mar/2026:{_clock(second)} +0000] "
        f'"GET /api/v1/items/{random.randrange(900)} HTTP/1.1" 200 {random.randrange(300, 4000)} '
        f'"-" "probe/2.1" rt=0.{random.randrange(10, 90):03}'
    )


def _access_planted(random: Random) -> Planted:
    slow = f"{random.randrange(60, 99)}.{random.randrange(100, 999)}"
    path = f"/api/v1/orders/{code(random)}"
    error = f'10.4.1.7 - - [17/Mar/2026:23:59:58 +0000] "POST {path} HTTP/1.1" 502 157 "-" "shop/9"'
    odd = '10.4.1.9 - - [17/Mar/2026:23:59:59 +0000] "GET /api/v1/items/77 HTTP/1.1" 200 812 "-"'
    return [f"{error} rt=0.020"], [path], slow, f'{odd} "probe/2.1" rt={slow}'


def _java(random: Random, second: int) -> str:
    return (
        f"2026-03-17 {_clock(second)},{random.randrange(1000):03} INFO  "
        f"[worker-{random.randrange(8)}] c.e.billing.Settler - settled invoice "
        f"{random.randrange(10**6)} in {random.randrange(5, 60)} ms"
    )


def _java_planted(random: Random) -> Planted:
    invoice, slow = code(random, 3), str(random.randrange(40_000, 90_000))
    settler = "c.e.billing.Settler -"
    errors = [
        f"2026-03-17 23:59:58,001 ERROR [worker-3] {settler} cannot settle {invoice}",
        f"com.example.billing.LedgerException: ledger refused {invoice}",
        f"\tat com.example.billing.Ledger.post(Ledger.java:{random.randrange(10, 900)})",
        "Caused by: java.net.SocketTimeoutException: Read timed out",
    ]
    odd = f"2026-03-17 23:59:59,002 INFO  [worker-1] {settler} settled invoice 77 in {slow} ms"
    return errors, [f"cannot settle {invoice}", *errors[1:2], *errors[3:]], slow, odd


def _worker(random: Random, second: int) -> str:
    return (
        f"[2026-03-17 {_clock(second)},{random.randrange(1000):03}: INFO/ForkPoolWorker-"
        f"{random.randrange(4)}] Task shop.resize[{digest(random, 8)}] succeeded in "
        f"0.{random.randrange(100, 999)}s: None"
    )


def _worker_planted(random: Random) -> Planted:
    path = f"/var/spool/{name(random).lower()}-{random.randrange(999)}"
    task, slow = digest(random, 8), f"{random.randrange(100, 900)}.{random.randrange(100, 999)}"
    errors = [
        f"[2026-03-17 23:59:58,001: ERROR/ForkPoolWorker-2] Task shop.resize[{task}] raised",
        "Traceback (most recent call last):",
        f'  File "/srv/shop/tasks.py", line {random.randrange(9, 400)}, in resize',
        f"OSError: [Errno 28] No space left on device: '{path}'",
    ]
    odd = "[2026-03-17 23:59:59,002: INFO/ForkPoolWorker-1] Task shop.resize"
    return (
        errors,
        [task, *errors[2:]],
        slow,
        f"{odd}[{digest(random, 8)}] succeeded in {slow}s: None",
    )


def _cluster(random: Random, second: int) -> str:
    return (
        f"I0317 {_clock(second)}.{random.randrange(10**6):06}    1421 "
        f"kubelet.go:21{random.randrange(10)}"
        f'] "SyncLoop (PLEG): event for pod" pod="shop/cart-{digest(random, 5)}" '
        f"attempt={random.randrange(3)}"
    )


def _cluster_planted(random: Random) -> Planted:
    reason = f"failed to pull registry.example/cart: digest sha256:{digest(random, 64)} not found"
    odd = 'I0317 23:59:59.000002    1421 kubelet.go:2101] "SyncLoop (PLEG): event for pod"'
    many = str(random.randrange(40_000, 90_000))
    return (
        [f'E0317 23:59:58.000001    1421 kubelet.go:1999] "Error syncing pod" err="{reason}"'],
        [reason],
        many,
        f'{odd} pod="shop/cart-{digest(random, 5)}" attempt={many}',
    )


def _lines(random: Random, second: int) -> str:
    return _json_line(random, second, random.randrange(2, 40))


def _json_line(random: Random, second: int, took_ms: int) -> str:
    record = {
        "ts": f"2026-03-17T{_clock(second)}Z",
        "level": "info",
        "service": "payments",
        "msg": "charge accepted",
        "trace": digest(random, 16),
        "took_ms": took_ms,
    }
    return orjson.dumps(record).decode()


def _lines_planted(random: Random) -> Planted:
    reason, trace = f"retry budget exhausted for {code(random, 1, 5)}", digest(random, 16)
    took_ms = random.randrange(40_000, 90_000)
    error = (
        '{"ts":"2026-03-17T23:59:58Z","level":"error","service":"payments",'
        f'"msg":"{reason}","trace":"{trace}"}}'
    )
    return [error], [reason, trace], str(took_ms), _json_line(random, 86_399, took_ms)


_STYLES: dict[str, tuple[Callable[[Random, int], str], Callable[[Random], Planted]]] = {
    "access": (_access, _access_planted),
    "java": (_java, _java_planted),
    "worker": (_worker, _worker_planted),
    "cluster": (_cluster, _cluster_planted),
    "json_lines": (_lines, _lines_planted),
}


def _clock(second: int) -> str:
    return f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"


def _event(random: Random, line: str) -> str:
    """Return the line; every sixth tells of something that happens only once."""
    if random.randrange(6):
        return line
    for known in ("probe/2.1", "settled invoice", "succeeded in", "SyncLoop", "charge accepted"):
        line = line.replace(known, f"{name(random)} {known} by {name(random)}")
    return line


def _maker(style: str) -> Callable[[Random], Conversation]:
    line, planted = _STYLES[style]

    def make(random: Random) -> Conversation:
        count = random.randrange(80, 500)
        second = random.randrange(3600, 40_000)
        lines = [_event(random, line(random, second + at)) for at in range(count)]
        errors, needles, outlier, odd = planted(random)
        at = random.randrange(count // 4, count)
        lines[at:at] = errors
        lines.insert(random.randrange(count // 4), odd)
        messages = [
            system("You keep servers running. Quote evidence exactly."),
            user("What failed, and what was slow or odd?"),
            *call(random, "shell", '{"command": "tail -n 2000 app.log"}', "\n".join(lines)),
        ]
        must = Facts(needles=[needle.strip() for needle in needles], outliers=[outlier])
        return single(f"logs/{style}", messages, must)

    return make


KINDS = {f"logs/{style}": _maker(style) for style in _STYLES}
