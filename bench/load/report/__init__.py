"""The report of a run: one HTML file with its drawings inside, made from a `Result` alone."""

from __future__ import annotations

from bench.load.report.page import write_report as write_report
