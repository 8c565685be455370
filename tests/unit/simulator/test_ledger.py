"""Tests of `korad.simulator.ledger`."""

from __future__ import annotations

from korad.simulator import CapturedRequest, Ledger, ledger as ledger_module
from korad.simulator.ledger import RequestLog


def request(body=b"{}"):
    return CapturedRequest(
        method="POST", path="/v1/messages", raw_headers=[(b"X-A", b"1"), (b"x-a", b"2")], body=body
    )


def test_an_id_used_again_counts_its_attempts():
    ledger = Ledger()
    ledger.open("req_1", "openai").completion_tokens = 5

    again = ledger.open("req_1", "openai")

    assert (2, 0) == (again.attempt, again.completion_tokens)
    assert {"req_1": again} == ledger


def test_the_ledger_keeps_the_newest_entries(monkeypatch):
    monkeypatch.setattr(ledger_module, "ENTRIES_MAX", 2)
    ledger = Ledger()
    for name in ("a", "b", "c"):
        ledger.open(name, "openai")

    assert ["b", "c"] == list(ledger)


def test_a_captured_request_keeps_its_headers_in_order_and_finds_them_by_any_case():
    assert [("X-A", "1"), ("x-a", "2")] == request().headers
    assert "1" == request().header("x-A")
    assert request().header("x-b") is None


def test_the_request_log_is_bounded_by_number_and_by_bytes(monkeypatch):
    monkeypatch.setattr(ledger_module, "REQUESTS_MAX", 3)
    monkeypatch.setattr(ledger_module, "REQUEST_BYTES_MAX", 10)
    log = RequestLog()
    for _ in range(5):
        log.append(request(b"1"))
    by_number = len(log.as_list())
    log.append(request(b"123456789"))

    assert 3 == by_number
    assert [b"1", b"123456789"] == [kept.body for kept in log.as_list()]


def test_the_request_log_can_be_emptied():
    log = RequestLog()
    log.append(request())
    log.clear()

    assert [] == log.as_list()
