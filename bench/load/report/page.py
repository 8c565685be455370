"""The report itself: one HTML file, the finding first."""

from __future__ import annotations

from html import escape
from pathlib import Path

from bench.load.report import sections
from bench.load.report.findings import check_words, headline, invalid_reasons
from bench.load.report.style import style_sheet
from bench.load.report.units import SPACE, digits
from bench.load.result import Check, Result

SECTIONS = (
    sections.glance,
    sections.latency,
    sections.climb,
    sections.against,
    sections.course,
    sections.taken,
    sections.errors,
    sections.every_figure,
    sections.method,
)


def write_report(result: Result, path: Path) -> None:
    """Write the run as one HTML file that needs no other file, no network and no script."""
    path.write_text(render(result), encoding="utf-8")


def render(result: Result) -> str:
    """Return the whole page."""
    body = "\n".join(section for make in SECTIONS if (section := make(result)))
    unfit = ' class="invalid"' if invalid_reasons(result) else ""
    title = escape(f"{result.scenario.get('name', 'load')}: {headline(result)}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title>\n<style>{style_sheet()}</style></head>\n"
        f"<body{unfit}><main>\n{_head(result)}\n{body}\n</main></body></html>\n"
    )


def _head(result: Result) -> str:
    name = escape(str(result.scenario.get("name", "load")))
    reasons = invalid_reasons(result)
    parts = [f'<p class="over">Load test \u201c{name}\u201d, {escape(_when(result))}</p>']
    if reasons:
        told = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
        parts.append(
            '<div class="alarm" role="alert"><strong>INVALID RUN: do not use these figures'
            f"</strong><ul>{told}</ul></div>"
        )
    css = ' class="unfit"' if reasons else ""
    parts.append(f"<h1{css}>{escape(headline(result))}</h1>")
    parts.append(f'<p class="lead">{escape(_lead(result))}</p>')
    if result.checks:
        chips = "".join(_chip(check) for check in result.checks)
        parts.append(f'<ul class="chips" aria-label="Checks">{chips}</ul>')
    return "\n".join(parts)


def _when(result: Result) -> str:
    return result.started_at[:16].replace("T", " ") + " UTC"


def _lead(result: Result) -> str:
    summary = str(result.scenario.get("summary", "")).strip()
    started = sum(target.total.started for target in result.targets)
    seconds = sum(target.total.seconds for target in result.targets)
    blocks = max((len(target.blocks) for target in result.targets), default=0)
    told = f"{started:,} requests in {digits(seconds)}{SPACE}s"
    if len(result.targets) > 1:
        told += f", {len(result.targets)} targets"
        told += f" by turns in {blocks} blocks each" if blocks > 1 else ""
    ended = f"{summary}{'' if summary.endswith(('.', '!', '?')) else '.'} " if summary else ""
    return f"{ended}{told}, latency from the intended send time."


def _chip(check: Check) -> str:
    css, word = ("pass", "PASS") if check.passed else ("fail", "FAIL")
    return (
        f'<li class="chip {css}" title="{escape(check.text)}"><b>{word}</b>'
        f"<span>{escape(check_words(check))}</span></li>"
    )
