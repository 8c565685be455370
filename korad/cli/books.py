"""What the verbs that read the books share: their options, where the books are, how they fail."""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from redis.exceptions import RedisError

from korad.adapters.embedded_redis import EmbeddedRedisError, ensure_server, find_running
from korad.adapters.key_errors import KEY_ID_PREFIX, KeyStoreError
from korad.adapters.key_stores import open_keys
from korad.adapters.pepper import PepperError
from korad.adapters.redis_control import ControlClient, connect_control
from korad.adapters.redis_url import RedisAddress, parse_redis_url
from korad.cli.state_folder import has_keys, require_state_folder
from korad.config import Settings
from korad.domain.limits import GroupKind
from korad.ledger import Ledger, open_ledger
from korad.ledger.database import LedgerError
from korad.ledger.reports import Period

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def run_books(verb: str, run: Callable[[], int]) -> int:
    """Return what `run` returns; say what went wrong and return 1, or 2 for wrong usage."""
    try:
        return run()
    except BrokenPipeError:
        raise
    except argparse.ArgumentTypeError as error:
        return _fail(verb, error, 2)
    except (
        LedgerError,
        KeyStoreError,
        PepperError,
        EmbeddedRedisError,
        RedisError,
        OSError,
    ) as error:
        return _fail(verb, error, 1)


def add_period_options(parser: argparse.ArgumentParser) -> None:
    """Add --since and --until."""
    moments = "2026-11-01 or 2026-11-01T12:00:00Z (UTC)"
    parser.add_argument("--since", type=read_moment_ms, metavar="WHEN", help=f"from {moments} on")
    parser.add_argument(
        "--until", type=read_moment_ms, metavar="WHEN", help=f"before {moments}, which is left out"
    )


def period_of(args: argparse.Namespace) -> Period:
    """Return the period of the options. Raises ArgumentTypeError for one that is empty."""
    since_ms, until_ms = args.since, args.until
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise argparse.ArgumentTypeError("--since must be before --until, which is left out")
    return Period(since_ms=since_ms, until_ms=until_ms)


def read_moment_ms(text: str) -> int:
    """Return Unix milliseconds of a date or RFC 3339 time. Raises ArgumentTypeError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither 2026-11-01 nor 2026-11-01T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment.year < 1970:  # noqa: PLR2004 - Unix time
        raise argparse.ArgumentTypeError(f"'{text}' is before 1970")
    return int(moment.timestamp()) * 1_000 + moment.microsecond // 1_000


def ledger_to_read(settings: Settings) -> Ledger:
    """Open the ledger, which must be there.

    Raises LedgerError, and ArgumentTypeError where not even its folder is there.
    """
    if settings.ledger.url is None:
        require_state_folder(settings)
    return open_ledger(settings)


def key_id_of(settings: Settings, reference: str) -> str:
    """Return the id of a key by id or name; an id that the store does not know stays itself."""
    if has_keys(settings):
        with open_keys(settings) as store:
            key = store.get(reference)
        if key is not None:
            return key.key_id
    if reference.startswith("vk_"):
        return reference
    raise LedgerError(f"no key has the id or name '{reference}'; see: korad keys list")


def names_of(settings: Settings, ids: Iterable[str]) -> Mapping[str, str]:
    """Return the names of keys, teams and customers by id; none where the store cannot be asked."""
    wanted = {each for each in ids if each}
    if not wanted or not has_keys(settings):
        return {}
    try:
        with open_keys(settings) as store:
            names = {
                group.group_id: group.name
                for kind in GroupKind
                for group in store.list_groups(kind)
                if group.group_id in wanted
            }
            keys = (store.get(each) for each in wanted if each.startswith(KEY_ID_PREFIX))
            names |= {key.key_id: key.name for key in keys if key is not None}
    except (KeyStoreError, PepperError) as error:
        sys.stderr.write(f"korad: ids are shown without their names: {error}\n")
        return {}
    return names


def address_of(settings: Settings) -> RedisAddress | None:
    """Return where the books' Redis is; None: it is korad's own, and does not run.

    Raises ValueError for a wrong URL.
    """
    if settings.redis.url is None:
        return find_running(settings.state_dir)
    try:
        return parse_redis_url(settings.redis.url.reveal())
    except ValueError as error:
        raise ValueError(f"redis.url: {error}") from None


@asynccontextmanager
async def redis_of(settings: Settings) -> AsyncIterator[ControlClient]:
    """Connect to Redis; korad's own is started if it does not run, and stopped again.

    Raises RedisUnavailableError, EmbeddedRedisError, OSError; ArgumentTypeError for a wrong URL.
    """
    server = None
    if settings.redis.url is None:
        server = await asyncio.to_thread(ensure_server, settings.state_dir)
    try:
        address = server.address if server is not None else address_of(settings)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    assert address is not None, "there is a server or a URL"
    try:
        client = await connect_control(address)
        try:
            yield client
        finally:
            await client.aclose()
    finally:
        if server is not None and server.started:
            await asyncio.to_thread(server.stop)


def write_csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows as CSV; a quote before what a spreadsheet would run as a formula."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])


def _harmless(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(_FORMULA_BEGINS):
        return "" if cell is None else cell
    return cell if _is_number(cell) else f"'{cell}"


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()


def _fail(verb: str, error: Exception, code: int) -> int:
    sys.stderr.write(f"korad {verb}: {error}\n")
    return code
