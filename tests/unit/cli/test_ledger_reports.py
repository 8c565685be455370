"""`korad usage`, `export` and `invoice` on a ledger of their own."""

from __future__ import annotations

import argparse
import csv
import io
import re
from decimal import Decimal
from html import unescape

import orjson
import pytest

from korad.adapters.key_store import open_key_store
from korad.cli import audit, events, export, invoice, usage
from korad.config.demo import DEMO_PRICE
from korad.domain.limits import GroupKind
from korad.ledger.entries import milliseconds
from tests.support.ledger import NOON_MS, an_entry, an_event, sqlite_ledger

VERBS = {
    "audit": audit,
    "events": events,
    "usage": usage,
    "export": export,
    "invoice": invoice,
}
DEMO_PRICE_ID = DEMO_PRICE.price_id


@pytest.fixture
def korad(tmp_path, capfdbinary, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("korad.cli.options.read_environment", dict)

    def run(verb, *words):
        parser = argparse.ArgumentParser(prog="korad")
        VERBS[verb].add_parser(parser.add_subparsers())
        try:
            args = parser.parse_args([verb, *words, "--state-dir", str(tmp_path / "state")])
            code = VERBS[verb].run(args)
        except SystemExit as stop:
            code = stop.code
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


@pytest.fixture
def booked(tmp_path):
    """Book events of the key alice and of two that no store knows, and return their payloads."""
    with open_key_store(tmp_path / "state") as store:
        alice, _ = store.create("alice", now_s=1)
    other_day = milliseconds("2026-11-30T23:59:59.999Z")
    events = [
        an_event(1, key_id=alice.key_id, billed=2**53 + 1, client_request_id="=1+1 ü"),
        an_event(2, key_id=alice.key_id, team_id="tm_1", **{"gen_ai.request.model": "<o9>"}),
        an_event(3, key_id="vk_gone", customer_id="cu_1", time_ms=other_day),
        an_event(4, key_id=None),
    ]
    with sqlite_ledger(tmp_path / "state") as ledger:
        ledger.add([an_entry(event, place) for place, event in enumerate(events, 1)], NOON_MS)
    return [event.decode() for event in events]


@pytest.fixture
def empty(tmp_path):
    sqlite_ledger(tmp_path / "state").close()


@pytest.mark.parametrize(
    "words",
    [
        ("usage",),
        ("export", "--format", "jsonl"),
        ("invoice", "--key", "vk_1", "--month", "2026-11"),
    ],
)
def test_without_a_ledger_there_is_a_hint(korad, tmp_path, words):
    (tmp_path / "state").mkdir()
    code, out, err = korad(*words)

    assert (code, out) == (1, "")
    assert err.startswith(f"korad {words[0]}: no ledger yet:")
    assert "korad ledger run" in err


def test_with_a_redis_url_the_hint_is_what_makes_the_ledger_then(korad, tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(
        "korad.cli.options.read_environment",
        lambda: {"KORAD_STATE_DIR": "state", "KORAD_REDIS_URL": "redis://localhost:1"},
    )
    for verb in ("usage", "audit"):
        code, _, err = korad(verb)

        assert code == 1
        assert '`korad ledger run`, or by `korad serve` with ledger.run = "on"' in err


@pytest.mark.parametrize(
    "words",
    [
        ("usage",),
        ("export",),
        ("invoice", "--key", "vk_1", "--month", "2026-11"),
        ("audit",),
        ("events", "tail"),
        ("events", "tail", "--follow"),
    ],
)
def test_what_reads_the_books_makes_no_state_folder(korad, tmp_path, words):
    code, out, err = korad(*words)

    assert (code, out) == (2, "")
    assert err.startswith(f"korad {words[0]}: there is no state folder {tmp_path / 'state'}")
    assert list(tmp_path.iterdir()) == []


def test_a_tail_starts_no_redis_where_none_has_run(korad, tmp_path):
    (tmp_path / "state").mkdir()
    code, out, err = korad("events", "tail")

    assert (code, out) == (1, "")
    assert err.startswith("korad events: no events yet:")
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("usage", "--since", "yesterday"), "'yesterday' is neither 2026-11-01 nor"),
        (("usage", "--since", "2026-11-02", "--until", "2026-11-02"), "--since must be before"),
        (("export", "--format", "jsonl", "--until", "1800-01-01"), "before 1970"),
        (("export", "--format", "focus", "--since", "2026-11-02T01:00:00Z"), "whole days"),
        (("invoice", "--key", "vk_1", "--month", "2026-13"), "'2026-13' is not a month"),
        (("usage", "--by", "moon"), "invalid choice"),
    ],
)
@pytest.mark.usefixtures("empty")
def test_wrong_usage_is_told(korad, words, told):
    code, out, err = korad(*words)

    assert (code, out) == (2, "")
    assert told in err


@pytest.mark.usefixtures("booked")
def test_an_unknown_key_is_told(korad):
    code, _, err = korad("invoice", "--key", "nobody", "--month", "2026-11")

    assert (code, err) == (
        1, "korad invoice: no key has the id or name 'nobody'; see: korad keys list\n",
    )  # fmt: skip


@pytest.mark.usefixtures("booked")
def test_usage_shows_exact_sums_with_names_beside_ids(korad):
    code, out, _ = korad("usage")
    lines = out.splitlines()

    assert code == 0
    assert [line.split()[0][:3] for line in lines] == ["KEY", "tok", "(no", "vk_", "vk_", "tot"]
    assert lines[0].split()[1] == "NAME"
    assert lines[1].split() == ["tokens"] * 4 + ["USD"] * 3
    assert lines[3].split()[1] == "alice"
    assert "9007199.254742495" in lines[3]
    assert lines[-1].split()[1] == "4"


@pytest.mark.parametrize("by", ["key", "day"])
@pytest.mark.usefixtures("booked")
def test_figures_of_usage_end_below_one_another(korad, by):
    head, units, *rows = korad("usage", "--by", by)[1].splitlines()
    ends = [[match.end() for match in re.finditer(r"\S+", row)][-8:] for row in (head, *rows)]

    assert all(each == ends[0] for each in ends)
    assert [match.end() for match in re.finditer(r"\S+", units)] == ends[0][1:]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("model", {"openai/gpt-4o": 3, "openai/<o9>": 1}),
        ("day", {"2026-11-26": 3, "2026-11-30": 1}),
        ("team", {None: 3, "tm_1": 1}),
        ("customer", {None: 3, "cu_1": 1}),
    ],
)
@pytest.mark.usefixtures("booked")
def test_usage_is_grouped(korad, by, groups):
    _, out, _ = korad("usage", "--by", by, "--json")

    assert {each[by]: each["events"] for each in orjson.loads(out)} == groups


@pytest.mark.parametrize(("by", "kind"), [("team", "TEAM"), ("customer", "CUSTOMER")])
def test_usage_of_teams_and_customers_has_their_names(korad, tmp_path, by, kind):
    with open_key_store(tmp_path / "state") as store:
        group = store.create_group(GroupKind[kind], "acme", now_s=1)
    events = [an_event(1, **{f"{by}_id": group.group_id}), an_event(2, **{f"{by}_id": "xx_gone"})]
    with sqlite_ledger(tmp_path / "state") as ledger:
        ledger.add([an_entry(event, place) for place, event in enumerate(events, 1)], NOON_MS)
    shown = orjson.loads(korad("usage", "--by", by, "--json")[1])
    table = korad("usage", "--by", by)[1].splitlines()
    csv = korad("usage", "--by", by, "--format", "csv")[1].splitlines()

    names = {group.group_id: "acme", "xx_gone": None}
    assert {each[by]: each["name"] for each in shown} == names
    assert [group.group_id, "acme"] == table[2].split()[:2]
    assert [f"{by},name", f"{group.group_id},acme"] == [",".join(x.split(",")[:2]) for x in csv[:2]]


def test_an_export_is_json_lines_unless_told_otherwise(korad, booked):
    assert korad("export")[1].splitlines() == [booked[0], booked[1], booked[3], booked[2]]


@pytest.mark.usefixtures("booked")
def test_usage_of_a_period_leaves_its_end_out(korad):
    shown = [
        sum(each["events"] for each in orjson.loads(korad("usage", "--json", *words)[1]))
        for words in (
            ("--until", "2026-11-30"),
            ("--since", "2026-11-30"),
            ("--until", "2026-11-30T23:59:59.999Z"),
            ("--since", "2026-11-27T00:00:00+02:00"),
        )
    ]

    assert shown == [3, 1, 3, 1]


@pytest.mark.usefixtures("empty")
def test_an_empty_ledger_has_no_usage(korad):
    assert korad("usage") == (0, "No events in this period.\n", "")


def test_jsonl_is_the_events_byte_for_byte(korad, booked):
    code, out, _ = korad("export", "--format", "jsonl")

    assert code == 0
    assert out.splitlines() == [booked[0], booked[1], booked[3], booked[2]]


@pytest.mark.usefixtures("booked")
def test_csv_has_a_row_an_event_and_runs_no_formula(korad):
    _, out, _ = korad("export", "--format", "csv", "--key", "alice")
    rows = list(csv.DictReader(io.StringIO(out)))

    assert [row["number"] for row in rows] == ["1", "2"]
    assert rows[0]["billed_nano_usd"] == str(2**53 + 1)
    assert rows[0]["client_request_id"] == "'=1+1 ü"
    assert rows[1]["client_request_id"] == ""


def test_focus_rows_come_to_what_is_billed(korad, booked):
    _, out, _ = korad("export", "--format", "focus")
    rows = list(csv.DictReader(io.StringIO(out)))

    billed = sum(orjson.loads(event)["data"]["billed_nano_usd"] for event in booked)
    assert sum(Decimal(row["BilledCost"]) for row in rows).scaleb(9) == billed
    assert {row["SubAccountName"] for row in rows} == {"alice", ""}
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Credit"}


def test_focus_calls_an_account_by_its_name(korad, tmp_path):
    with open_key_store(tmp_path / "state") as store:
        acme = store.create_group(GroupKind.CUSTOMER, "acme", now_s=1)
        dev = store.create_group(GroupKind.TEAM, "dev", now_s=1)
        bob, _ = store.create("bob", now_s=1)
    events = [
        an_event(1, key_id=bob.key_id, customer_id=acme.group_id),
        an_event(2, key_id=bob.key_id, team_id=dev.group_id),
        an_event(3, key_id=bob.key_id),
        an_event(4, key_id="vk_gone"),
    ]
    with sqlite_ledger(tmp_path / "state") as ledger:
        ledger.add([an_entry(event, place) for place, event in enumerate(events, 1)], NOON_MS)
    rows = csv.DictReader(io.StringIO(korad("export", "--format", "focus")[1]))

    assert {row["BillingAccountId"]: row["BillingAccountName"] for row in rows} == {
        acme.group_id: "acme",
        dev.group_id: "dev",
        bob.key_id: "bob",
        "vk_gone": "vk_gone",
    }


@pytest.mark.parametrize("form", ["text", "csv", "json", "html"])
@pytest.mark.parametrize("is_demo", [True, False])
def test_an_invoice_tells_what_of_it_a_demo_made_up(korad, tmp_path, form, is_demo):
    price_id = DEMO_PRICE_ID if is_demo else "p_0123456789ab"
    events = [
        an_event(1, key_id="vk_1", billed=5_000),
        an_event(2, key_id="vk_1", billed=7_000, price_id=price_id),
        an_event(3, key_id="vk_2", billed=9_000, price_id=DEMO_PRICE_ID),
        an_event(
            4,
            key_id="vk_1",
            price_id=DEMO_PRICE_ID,
            time_ms=milliseconds("2026-12-01T00:00:00.000Z"),
        ),
    ]
    with sqlite_ledger(tmp_path / "state") as ledger:
        ledger.add([an_entry(event, place) for place, event in enumerate(events, 1)], NOON_MS)
    code, out, _ = korad("invoice", "--key", "vk_1", "--month", "2026-11", "--format", form)

    assert code == 0
    if form == "json":
        shown = orjson.loads(out)
        told = (1, 7_000) if is_demo else (0, 0)
        assert (shown["demo_events"], shown["demo_billed_nano_usd"]) == told
    else:
        told = "of the sum, 0.000007000 USD are at the demo's price of $2 per million tokens"
        assert is_demo is (told in unescape(out))
        assert is_demo is ("(requests: 1)" in out)
        assert is_demo is ("demo" in out)


@pytest.mark.parametrize("form", ["text", "csv", "json", "html"])
@pytest.mark.usefixtures("booked")
def test_an_invoice_in_each_form(korad, form):
    code, out, _ = korad("invoice", "--key", "alice", "--month", "2026-11", "--format", form)

    assert code == 0
    assert ("900719925" if form == "json" else "9007199.25") in out
    assert ("4742495" if form == "json" else "0.004742495") in out
    assert "<o9>" in out or "&lt;o9&gt;" in out
    assert form != "html" or "<o9>" not in out


@pytest.mark.usefixtures("booked")
def test_an_invoice_without_requests_is_of_nothing(korad):
    code, out, _ = korad("invoice", "--key", "alice", "--month", "2026-10")

    assert code == 0
    assert "No requests in this month." in out
    assert re.search(r"^Due, net of tax, in USD +0\.00$", out, re.MULTILINE)
