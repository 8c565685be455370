"""The command line's `-t`, `--key`, `--model`, `--pid` and `--header` in, targets out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bench.load.plan import Target
from korad.config import read_environment
from korad.config.credentials import resolve_credential

DEFAULT_MODEL = "gpt-4o-mini"
DEFAULT_KEY = "sk-bench"
"""A stand-in provider takes any."""
_OWN_HEADERS = ("authorization", "content-length", "content-type", "host", "transfer-encoding")


class TargetError(Exception):
    """An option about targets that cannot be understood."""


def parse_targets(
    targets: Sequence[str],
    *,
    keys: Sequence[str] = (),
    models: Sequence[str] = (),
    process_ids: Sequence[str] = (),
    headers: Sequence[str] = (),
) -> list[Target]:
    """Return the targets in the order they are given, the first being the baseline.

    targets: `NAME=URL` or `URL`; a bare URL is named by its host and port. keys and models:
    `NAME=VALUE`, or a value for all that have none of their own; a key may be `env:VARIABLE` or
    `file:PATH`. process_ids: `NAME=PID`. headers: `NAME=HEADER:VALUE`. Raises TargetError, whose
    words hold no key.
    """
    urls = _urls(targets)
    own_keys, key = _by_name(keys, urls, "--key")
    own_models, model = _by_name(models, urls, "--model")
    own_ids, anybodys_id = _by_name(process_ids, urls, "--pid")
    if anybodys_id is not None:
        raise TargetError(f"--pid {anybodys_id}: say whose: NAME=PID")
    own_headers = _headers(headers, urls)
    return [
        Target(
            name=name,
            url=url,
            key=_key(own_keys.get(name) or key or DEFAULT_KEY),
            model=own_models.get(name) or model or DEFAULT_MODEL,
            headers=own_headers[name],
            process_id=_process_id(own_ids[name]) if name in own_ids else None,
        )
        for name, url in urls.items()
    ]


def _urls(targets: Sequence[str]) -> dict[str, str]:
    urls: dict[str, str] = {}
    for text in targets:
        name, equals, url = text.partition("=")
        if not equals or "://" in name:
            name, url = urlsplit(text).netloc, text
        url = _checked_url(url, text)
        if not name:
            raise TargetError(f"-t {text}: a target needs a name: NAME=URL")
        if name in urls:
            raise TargetError(f"-t {text}: there is a target {name} already")
        urls[name] = url
    return urls


def _checked_url(url: str, text: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetError(f"-t {text}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise TargetError(f"-t {text}: not a URL such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        name = text.partition("=")[0] if "=" in text else parts.hostname
        raise TargetError(f"-t {name}: a base URL has no user, query or fragment; see --key")
    return url.rstrip("/")


def _by_name(
    options: Sequence[str], names: dict[str, str], option: str
) -> tuple[dict[str, str], str | None]:
    """Return the values that belong to a target, and the one for all others."""
    own: dict[str, str] = {}
    others: str | None = None
    for text in options:
        name, equals, value = text.partition("=")
        # A key or a model's name may hold an equals sign itself.
        if equals and name in names:
            own[name] = value
        elif others is not None:
            raise TargetError(f"{option}: two values for all targets; name the target: NAME=VALUE")
        else:
            others = text
    return own, others


def _key(text: str) -> str:
    if not text.startswith(("env:", "file:")):
        return text
    try:
        found = resolve_credential(text, read_environment(), Path())
    except ValueError as error:
        raise TargetError(f"--key: {error}") from error
    if found.secret is None:
        raise TargetError(f"--key: {found.source} is not set")
    return found.secret.reveal()


def _process_id(text: str) -> int:
    if not text.isdigit() or not Path(f"/proc/{text}").exists():
        raise TargetError(f"--pid {text}: no such process")
    return int(text)


def _headers(options: Sequence[str], names: dict[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for text in options:
        target, _, line = text.partition("=")
        header, colon, value = line.partition(":")
        if target not in found or not colon or not header.strip():
            raise TargetError(f"--header {text}: not NAME=HEADER:VALUE with a target's name")
        if not line.isprintable():
            raise TargetError(f"--header of {target}: a control character")
        if header.strip().lower() in _OWN_HEADERS:
            raise TargetError(f"--header {target}={header}: that header is set by the client")
        found[target][header.strip()] = value.strip()
    return found
