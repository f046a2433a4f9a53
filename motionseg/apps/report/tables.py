"""What a report says, as plain tables: made of records, shown by the page and by Markdown alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from motionseg.apps.records import MAIN_MEASURES, all_records, format_number, lower_is_better, tabulate
from motionseg.core.errors import ParameterError
from motionseg.metrics import CDNET_METRICS, Ranking, rank_methods

__all__ = ["Cell", "Section", "Table", "full_name", "read_sections"]

_TITLES = {"fps": "frames/s", "peak_memory_mb": "peak MB"}


@dataclass(frozen=True)
class Cell:
    """A number as it is shown, and how it stands in its column: ``best``, ``better``, ``worse`` or nothing."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table; the first column names the row."""

    title: str
    header: list[str]
    rows: list[list[Cell]]
    note: str = ""
    is_folded: bool = False
    """Shown only when somebody asks for it, where that can be done."""


@dataclass
class Section:
    """One dataset."""

    dataset: str
    task: str
    methods: list[str]
    records: list[dict[str, Any]]
    means: dict[str, Any]
    tables: list[Table] = field(default_factory=list)

    @property
    def measure(self) -> str:
        """The measure that decides."""
        return self.measures[0]

    @property
    def measures(self) -> tuple[str, ...]:
        """Those that a table shows."""
        return MAIN_MEASURES[self.task]

    @property
    def ranked_by(self) -> dict[str, bool]:
        """The measures that ranks are made from, and whether higher is better."""
        if self.task == "change":
            return CDNET_METRICS
        return {name: not lower_is_better(name) for name in self.measures}

    @cached_property
    def ranking(self) -> Ranking:
        """Where each method stands."""
        results = {
            method: {
                name: {measure: math.nan if value is None else value for measure, value in means.items()}
                for name, means in self.means[method]["categories"].items()
            }
            for method in self.methods
        }
        return rank_methods(results, self.ranked_by)

    def of(self, method: str) -> list[dict[str, Any]]:
        """The records of a method that came to a result."""
        return [record for record in self.records if record["method"] == method and not record["error"]]

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The records of sequences that failed."""
        return [record for record in self.records if record["error"]]


def read_sections(folders: Sequence[Path], *, baseline: str | None = None) -> list[Section]:
    """Read runs and lay their tables out, a section for each dataset.

    Parameters
    ----------
    folders : sequence of Path
        What ``bench`` and ``score`` wrote. A method that several of them hold is told apart by the folder's name.
    baseline : str, optional
        A method, or one of the folders: what others are compared with, sequence by sequence.

    Raises
    ------
    SourceError
        A folder holds no records, or a damaged one.
    ParameterError
        `baseline` is neither.
    """
    runs = {folder: all_records(folder) for folder in dict.fromkeys(folders)}
    base_folder = next((folder for folder in runs if baseline and folder.resolve() == Path(baseline).resolve()), None)
    if baseline and base_folder is None and not any(r["method"] == baseline for rs in runs.values() for r in rs):
        raise ParameterError(f"the baseline is a method or one of the folders, not {baseline!r}")
    records = []
    for folder, found in runs.items():
        for record in found:
            record["plain_method"], record["folder"] = record["method"], folder
            record["method"] = _label(record, runs)
            # Compared with a folder, a method meets its like there; compared with a method, all meet that one.
            record["is_base"] = folder == base_folder or (base_folder is None and record["plain_method"] == baseline)
            record["compared_as"] = record["plain_method"] if base_folder else ""
            records.append(record)
    sections = []
    for dataset in dict.fromkeys(record["dataset"] for record in records):
        mine = [record for record in records if record["dataset"] == dataset]
        methods = list(dict.fromkeys(record["method"] for record in mine))
        section = Section(dataset, mine[0]["task"], methods, mine, tabulate(mine)["means"])
        section.methods.sort(key=lambda method: _sort_key(section, method))
        section.tables = [table for table in _tables(section, bool(baseline)) if table.rows]
        sections.append(section)
    return sections


def _label(record: dict[str, Any], runs: dict[Path, list[dict[str, Any]]]) -> str:
    """The method's name, with its folder's where another folder holds the method on the same dataset, too."""
    key = record["dataset"], record["plain_method"]
    holding = [
        folder
        for folder, found in runs.items()
        if any((r["dataset"], r.get("plain_method", r["method"])) == key for r in found)
    ]
    if len(holding) == 1:
        return str(record["method"])
    names = [folder.resolve().name for folder in runs]
    short = record["folder"].resolve().name
    return f"{record['method']} ({short if names.count(short) == 1 else record['folder']})"


def _sort_key(section: Section, method: str) -> float:
    value = section.means[method]["overall"].get(section.measure)
    value = math.nan if value is None else value
    return math.inf if math.isnan(value) else value if lower_is_better(section.measure) else -value


def _tables(section: Section, with_baseline: bool) -> Iterable[Table]:
    yield _overall(section)
    if with_baseline:
        yield _differences(section)
    categories = list(dict.fromkeys(record["category"] for record in section.records))
    if len(categories) > 1:
        yield _by_category(section, categories)
        yield from (_category(section, name) for name in categories)
    yield _sequences(section)


def _overall(section: Section) -> Table:
    """The means, and where each method stands by them."""
    ranked = section.ranking
    columns = {name: [section.means[m]["overall"].get(name) for m in section.methods] for name in section.measures}
    columns["fps"] = [section.means[m]["overall"].get("fps") for m in section.methods]
    columns["peak_memory_mb"] = [_mean(r.get("peak_memory_mb") for r in section.of(m)) for m in section.methods]
    counts = sorted({len(section.of(method)) for method in section.methods})
    note = f"{' or '.join(map(str, counts))} sequences, "
    note += "boxes summed up" if section.task == "boxes" else "means by category first"
    if len(section.methods) > 1:
        columns["rank"] = [ranked.average[m] for m in section.methods]
        columns["rank, categories"] = [ranked.across_categories[m] for m in section.methods]
        note += f"; ranks are means over {', '.join(section.ranked_by)}"
    note += "."
    return _table("All sequences", "method", section.methods, columns, note=note)


def _by_category(section: Section, categories: list[str]) -> Table:
    columns = {}
    for name in categories:
        means = [section.means[m]["categories"].get(name, {}) for m in section.methods]
        columns[name or "-"] = [mean.get(section.measure) for mean in means]
    title = f"{section.measure} by category"
    return _table(title, "method", section.methods, columns, measures=[section.measure] * len(columns))


def _category(section: Section, name: str) -> Table:
    """The means of one category, and where each method stands in it."""
    means = [section.means[m]["categories"].get(name, {}) for m in section.methods]
    columns = {measure: [mean.get(measure) for mean in means] for measure in (*section.measures, "fps")}
    if len(section.methods) > 1:
        columns["rank"] = [section.ranking.categories[m].get(name) for m in section.methods]
    return _table(name or "-", "method", section.methods, columns, is_folded=True)


def _sequences(section: Section) -> Table:
    """Every method on every sequence; the best is marked within each sequence."""
    measures = [*section.measures, "fps"]
    rows = []
    names = dict.fromkeys(full_name(record) for record in section.records)
    for name in names:
        mine = {record["method"]: record for record in section.records if full_name(record) == name}
        there = [method for method in section.methods if method in mine]
        columns = {measure: [_value(mine[method], measure) for method in there] for measure in measures}
        rows += _table("", "", [f"{name}: {method}" for method in there], columns).rows
    header = ["sequence", *(_TITLES.get(name, name) for name in measures)]
    return Table("Every sequence", header, rows, is_folded=len(names) > 6)


def _differences(section: Section) -> Table:
    """Every method minus the baseline in the measure that decides, sequence by sequence."""
    base = {_compared(record): record for record in section.records if record["is_base"]}
    others = [method for method in section.methods if any(not record["is_base"] for record in section.of(method))]
    rows: dict[str, list[Cell]] = {}
    for record in section.records:
        name = full_name(record)
        row = rows.setdefault(name, [Cell(name), *[Cell("-")] * len(others)])
        if record["method"] in others:
            row[1 + others.index(record["method"])] = _difference(section.measure, record, base.get(_compared(record)))
    return Table(f"{section.measure}, difference to the baseline", ["sequence", *others], list(rows.values()))


def _compared(record: dict[str, Any]) -> tuple[str, ...]:
    return record["category"], record["sequence"], record["compared_as"]


def _difference(measure: str, record: dict[str, Any], partner: dict[str, Any] | None) -> Cell:
    a, b = _value(record, measure), None if partner is None else _value(partner, measure)
    if a is None or b is None:
        return Cell("-")
    gain = (b - a) if lower_is_better(measure) else (a - b)
    return Cell(f"{a - b:+.3f}", "better" if gain > 5e-4 else "worse" if gain < -5e-4 else "")


def _value(record: dict[str, Any], name: str) -> float | None:
    return record.get("metrics", {}).get(name, record.get(name))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _table(
    title: str,
    first: str,
    labels: Sequence[str],
    columns: dict[str, list[float | None]],
    *,
    measures: Sequence[str] | None = None,
    note: str = "",
    is_folded: bool = False,
) -> Table:
    """Columns of numbers as a table; the best of each column is marked, unless all are equal.

    `measures` are what the columns hold, where that is not their names.
    """
    rows = [[Cell(label)] for label in labels]
    for name, column in zip(measures or columns, columns.values(), strict=True):
        known = [value for value in column if value is not None]
        better = min if lower_is_better(name) or name.startswith("rank") else max
        best = better(known) if len(set(known)) > 1 else None
        for row, value in zip(rows, column, strict=True):
            row.append(Cell(format_number(name, value), "best" if best is not None and value == best else ""))
    return Table(title, [first, *(_TITLES.get(name, name) for name in columns)], rows, note, is_folded)


def full_name(record: dict[str, Any]) -> str:
    """``category/sequence``, or the sequence alone."""
    return "/".join(part for part in (record["category"], record["sequence"]) if part)
