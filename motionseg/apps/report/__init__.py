"""Benchmark runs as one self-contained page, and as Markdown."""

from motionseg.apps.report.page import write_report

__all__ = ["write_report"]
