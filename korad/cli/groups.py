"""`korad teams` and `korad customers`: create, list, show and update what keys belong to.

Exit codes: 0; 1 when one is not found or in conflict, or the store cannot be used; 2 for wrong
usage.
"""

from __future__ import annotations

import argparse
from typing import Any

from korad.adapters.group_rows import GroupChanges
from korad.adapters.key_changes import VirtualKeys
from korad.adapters.limit_report import limits_object
from korad.cli.key_values import time_text
from korad.cli.limit_values import add_limit_options, limits_given, limits_text
from korad.cli.options import Subparsers, add_config_options
from korad.cli.output import (
    Verb,
    group_id,
    group_not_found,
    lines,
    run_verb,
    table,
    write,
    write_json,
)
from korad.cli.spending import Spendings, spendings_lines, spendings_object, spendings_of
from korad.clock import unix_s
from korad.config import Settings
from korad.domain.limits import EntityLimits, Group, GroupKind

_SUMMARIES = {
    GroupKind.TEAM: "create and manage teams of virtual keys",
    GroupKind.CUSTOMER: "create and manage customers, whose limits hold for all their keys",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add `teams` and `customers` and their verbs to the command line."""
    for kind, summary in _SUMMARIES.items():
        parser = subparsers.add_parser(_noun(kind), help=summary, description=summary)
        verbs = parser.add_subparsers(dest="groups_verb", metavar="VERB", required=True)
        what = kind.value

        create = _add_verb(verbs, kind, "create", _create, f"make a {what}")
        create.add_argument("--name", required=True, help=f"what people call the {what}")
        _add_settings(create, kind)

        _add_verb(verbs, kind, "list", _list, f"list all {what}s")

        show = _add_verb(
            verbs, kind, "show", _show, f"show one {what}, and what its budgets have left"
        )
        _add_reference(show, kind)

        update = _add_verb(verbs, kind, "update", _update, f"change a {what} and all its keys")
        _add_reference(update, kind)
        update.add_argument("--name", default=argparse.SUPPRESS, help="a new name")
        _add_settings(update, kind)


def run(args: argparse.Namespace) -> int:
    """Run the verb that `args` name and return the exit code."""
    verb = args.groups_run
    return run_verb(args, verb, _noun(args.kind), begins=verb is _create, lists=verb is _list)


def _create(args: argparse.Namespace, store: VirtualKeys, _settings: Settings) -> None:
    changes = _changes(args, store)
    group = store.create_group(
        args.kind,
        args.name,
        now_s=unix_s(),
        customer_id=changes.get("customer_id"),
        limits=changes.get("limits"),
    )
    _show_group(args, group)


def _list(args: argparse.Namespace, store: VirtualKeys, _settings: Settings) -> None:
    groups = store.list_groups(args.kind)
    if args.as_json:
        write_json([_object(group) for group in groups])
        return
    if not groups:
        write(f"No {_noun(args.kind)}. Make one: korad {_noun(args.kind)} create --name NAME\n")
        return
    of_team = args.kind is GroupKind.TEAM
    head = ("ID", "NAME", *(("CUSTOMER",) if of_team else ()), "LIMITS")
    rows = [
        (
            group.group_id,
            group.name,
            *((group.customer_id or "none",) if of_team else ()),
            limits_text(group.limits),
        )
        for group in groups
    ]
    write(table([head, *rows]))


def _show(args: argparse.Namespace, store: VirtualKeys, settings: Settings) -> None:
    group = store.get_group(args.kind, args.reference)
    if group is None:
        raise group_not_found(args.kind, args.reference)
    own = EntityLimits(entity=group.group_id, limits=group.limits)
    account = group.customer_id or group.group_id
    _show_group(args, group, spendings_of(settings, [own], account))


def _update(args: argparse.Namespace, store: VirtualKeys, _settings: Settings) -> None:
    changes = _changes(args, store)
    if not changes:
        raise argparse.ArgumentTypeError("nothing to change: name at least one option")
    if store.get_group(args.kind, args.reference) is None:
        raise group_not_found(args.kind, args.reference)
    _show_group(args, store.update_group(args.kind, args.reference, **changes))


def _add_verb(
    verbs: Subparsers, kind: GroupKind, name: str, verb: Verb, summary: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=summary, description=summary)
    parser.set_defaults(groups_run=verb, kind=kind)
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    add_config_options(parser)
    return parser


def _add_reference(parser: argparse.ArgumentParser, kind: GroupKind) -> None:
    parser.add_argument("reference", metavar="ID|NAME", help=f"the {kind.value}'s id or name")


def _add_settings(parser: argparse.ArgumentParser, kind: GroupKind) -> None:
    if kind is GroupKind.TEAM:
        parser.add_argument(
            "--customer",
            metavar="ID|NAME",
            default=argparse.SUPPRESS,
            help="the customer it belongs to; none",
        )
    add_limit_options(parser)


def _changes(args: argparse.Namespace, store: VirtualKeys) -> GroupChanges:
    changes: GroupChanges = {}
    if "name" in args:
        changes["name"] = args.name
    if "customer" in args:
        changes["customer_id"] = group_id(store, GroupKind.CUSTOMER, args.customer)
    if limits := limits_given(args):
        changes["limits"] = limits
    return changes


def _show_group(args: argparse.Namespace, group: Group, spendings: Spendings | None = None) -> None:
    if args.as_json:
        write_json(_object(group) | ({} if spendings is None else spendings_object(spendings)))
        return
    facts = [("id", group.group_id), ("name", group.name)]
    if group.kind is GroupKind.TEAM:
        facts.append(("customer", group.customer_id or "none"))
    facts += [
        ("limits", limits_text(group.limits)),
        *([] if spendings is None else spendings_lines(spendings)),
        ("created", time_text(group.created_at_s)),
    ]
    write(lines(facts))


def _object(group: Group) -> dict[str, Any]:
    """Return what `--json` prints of a team or customer; times are Unix seconds."""
    customer = {"customer_id": group.customer_id} if group.kind is GroupKind.TEAM else {}
    return {
        "id": group.group_id,
        "name": group.name,
        **customer,
        "limits": limits_object(group.limits),
        "created_at": group.created_at_s,
    }


def _noun(kind: GroupKind) -> str:
    return f"{kind.value}s"
