"""The HTML report: whole, self-contained, escaped, and without what was not measured."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest

from bench.load.report import write_report
from bench.load.report.findings import common_rate, headline, invalid_reasons
from bench.load.report.page import render
from bench.load.report.svg import text_width
from bench.load.report.timeline import courses_of
from bench.load.report.units import time_text
from bench.load.result import Ratio
from tests.bench.load import sample_runs

VOID = {"meta", "br", "link", "img", "input", "hr"}
SVG = "{http://www.w3.org/2000/svg}"
NAMES = list(sample_runs.ALL)


@pytest.fixture(scope="module")
def made():
    return {name: make() for name, make in sample_runs.ALL.items()}


@pytest.fixture(scope="module")
def pages(made):
    return {name: render(result) for name, result in made.items()}


class Reader(HTMLParser):
    """Checks that tags close in order, and keeps attributes and the text that is shown."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.attributes = []
        self.tags = set()
        self.text = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "title"}:
            self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def text_of(page):
    return " ".join(" ".join(read(page).text).replace("\u00a0", " ").split())


def drawings(page):
    return [ET.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", page, re.DOTALL)]  # noqa: S314


def headings(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_well_formed_and_needs_nothing_else(pages, name):
    reader = read(pages[name])

    assert reader.tags & {"script", "link", "img", "iframe", "object", "use", "image"} == set()
    assert {key for key, _ in reader.attributes} & {"src", "href", "xlink:href", "onload"} == set()
    assert not re.search(r"url\(|@import|javascript:", pages[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_xml_with_a_label_and_holds_only_numbers(pages, name):
    for drawing in drawings(pages[name]):
        assert drawing.get("role") == "img"
        assert drawing.get("aria-label")
        width, height = map(float, drawing.get("viewBox").split()[2:])
        for element in drawing.iter():
            for key in ("x", "x1", "x2", "cx"):
                assert -1 <= float(element.get(key, 0)) <= width + 1
            for key in ("y", "y1", "y2", "cy"):
                assert -1 <= float(element.get(key, 0)) <= height + 1
    assert not re.search(r"\b([Nn]a[Nn]|inf|None)\b", pages[name])


@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_its_drawing(pages, name):
    for drawing in drawings(pages[name]):
        width = float(drawing.get("viewBox").split()[2])
        for element in drawing.iter(f"{SVG}text"):
            size = 12 if element.get("class") in {"tick", "soft"} else 13
            wide = text_width(element.text or "", size)
            x, anchor = float(element.get("x")), element.get("text-anchor")
            left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
            assert left >= -2, element.text
            assert left + wide <= width + 2, element.text


@pytest.mark.parametrize("name", NAMES)
def test_labels_at_the_right_of_lines_do_not_overlap(pages, name):
    for drawing in drawings(pages[name]):
        names = [e for e in drawing.iter(f"{SVG}text") if e.get("class") == "name"]
        places = {}
        for element in names:
            places.setdefault(element.get("x"), []).append(float(element.get("y")))
        for ys in places.values():
            ys.sort()
            assert all(b - a >= 13 for a, b in pairwise(ys))


@pytest.mark.parametrize("name", NAMES)
def test_every_target_s_figures_are_in_the_text(made, pages, name):
    text = text_of(pages[name])
    for target in made[name].targets:
        assert " ".join(target.name.split()) in text
        assert target.url in text
        histogram = target.total.histograms.get("e2e")
        if histogram is not None and not target.ladder:
            assert time_text(histogram.percentiles.p99_ns).replace("\u00a0", " ") in text
    assert made[name].command.split()[2] in text
    assert str(made[name].seed) in text
    assert made[name].git_commit in text


def test_names_are_escaped(made, pages):
    page = pages["long_names"]

    assert "<everything>" not in page
    assert "<such>" not in page
    assert "korad with &lt;everything&gt; &amp; its &quot;billing&quot; on" in page
    assert made["long_names"].targets[1].name in unescape(page)


def test_each_drawing_comes_for_wide_pages_and_for_phones(pages):
    page = pages["two_targets"]

    assert page.count('<svg class="wide"') == page.count('<svg class="narrow"') > 5
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page


def test_sections_without_data_are_left_out(pages):
    assert headings(pages["nothing"]) == [
        "At a glance", "Errors by class", "All figures", "How it was measured",
    ]  # fmt: skip
    assert headings(pages["one_target"]) == [
        "At a glance", "Latency by percentile", "Second by second", "Resources",
        "All figures", "How it was measured",
    ]  # fmt: skip
    assert "Target against target" in headings(pages["two_targets"])
    assert "Errors by class" in headings(pages["many_errors"])
    assert "Resources" not in headings(pages["invalid"])
    assert {"The ladder", "Second by second"} & set(headings(pages["ladder"])) == {"The ladder"}


def test_only_metrics_that_were_measured_are_drawn(pages):
    streams, plain = text_of(pages["streams"]), text_of(pages["one_target"])

    for name in ("Time to first token", "Between chunks", "Overhead per chunk", "CPU a chunk"):
        assert name in streams
        assert name not in plain


def test_an_invalid_run_says_so_before_anything_else(made, pages):
    page = pages["invalid"]

    assert invalid_reasons(made["invalid"]) == [
        "korad: the load was late: schedule lag p99 4.2 ms (at most 1 ms)"
    ]
    assert page.index("INVALID RUN") < page.index("<h1")
    assert "1,204 shed" in text_of(page)
    assert "INVALID RUN" not in pages["one_target"]


def test_checks_are_chips(pages):
    text = text_of(pages["one_target"])

    assert "PASS korad: Overhead, p99: 610 µs (limit \u2264 2.00 ms)" in text
    assert "FAIL korad: CPU time per request: 94.2 µs (limit \u2264 80.0 µs)" in text
    assert "not measured" in text_of(pages["invalid"])


def test_errors_are_counted_by_class_the_most_frequent_first(pages):
    text = text_of(pages["many_errors"])

    assert "611 (12.2 %)" in text
    assert text.index("status 429") < text.index("timeout") < text.index("refused")
    assert "the first: budget_exceeded: a <key> has spent it" in text
    assert text.count("the first:") == 1


def test_headlines(made):
    def said(name):
        return headline(made[name]).replace("\u00a0", " ")

    assert re.fullmatch(
        r"korad adds \d+ µs at p99 over direct; 94.2 µs CPU a request, 3.10 \u00d7 nginx",
        said("two_targets"),
    )
    assert said("ladder").startswith("korad holds 1,709 requests/s, 0.44 \u00d7 nginx; ")
    assert said("streams").startswith("korad and nginx do not differ clearly")
    assert said("many_errors").startswith("21 % of korad's requests failed; korad adds ")
    assert said("many_errors").endswith("155 \u00d7 less than litellm")
    assert said("nothing") == "100 % of korad's requests failed; korad answered nothing"


def test_a_ratio_the_other_way_round_counts_too(made):
    turned = msgspec.structs.replace(
        made["streams"],
        ratios=[
            Ratio(
                target="nginx",
                baseline="korad",
                figure="cpu_us_per_chunk",
                ratio=0.5,
                low=0.4,
                high=0.6,
            )
        ],
    )

    assert "2.00\u00a0\u00d7\u00a0nginx" in headline(turned)


def test_a_ladder_is_compared_at_the_highest_rate_that_all_kept(made, pages):
    assert common_rate(made["ladder"]) == pytest.approx(100 * 1.5**7)
    assert "At 1,709/s, the highest rate that every target kept." in text_of(pages["ladder"])
    assert common_rate(made["two_targets"]) is None


def test_a_ladder_that_kept_nothing_is_still_a_report(made):
    result = made["ladder"]
    targets = [
        msgspec.structs.replace(
            target,
            ladder=[msgspec.structs.replace(rung, kept=False) for rung in target.ladder],
            knee_rate=None,
        )
        for target in result.targets
    ]
    page = render(msgspec.structs.replace(result, targets=targets))

    assert "no rate kept" in page
    assert "korad keeps not even the lowest rate" in text_of(page)


def test_a_result_without_targets_is_still_a_report(made):
    page = render(msgspec.structs.replace(made["one_target"], targets=[], checks=[]))

    assert headings(page) == ["How it was measured"]
    assert "Nothing was measured" in text_of(page)


def test_a_ratio_that_cannot_be_drawn_is_named(made):
    nothing = Ratio(
        target="korad", baseline="nginx", figure="errors", ratio=float("inf"), low=0.0, high=0.0
    )
    result = made["streams"]
    text = text_of(render(msgspec.structs.replace(result, ratios=[*result.ratios, nothing])))

    assert "Not drawn, as one of both is nothing: korad, Errors." in text


def test_only_targets_with_failures_have_them_drawn(pages):
    assert pages["many_errors"].count("failed per second") == 2 * 2
    assert "failed per second" not in pages["two_targets"]


def test_blocks_follow_one_another_in_a_timeline(made):
    course = courses_of(made["two_targets"].targets)[0]

    assert course.starts == [0, 10]
    assert [at for at, _ in course.seconds] == [n + 0.5 for n in range(20)]


def test_the_report_survives_the_result_s_own_json(made, tmp_path):
    again = msgspec.json.decode(msgspec.json.encode(made["streams"]), type=type(made["streams"]))
    path = tmp_path / "report.html"
    write_report(again, path)

    assert path.read_text(encoding="utf-8") == render(made["streams"])
