"""The page and the Markdown file of a report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from motionseg.apps.doctor import machine
from motionseg.apps.report.tables import Section, Table, full_name, read_sections
from motionseg.core.errors import MissingExtraError
from motionseg.io.write import write_text

__all__ = ["write_report"]

_MOST_STRIPS = 6  # of a method on a dataset
_COSTS = {
    "change": "{:.1f} % of the pixels are wrong",
    "foreground": "1 - J = {:.3f}",
    "objects": "1 - J = {:.3f}, all objects together",
    "regions": "1 - J = {:.3f}, all regions together",
    "boxes": "{:.3f} of the boxes have no partner",
    "flow": "endpoint error {:.2f} px",
}


@dataclass(frozen=True)
class _Strip:
    """A picture of a frame that a method did badly."""

    caption: str
    data: str


def write_report(folders: Sequence[Path], output: Path, *, baseline: str | None = None) -> list[Path]:
    """Write ``report.html``, one file with all its pictures in it, and ``report.md``; return their paths.

    Parameters
    ----------
    folders : sequence of Path
        What ``motionseg bench`` and ``motionseg score`` wrote.
    output : Path
        Folder for the two files.
    baseline : str, optional
        A method, or one of the folders, that the others are compared with.

    Raises
    ------
    SourceError
        A folder holds no records of a run.
    ParameterError
        `baseline` is neither a method nor a folder.
    MissingExtraError
        jinja2 or matplotlib is not installed.
    OutputError
        A file cannot be written.
    """
    try:
        import jinja2

        from motionseg.apps.report.charts import precision_recall, quality_against_speed
    except ImportError as error:
        raise MissingExtraError("the report", "pip install jinja2 matplotlib") from error
    sections = read_sections(folders, baseline=baseline)
    loader = jinja2.PackageLoader("motionseg.apps.report", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pages = [
        {
            "section": section,
            "charts": [chart for chart in (quality_against_speed(section), precision_recall(section)) if chart],
            "worst": {method: _strips(section, method) for method in section.methods},
            "problems": _problems(section),
        }
        for section in sections
    ]
    html = environment.get_template("page.html.jinja").render(pages=pages, machine=machine(), baseline=baseline)
    paths = [output / "report.html", output / "report.md"]
    write_text(paths[0], html)
    write_text(paths[1], _markdown(sections))
    return paths


def _strips(section: Section, method: str) -> list[_Strip]:
    """The worst frames of a method, the worst first, at most two of a sequence."""
    found = []
    for record in section.of(method):
        shown = sorted(record["worst"], key=lambda frame: -frame["cost"])[:2]
        found += [(frame["cost"], frame, record) for frame in shown]
    found.sort(key=lambda entry: -entry[0])
    strips = []
    for cost, frame, record in found[:_MOST_STRIPS]:
        path = record["folder"] / frame["picture"]
        if path.is_file():
            caption = f"{full_name(record)}, frame {frame['index']}: {_COSTS[section.task].format(cost)}"
            strips.append(_Strip(caption, base64.b64encode(path.read_bytes()).decode("ascii")))
    return strips


def _problems(section: Section) -> list[str]:
    """What was damaged in the data, each once, and what failed."""
    failed = [f"{r['method']} failed on {r['sequence']}: {r['error']}" for r in section.failures]
    damaged = [f"{r['sequence']}: {problem}" for r in section.records for problem in r.get("problems", ())]
    return list(dict.fromkeys([*failed, *damaged]))


def _markdown(sections: Sequence[Section]) -> str:
    lines = ["# Benchmark report", ""]
    for section in sections:
        lines += [f"## {section.dataset}", ""]
        for table in section.tables:
            lines += _markdown_table(table)
        lines += [f"- {problem}" for problem in _problems(section)]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(table: Table) -> list[str]:
    lines = [f"### {table.title}", ""] + ([table.note, ""] if table.note else [])
    lines += ["| " + " | ".join(table.header) + " |", "|---" * 1 + "|---:" * (len(table.header) - 1) + "|"]
    for row in table.rows:
        lines.append("| " + " | ".join(f"**{c.text}**" if c.mark == "best" else c.text for c in row) + " |")
    return [*lines, ""]
