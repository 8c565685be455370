"""`korad audit`'s table, for a person who sees it the first time."""

from __future__ import annotations

from korad.cli.audit import FOOTNOTE, as_text
from korad.ledger.audit_report import Account, AuditReport, Tally


def test_the_table_tells_its_unit_and_how_its_ranges_are_read():
    tally = Tally(events=5, highest=9, billed_nano_usd=1_500_000_000)
    account = Account(journal=tally, ledger=tally, redis_number=9)

    text = as_text(AuditReport(accounts={("m0-w00-e1", 3): account}))

    head, row, *rest = text.splitlines()
    assert "BILLED USD" in head
    assert "5 to 9" in row
    assert "1.5" in row
    assert rest[0].startswith('("5 to 9": five events, the highest number 9;')


def test_without_a_row_nothing_is_explained():
    assert FOOTNOTE not in as_text(AuditReport(accounts={}))
