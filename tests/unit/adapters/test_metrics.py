"""Counters in shared memory, and the text Prometheus gets."""

from __future__ import annotations

import re

import pytest

from korad.adapters import metrics
from korad.adapters.metrics import Metrics, MetricsPage
from korad.adapters.shared_pages import make_pages
from korad.domain.money import Charge
from korad.domain.usage import Usage
from tests.support.records import a_record

SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? -?[0-9.]+')


@pytest.fixture
def pages():
    return make_pages(2)


def samples(text: bytes) -> dict[str, str]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    assert [] == [line for line in lines if not SAMPLE.fullmatch(line)]
    return dict(line.rsplit(" ", 1) for line in lines)


def test_the_counts_of_all_workers_are_summed(pages):
    first, second = Metrics(pages, 0), Metrics(pages, 1)
    first.own.note(a_record())
    second.own.note(a_record())
    second.own.note(a_record(status=502, error_code="upstream_broken"))
    found = samples(first.render())

    assert first.render() == second.render()
    assert found["korad_worker_starts_total"] == "2"
    assert (
        found[
            'korad_requests_total{provider="openai",model="gpt-4o",code="200",'
            'outcome="completed",error=""}'
        ]
        == "2"
    )
    assert found["korad_request_duration_seconds_count"] == "3"


def test_a_new_worker_in_a_slot_goes_on_with_the_counts_of_the_old(pages):
    Metrics(pages, 0).own.note(a_record())
    successor = Metrics(pages, 0)
    successor.own.note(a_record())
    found = samples(successor.render())

    assert found["korad_worker_starts_total"] == "2"
    assert found["korad_request_duration_seconds_count"] == "2"


def test_tokens_and_money_are_added_up(pages):
    worker = Metrics(pages, 0)
    usage = Usage(prompt_tokens=10, completion_tokens=9, cached_prompt_tokens=4)
    charge = Charge(
        price_id="p",
        cost_pico_usd=38_000_000,
        cost_nano_usd=38_000,
        billed_nano_usd=57_000,
        margin_bp=15_000,
    )
    for _ in range(2):
        worker.own.note(a_record(usage=usage, charge=charge, savings_nano_usd=-5))
    found = samples(worker.render())

    assert found['korad_tokens_total{type="prompt"}'] == "20"
    assert found['korad_tokens_total{type="completion"}'] == "18"
    assert found['korad_tokens_total{type="cached_prompt"}'] == "8"
    assert found["korad_cost_nano_usd_total"] == "76000"
    assert found["korad_billed_nano_usd_total"] == "114000"
    assert found["korad_savings_nano_usd_total"] == "-10"


@pytest.mark.parametrize(
    ("overhead_us", "within"),
    [(0, "2.5e-05"), (25, "2.5e-05"), (26, "5e-05"), (250_000, "0.25"), (250_001, "+Inf")],
)
def test_a_histogram_counts_up_to_and_with_its_bounds(pages, overhead_us, within):
    worker = Metrics(pages, 0)
    worker.own.note(a_record(overhead_us=overhead_us))
    text = worker.render().decode()
    buckets = re.findall(r'korad_overhead_seconds_bucket\{le="([^"]+)"\} (\d)', text)

    assert within == next(bound for bound, count in buckets if count == "1")
    assert buckets[-1] == ("+Inf", "1")
    assert f"korad_overhead_seconds_sum {overhead_us / 1e6:.6f}\n" in text
    assert "korad_overhead_seconds_count 1\n" in text


@pytest.mark.parametrize(
    "model",
    [
        'a"b',
        "a\\b",
        "a\nb",
        "\x00",
        "\ud800",
        "\u2028",
        "m" * 300,
        "\u00e9" * 300,
        "\U0001f600" * 300,
    ],
)
def test_no_name_a_client_chooses_breaks_the_text(pages, model):
    worker = Metrics(pages, 0)
    worker.own.note(a_record(provider=model, model=model, error_code=model))
    worker.own.note(a_record())
    found = samples(worker.render())

    assert len([name for name in found if name.startswith("korad_requests_total")]) == 2


def test_a_full_page_counts_what_it_knows_and_loses_nothing_else(pages, monkeypatch):
    monkeypatch.setattr(metrics, "SERIES_MAX", 60)
    worker = Metrics(pages, 0)
    for number in range(200):
        worker.own.note(a_record(model=str(number)))
    worker.own.note(a_record(model="0"))
    found = samples(worker.render())
    one = 'provider="openai",model="0",code="200",outcome="completed",error=""'

    assert found[f"korad_requests_total{{{one}}}"] == "2"
    assert found["korad_request_duration_seconds_count"] == "201"
    assert len(worker.own._by_kind) <= 60


def test_a_page_full_of_bytes_takes_no_further_name(monkeypatch):
    pages = make_pages(1)
    worker = Metrics(pages, 0)
    room = worker.own._next_name + 100
    monkeypatch.setattr(metrics, "METRICS_BYTES", room)
    assert worker.own.cell("korad_" + "x" * 200 + "_total") == 0

    assert worker.own.cell("korad_small_total") > 0
    assert "korad_small_total" in samples(worker.render())


def test_the_lag_of_the_loop_is_a_histogram_of_its_own(pages):
    worker = Metrics(pages, 0)
    for lag_us in (0, 1_000, 4_000, 5_000_000):
        worker.own.note_lag(lag_us)
    found = samples(worker.render())

    told = [found[f'korad_loop_lag_seconds_bucket{{le="{le}"}}'] for le in ("0.001", "0.005", "1")]
    assert ["2", "3", "3"] == told
    assert found["korad_loop_lag_seconds_count"] == "4"
    assert found["korad_loop_lag_seconds_sum"] == "5.005000"


def test_a_gauge_is_set(pages):
    worker = Metrics(pages, 0)
    worker.own.set("korad_inflight", 5)
    worker.own.set("korad_inflight", 3)

    assert "# TYPE korad_inflight gauge\nkorad_inflight 3\n" in worker.render().decode()


def test_a_page_alone_finds_its_series_again(pages):
    cell = MetricsPage(pages.metrics[0]).cell("korad_a_total")

    assert cell == MetricsPage(pages.metrics[0]).cell("korad_a_total")
