"""Limits on the command line: the options that set them, and how they are shown."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

from korad.adapters.group_rows import COUNT_MAX, LimitChanges
from korad.adapters.limit_report import limits_object, usd_text
from korad.config.kinds import Usd, WholeNumber
from korad.domain.limits import Budget, EntityLimits, Limits, Reset

CLEARED: Final = "none"
_BUDGET: Final = "--budget-usd"
_RESETS: Final = tuple(reset.value for reset in Reset)


class _AddBudgetWord(argparse.Action):
    """Gather --budget-usd and --reset in the order they stand in: a reset is its budget's."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002 - as argparse calls it
    ) -> None:
        """Add one word."""
        words = getattr(namespace, self.dest, ())
        setattr(namespace, self.dest, (*words, (self.option_strings[0], values)))


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    """Add --budget-usd, --reset, --rpm, --tpm and --concurrency; none is set by default."""
    group = parser.add_argument_group("limits")

    def add(option: str, **how: Any) -> None:
        group.add_argument(option, default=argparse.SUPPRESS, **how)

    add(
        _BUDGET,
        dest="budget_words",
        action=_AddBudgetWord,
        type=read_usd,
        metavar="USD",
        help="what may be spent between two resets; repeatable, all at once replace the former "
        "budgets; none for no budget",
    )
    add(
        "--reset",
        dest="budget_words",
        action=_AddBudgetWord,
        choices=_RESETS,
        help="when its budget begins anew, in UTC: never (default), day, week (Mondays), month, "
        "or over the last 24h, 7d, 30d",
    )
    for option, dest, help_text in (
        ("--rpm", "requests_per_minute", "requests per minute; none for no limit"),
        ("--tpm", "tokens_per_minute", "prompt and completion tokens per minute; none"),
        ("--concurrency", "concurrent_max", "requests under way at once; none"),
    ):
        add(option, dest=dest, type=read_count, metavar="N", help=help_text)


def limits_given(args: argparse.Namespace) -> LimitChanges:
    """Return the limits that `args` change. Raises ArgumentTypeError."""
    given = vars(args)
    changes: LimitChanges = {}
    if "budget_words" in given:
        changes["budgets"] = _budgets(given["budget_words"])
    if "requests_per_minute" in given:
        changes["requests_per_minute"] = given["requests_per_minute"]
    if "tokens_per_minute" in given:
        changes["tokens_per_minute"] = given["tokens_per_minute"]
    if "concurrent_max" in given:
        changes["concurrent_max"] = given["concurrent_max"]
    return changes


def read_usd(text: str) -> int | None:
    """Return nano-USD, exactly; None for "none". Raises argparse.ArgumentTypeError."""
    if text.lower() == CLEARED:
        return None
    usd = Usd()
    try:
        return usd.read_text(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not {usd.allowed}, or none") from None


def read_count(text: str) -> int | None:
    """Return a number from 1; None for "none". Raises argparse.ArgumentTypeError."""
    if text.lower() == CLEARED:
        return None
    count = WholeNumber(least=1, most=COUNT_MAX)
    try:
        return count.read_text(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not {count.allowed}, or none") from None


def short_usd(nano_usd: int) -> str:
    """Return an amount with all its decimals and no more: "50", "0.000000001"."""
    return usd_text(nano_usd).rstrip("0").rstrip(".")


def chain_object(chain: tuple[EntityLimits, ...]) -> list[dict[str, Any]]:
    """Return what `--json` prints of all limits that decide about a key's requests."""
    return [{"entity": each.entity, **limits_object(each.limits)} for each in chain]


def limits_text(limits: Limits) -> str:
    """Return limits in a line: "$50/month, 60 rpm", "none" where nothing is limited."""
    parts = [budget_text(each) for each in limits.budgets]
    parts += [
        f"{number} {unit}"
        for number, unit in (
            (limits.requests_per_minute, "rpm"),
            (limits.tokens_per_minute, "tpm"),
            (limits.concurrent_max, "at once"),
        )
        if number is not None
    ]
    return ", ".join(parts) or "none"


def budget_text(budget: Budget) -> str:
    """Return a budget in words: "$50/month", "$50 in all"."""
    amount = f"${short_usd(budget.limit_nano_usd)}"
    return f"{amount} in all" if budget.reset is Reset.NEVER else f"{amount}/{budget.reset.value}"


def _budgets(words: Sequence[tuple[str, Any]]) -> tuple[Budget, ...]:
    amounts = [value for option, value in words if option == _BUDGET]
    if None in amounts:
        if len(words) > 1:
            raise argparse.ArgumentTypeError(f"{_BUDGET} none stands alone")
        return ()
    if not amounts:
        raise argparse.ArgumentTypeError(f"--reset needs its {_BUDGET}")
    # With one budget there is no doubt whose the reset is, wherever it stands.
    words = sorted(words, key=lambda word: word[0] != _BUDGET) if len(amounts) == 1 else words
    budgets: list[tuple[int, Reset | None]] = []
    for option, value in words:
        if option == _BUDGET:
            budgets.append((value, None))
        elif not budgets or budgets[-1][1] is not None:
            raise argparse.ArgumentTypeError(f"each --reset stands behind its own {_BUDGET}")
        else:
            budgets[-1] = (budgets[-1][0], Reset(value))
    made = tuple(Budget(limit_nano_usd=nano, reset=reset or Reset.NEVER) for nano, reset in budgets)
    if len({budget.reset for budget in made}) < len(made):
        raise argparse.ArgumentTypeError("two budgets with one --reset: the lower would decide")
    return made
