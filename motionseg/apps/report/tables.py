"""What a report says, as plain tables: made of records, shown by the page and by Markdown alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motionseg.apps.records import MAIN_MEASURES, all_records, format_number, lower_is_better, tabulate
from motionseg.core.errors import ParameterError
from motionseg.metrics import CDNET_METRICS, rank_methods

__all__ = ["Cell", "Section", "Table", "read_sections"]

_COSTS = ("fps", "peak_memory_mb")
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
        return MAIN_MEASURES[self.task][0]

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
    return record["method"] if len(holding) == 1 else f"{record['method']} ({record['folder'].resolve().name})"


def _sort_key(section: Section, method: str) -> float:
    value = section.means[method]["overall"].get(section.measure)
    value = math.nan if value is None else value
    return math.inf if math.isnan(value) else value if lower_is_better(section.measure) else -value


def _tables(section: Section, with_baseline: bool) -> Iterable[Table]:
    yield _overall(section)
    if len(categories := _categories(section)) > 1:
        yield _by_category(section, categories)
    if with_baseline:
        yield _differences(section)
    for category in categories:
        yield _sequences(section, category)


def _categories(section: Section) -> list[str]:
    return list(dict.fromkeys(record["category"] for record in section.records))


def _overall(section: Section) -> Table:
    measures = MAIN_MEASURES[section.task]
    ranked_by = CDNET_METRICS if section.task == "change" else {name: not lower_is_better(name) for name in measures}
    results = {
        method: {
            name: {m: math.nan if v is None else v for m, v in means.items()}
            for name, means in section.means[method]["categories"].items()
        }
        for method in section.methods
    }
    ranking = rank_methods(results, ranked_by)
    columns = [[section.means[m]["overall"].get(name) for m in section.methods] for name in measures]
    for name in _COSTS:
        columns.append([_mean(record.get(name) for record in section.of(method)) for method in section.methods])
    names = [*measures, *_COSTS]
    columns += [[ranking.average[m] for m in section.methods], [ranking.across_categories[m] for m in section.methods]]
    names += ["rank", "rank, categories"]
    rows = _rows(section.methods, names, columns)
    counts = sorted({len(section.of(method)) for method in section.methods})
    note = f"Mean over {' or '.join(map(str, counts))} sequences"
    note += ", boxes summed up over them" if section.task == "boxes" else ", by category first"
    note += f"; ranks are means over {', '.join(ranked_by)}."
    return Table("All sequences", ["method", *(_TITLES.get(name, name) for name in names)], rows, note)


def _by_category(section: Section, categories: list[str]) -> Table:
    columns = [
        [section.means[m]["categories"].get(name, {}).get(section.measure) for m in section.methods]
        for name in categories
    ]
    rows = _rows(section.methods, [section.measure] * len(categories), columns)
    return Table(f"{section.measure} by category", ["method", *(name or "-" for name in categories)], rows)


def _sequences(section: Section, category: str) -> Table:
    """Every method on every sequence of a category."""
    measures = [*MAIN_MEASURES[section.task], "fps"]
    rows = []
    records = [record for record in section.records if record["category"] == category]
    for sequence in dict.fromkeys(record["sequence"] for record in records):
        mine = {record["method"]: record for record in records if record["sequence"] == sequence}
        there = [method for method in section.methods if method in mine]
        columns = [[_value(mine[method], name) for method in there] for name in measures]
        cells = _rows([f"{sequence}: {method}" for method in there], measures, columns)
        rows += cells
    title = f"Sequences of {category}" if category else "Sequences"
    return Table(title, ["sequence", *(_TITLES.get(name, name) for name in measures)], rows)


def _differences(section: Section) -> Table:
    """Every method minus the baseline in the measure that decides, sequence by sequence."""
    base = {_compared(record): record for record in section.records if record["is_base"]}
    others = [method for method in section.methods if any(not record["is_base"] for record in section.of(method))]
    rows: dict[str, list[Cell]] = {}
    for record in section.records:
        name = "/".join(part for part in (record["category"], record["sequence"]) if part)
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


def _rows(
    labels: Sequence[str], measures: Sequence[str], columns: Sequence[Sequence[float | None]]
) -> list[list[Cell]]:
    """Rows of cells out of columns of numbers; the best of each column is marked where there is more than one."""
    rows = [[Cell(label)] for label in labels]
    for name, column in zip(measures, columns, strict=True):
        known = [value for value in column if value is not None]
        better = min if lower_is_better(name) or name.startswith("rank") else max
        best = better(known) if len(known) > 1 else None
        for row, value in zip(rows, column, strict=True):
            row.append(Cell(format_number(name, value), "best" if best is not None and value == best else ""))
    return rows
