"""`RESULTS.md` is made of a result, and leaves alone what people wrote into it."""

from __future__ import annotations

import msgspec

from bench.peers.goals import goals, scaling
from bench.peers.markdown import BEGIN, END, keep_notes, page
from bench.peers.outcome import Outcome
from tests.bench.peers.sample_outcome import outcome


def lines_of(text: str, heading: str) -> list[str]:
    """Return the lines of one section."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return section.strip().splitlines()


def test_cpu_times_come_with_their_ratio_to_nginx_and_its_interval():
    lines = lines_of(page(outcome()), "CPU time per request, one core")

    korad = next(line for line in lines if line.startswith("| **korad**"))
    assert "| 50.0 | **2.50** (2.40 to 2.60) |" in korad
    assert "| 20.0 | 1 |" in next(line for line in lines if line.startswith("| nginx"))


def test_korads_time_is_told_by_its_processes():
    lines = lines_of(page(outcome()), "CPU time per request, one core")

    assert "| | worker | Redis | bookkeeper |" in lines
    assert "| small | 35.0 µs, 70% | 5.00 µs, 10% | 10.0 µs, 20% |" in lines


def test_latency_is_what_is_added_to_the_way_without_a_proxy():
    lines = lines_of(page(outcome()), "500 requests a second")

    assert "| direct | 100 | 300 | 400 | 500 |" in lines
    assert "| **korad** | +220 | +660 | +880 | 500 |" in lines


def test_a_skipped_peer_is_named_with_its_reason_in_every_table():
    text = page(outcome())

    skipped = "| LiteLLM | SKIPPED: `pip install` failed / no net |"
    for heading in ("CPU time per request, one core", "Streams", "500 requests a second"):
        assert [line for line in lines_of(text, heading) if line.startswith(skipped)]
    assert "SKIPPED" in lines_of(text, "Who took part")[-1]


def test_every_line_of_a_table_has_as_many_cells_as_its_head():
    for block in page(outcome()).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]

        assert len({line.count("|") for line in rows}) <= 1, block


def test_a_goal_is_kept_or_not_and_one_that_was_not_measured_says_so():
    found = {goal.text: goal for goal in goals(outcome())}

    assert found["300 B: CPU at most 3.0 x nginx"].kept
    assert not found["200 KB: CPU at most 1.8 x nginx"].kept
    assert found["300 B: Portkey takes at least 20 x the CPU"].value == 40
    assert found["300 B: LiteLLM takes at least 100 x the CPU"].value is None
    assert "LiteLLM takes at least 100 x the CPU | - | not measured |" in page(outcome())


def test_without_cores_to_spare_two_workers_are_judged_by_cpu_time():
    workers = outcome().workers

    assert workers is not None
    assert 2 * 50 / 55 == scaling(workers)
    assert scaling(msgspec.structs.replace(workers, own_cores=True)) == 1.0
    assert scaling(None) is None


def test_a_busy_machine_and_a_short_run_are_told_at_once():
    quiet = msgspec.structs.replace(outcome(), short=False)
    busy = msgspec.structs.replace(quiet, others_cores=1.2)

    assert "Other work took 1.2 of its cores" in page(busy)
    assert "Other work" not in page(quiet)
    assert "short run" in page(outcome())
    assert "short run" not in page(quiet)


def test_notes_between_the_marks_outlive_a_new_page():
    first = page(outcome())
    written = first.replace(f"{BEGIN}\n{END}", f"{BEGIN}\nWhy 200 KB costs more.\n{END}")

    again = keep_notes(written, page(outcome()))

    assert again == written
    assert keep_notes("", first) == first
    assert keep_notes("a page without marks", first) == first


def test_a_result_is_read_back_as_it_was_written():
    data = msgspec.json.encode(outcome())

    assert msgspec.json.decode(data, type=Outcome) == outcome()


def test_a_figure_that_is_no_good_is_told_with_its_reason():
    base = outcome()
    rate = next(case for case in base.cases if case.name == "rate")
    korad = next(each for each in rate.results if each.name == "korad")
    client = msgspec.structs.replace(korad.total.client, invalid="requests left late")
    total = msgspec.structs.replace(korad.total, client=client)
    results = [
        msgspec.structs.replace(each, total=total) if each is korad else each
        for each in rate.results
    ]
    cases = [
        msgspec.structs.replace(each, results=results) if each is rate else each
        for each in base.cases
    ]

    text = page(msgspec.structs.replace(base, cases=cases))

    assert "korad, rate: requests left late" in text
    assert "korad, rate" not in page(base)
