"""`korad keys`: create, list, show, revoke and update virtual keys.

Exit codes: 0; 1 when a key is not found or in conflict, or the store cannot be used; 2 for
wrong usage.
"""

from __future__ import annotations

import argparse
from typing import Any

from korad.adapters.key_changes import VirtualKeys
from korad.adapters.key_errors import InvalidKeyError, KeyNotFoundError
from korad.adapters.key_rows import KeyChanges
from korad.adapters.key_stores import keys_in_redis, open_local_keys, place_of_keys
from korad.adapters.running_server import find_listening
from korad.auth import SECRET_PREFIX, is_mistyped
from korad.cli.key_values import (
    allowed,
    as_lines,
    as_object,
    as_table,
    curl_line,
    read_expiry,
    read_level,
    read_margin,
    read_model,
    read_policy,
    read_provider,
    read_switch,
)
from korad.cli.key_warnings import warn_of_names
from korad.cli.limit_values import add_limit_options, limits_given
from korad.cli.options import Subparsers, add_config_options
from korad.cli.output import Verb, group_id, run_verb, write, write_json
from korad.cli.spending import spendings_lines, spendings_object, spendings_of
from korad.cli.state_folder import require_state_folder
from korad.clock import unix_s
from korad.config import Settings
from korad.domain.identity import VirtualKey
from korad.domain.limits import GroupKind


def add_parser(subparsers: Subparsers) -> None:
    """Add `keys` and its verbs to the command line."""
    parser = subparsers.add_parser("keys", help="create and manage virtual keys")
    verbs = parser.add_subparsers(dest="keys_verb", metavar="VERB", required=True)

    create = _add_verb(verbs, "create", _create, "make a key and print it, once")
    create.add_argument("--name", required=True, help="what people call the key")
    _add_settings(create)

    _add_verb(verbs, "list", _list, "list all keys, revoked ones too")

    show = _add_verb(verbs, "show", _show, "show one key, and what its budgets have left")
    _add_reference(show)

    revoke = _add_verb(verbs, "revoke", _revoke, "refuse a key from now on")
    _add_reference(revoke)

    update = _add_verb(verbs, "update", _update, "change a key")
    _add_reference(update)
    update.add_argument("--name", default=argparse.SUPPRESS, help="a new name")
    update.add_argument(
        "--activate",
        dest="active",
        action="store_true",
        default=argparse.SUPPRESS,
        help="accept a revoked key again",
    )
    _add_settings(update)

    _add_verb(verbs, "import-local", _import_local, "copy the keys of the state folder into Redis")


def run(args: argparse.Namespace) -> int:
    """Run the verb that `args` names and return the exit code."""
    verb = args.keys_run
    return run_verb(args, verb, "keys", begins=verb is _create, lists=verb is _list)


def _create(args: argparse.Namespace, store: VirtualKeys, settings: Settings) -> None:
    changes = _changes(args, store)
    warn_of_names(settings, changes)
    key, secret = store.create(changes.pop("name"), now_s=unix_s(), **changes)
    if args.as_json:
        shown = _object(key, store)
        write_json({"id": shown.pop("id"), "key": secret.reveal(), **shown})
        return
    server = find_listening(settings.state_dir) or settings.server
    providers = () if settings.demo else settings.providers
    line = curl_line(key, secret.reveal(), server.host, server.port, providers)
    write(
        f"Created '{key.name}' ({key.key_id}). The key is shown this once and stored nowhere:\n\n"
        f"  {secret.reveal()}\n\n"
        "Try it (a running server knows the key at once):\n\n"
        f"  {line}\n"
    )


def _list(args: argparse.Namespace, store: VirtualKeys, settings: Settings) -> None:
    keys, hints, now_s = store.list_keys(), store.hints(), unix_s()
    if args.as_json:
        write_json([as_object(key, hints.get(key.key_id, ""), now_s) for key in keys])
    elif keys:
        write(as_table([(key, hints.get(key.key_id, "")) for key in keys], now_s))
    else:
        write(f"No keys in {place_of_keys(settings)}. Make one: korad keys create --name NAME\n")


def _import_local(args: argparse.Namespace, store: VirtualKeys, settings: Settings) -> None:
    if not keys_in_redis(settings):
        raise InvalidKeyError(
            "the keys are in the state folder already: set redis.url (or keys.store to redis) to "
            "where they shall go"
        )
    require_state_folder(settings)
    with open_local_keys(settings) as local:
        imported = store.copy_from(local)
    if args.as_json:
        write_json({"imported": imported})
    else:
        write(f"Imported {imported} keys into {place_of_keys(settings)}.\n")


def _show(args: argparse.Namespace, store: VirtualKeys, settings: Settings) -> None:
    key = store.get(args.reference)
    if key is None:
        raise _not_found(args.reference)
    spendings = spendings_of(settings, key.limits, key.account)
    if args.as_json:
        write_json({**_object(key, store), **spendings_object(spendings)})
    else:
        write(as_lines(key, store.hint(key.key_id), unix_s(), spendings_lines(spendings)))


def _revoke(args: argparse.Namespace, store: VirtualKeys, _settings: Settings) -> None:
    try:
        key = store.revoke(args.reference)
    except KeyNotFoundError:
        raise _not_found(args.reference) from None
    if args.as_json:
        write_json(_object(key, store))
    else:
        write(f"Revoked '{key.name}' ({key.key_id}).\n")


def _update(args: argparse.Namespace, store: VirtualKeys, settings: Settings) -> None:
    changes = _changes(args, store)
    if not changes:
        raise argparse.ArgumentTypeError("nothing to change: name at least one option")
    warn_of_names(settings, changes)
    try:
        key = store.update(args.reference, **changes)
    except KeyNotFoundError:
        raise _not_found(args.reference) from None
    _show_key(args, store, key)


def _add_verb(verbs: Subparsers, name: str, verb: Verb, summary: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=summary, description=summary)
    parser.set_defaults(keys_run=verb)
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    add_config_options(parser)
    return parser


def _add_reference(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="ID|NAME", help="the key's id, its name, or itself")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    # What is not given is absent from the namespace: None is a value here, "cleared".
    def add(option: str, **how: Any) -> None:
        parser.add_argument(option, default=argparse.SUPPRESS, **how)

    add("--level", type=read_level, help="savings level; none for the configured default")
    add(
        "--allow-model",
        dest="allowed_models",
        metavar="MODEL",
        type=read_model,
        action="append",
        help="a model it may use, such as openai/gpt-4o or openai/*; repeatable; any for all",
    )
    add(
        "--allow-provider",
        dest="allowed_providers",
        metavar="PROVIDER",
        type=read_provider,
        action="append",
        help="a provider it may use; repeatable; any for all",
    )
    add(
        "--expires",
        dest="expires_at_s",
        metavar="WHEN",
        type=_read_expiry,
        help="30d, 2027-01-31 or 2027-01-31T12:00:00Z (UTC); never",
    )
    add(
        "--margin",
        dest="margin_bp",
        metavar="FACTOR",
        type=read_margin,
        help="billed / cost, such as 1.2; none for the configured default",
    )
    add(
        "--cache",
        metavar="on|off",
        type=read_switch,
        help="answer a request of temperature 0 that was asked before from the response cache",
    )
    _add_places(parser)
    add_limit_options(parser)


def _add_places(parser: argparse.ArgumentParser) -> None:
    """Add what says whose key it is, and what to do where its limits cannot be checked."""

    def add(option: str, **how: Any) -> None:
        parser.add_argument(option, default=argparse.SUPPRESS, **how)

    add("--team", metavar="ID|NAME", help="the team it belongs to; none")
    add("--customer", metavar="ID|NAME", help="the customer it belongs to; none for its team's")
    add(
        "--on-limits-unavailable",
        dest="fail_closed",
        metavar="open|closed",
        type=read_policy,
        help="while limits cannot be checked: serve up to limits.exposure_usd (open, the default) "
        "or refuse (closed)",
    )


def _read_expiry(text: str) -> int | None:
    return read_expiry(text, unix_s())


def _changes(args: argparse.Namespace, store: VirtualKeys) -> dict[str, Any]:
    given = vars(args)
    changes = {name: given[name] for name in KeyChanges.__optional_keys__ if name in given}
    for name in ("allowed_models", "allowed_providers"):
        if name in changes:
            changes[name] = allowed(changes[name])
    for kind in GroupKind:
        if kind.value in given:
            changes[f"{kind.value}_id"] = group_id(store, kind, given[kind.value])
    if limits := limits_given(args):
        changes["limits"] = limits
    return changes


def _show_key(args: argparse.Namespace, store: VirtualKeys, key: VirtualKey) -> None:
    if args.as_json:
        write_json(_object(key, store))
    else:
        write(as_lines(key, store.hint(key.key_id), unix_s()))


def _object(key: VirtualKey, store: VirtualKeys) -> dict[str, Any]:
    return as_object(key, store.hint(key.key_id), unix_s())


def _not_found(reference: str) -> KeyNotFoundError:
    # A key may stand here instead of an id: it is not repeated, it would end up in a log.
    if reference.startswith(SECRET_PREFIX):
        fault = "it is mistyped or cut off" if is_mistyped(reference) else "it is of another store"
        return KeyNotFoundError(f"no such key: {fault}; see: korad keys list")
    return KeyNotFoundError(f"no key has the id or name '{reference}'; see: korad keys list")
