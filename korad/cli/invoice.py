"""`korad invoice`: what a key owes for a month, per model and per day, net of tax."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from html import escape
from typing import Final

from korad.cli.books import key_id_of, ledger_to_read, names_of, run_books, write_csv
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.cli.output import table, write, write_json
from korad.config.demo import DEMO_USD_PER_MTOK
from korad.ledger.amounts import cents_usd, exact_usd
from korad.ledger.invoice import Invoice, InvoiceLine, invoice_of, is_month

_HEAD: Final = ("REQUESTS", "INPUT TOKENS", "OUTPUT TOKENS", "USD")
_STYLE: Final = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}"
    "td:first-child,th:first-child{text-align:left}"
)


def add_parser(subparsers: Subparsers) -> None:
    """Add `invoice` to the command line."""
    summary = "print a key's invoice for a month"
    parser = subparsers.add_parser("invoice", help=summary, description=summary)
    parser.add_argument("--key", required=True, metavar="ID|NAME", help="whose invoice")
    parser.add_argument("--month", required=True, type=_read_month, metavar="2026-11")
    parser.add_argument("--format", choices=sorted(_FORMS), default="text", help="default: text")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the invoice and return the exit code."""
    settings = settings_from(args)

    def make() -> int:
        with ledger_to_read(settings) as ledger:
            key_id = key_id_of(settings, args.key)
            invoice = invoice_of(ledger, key_id, args.month)
        name = names_of(settings, [key_id]).get(key_id, "")
        _FORMS[args.format](invoice, name)
        return 0

    return run_books("invoice", make)


def closing_lines(invoice: Invoice) -> list[tuple[str, str]]:
    """Return the lines below the sums, with amounts in USD."""
    return [
        ("Sum", exact_usd(invoice.billed_nano_usd)),
        ("Carried over from rounding before", exact_usd(invoice.carried_in_nano_usd)),
        ("Due, net of tax, in USD", cents_usd(invoice.due_cents)),
        ("Carried over to next month", exact_usd(invoice.carried_out_nano_usd)),
        ("Saved by korad, for information", exact_usd(invoice.savings_nano_usd)),
    ]


def demo_note(invoice: Invoice) -> str:
    """Return what is to be known of an invoice with requests of demo mode."""
    return (
        f"WARNING: of the sum, {exact_usd(invoice.demo_billed_nano_usd)} USD are at the demo's "
        f"price of ${DEMO_USD_PER_MTOK} per million tokens (requests: {invoice.demo_events}): demo "
        "mode made these answers up, unless a price of yours is the same."
    )


def _text(invoice: Invoice, name: str) -> None:
    write(f"Invoice {invoice.month}: {name or invoice.key_id} ({invoice.key_id})\n\n")
    if not invoice.models:
        write("No requests in this month.\n\n")
    for head, found in (("MODEL", invoice.models), ("DAY", invoice.days)):
        if found:
            rows = [(head, *_HEAD), *[_cells(line) for line in found]]
            write(table(rows, numbers=len(_HEAD)) + "\n")
    closing = closing_lines(invoice)
    width = max(len(label) for label, _ in closing)
    whole = max(amount.index(".") for _, amount in closing)
    for label, amount in closing:
        write(f"{label:<{width}}  {' ' * (whole - amount.index('.'))}{amount}\n")
    if invoice.demo_events:
        write(f"\n{demo_note(invoice)}\n")


def _csv(invoice: Invoice, _name: str) -> None:
    head = ("kind", "name", "requests", "input_tokens", "output_tokens", "usd")
    rows = [("model", *_cells(line)) for line in invoice.models]
    rows += [("day", *_cells(line)) for line in invoice.days]
    kinds = ("sum", "carried_in", "due", "carried_out", "saved")
    rows += [
        (kind, label, "", "", "", amount)
        for kind, (label, amount) in zip(kinds, closing_lines(invoice), strict=True)
    ]
    if invoice.demo_events:
        demo = exact_usd(invoice.demo_billed_nano_usd)
        rows.append(("demo", demo_note(invoice), str(invoice.demo_events), "", "", demo))
    write_csv(head, rows)


def _json(invoice: Invoice, name: str) -> None:
    write_json(asdict(invoice) | {"name": name or None, "currency": "USD", "net_of_tax": True})


def _html(invoice: Invoice, name: str) -> None:
    title = escape(f"Invoice {invoice.month}: {name or invoice.key_id}")
    head_of_page = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    parts = [f'<!doctype html><html lang="en"><head>{head_of_page}</head><body><h1>{title}</h1>']
    parts.append(f"<p>{escape(invoice.key_id)}</p>")
    for head, found in (("Model", invoice.models), ("Day", invoice.days)):
        cells = [(head, "Requests", "Input tokens", "Output tokens", "USD")]
        parts.append(_html_table(cells, [_cells(line) for line in found]))
    parts.append(_html_table([], closing_lines(invoice)))
    if invoice.demo_events:
        parts.append(f"<p>{escape(demo_note(invoice))}</p>")
    write("\n".join([*parts, "</body></html>\n"]))


def _html_table(head: Sequence[tuple[str, ...]], rows: Sequence[tuple[str, ...]]) -> str:
    def row(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    lines = [row(cells, "th") for cells in head] + [row(cells, "td") for cells in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _cells(line: InvoiceLine) -> tuple[str, ...]:
    figures = (str(line.events), str(line.input_tokens), str(line.output_tokens))
    return (line.name, *figures, exact_usd(line.billed_nano_usd))


def _read_month(text: str) -> str:
    if not is_month(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a month such as 2026-11")
    return text


_FORMS: Final[dict[str, Callable[[Invoice, str], None]]] = {
    "text": _text,
    "csv": _csv,
    "json": _json,
    "html": _html,
}
