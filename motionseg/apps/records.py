"""Records of benchmark runs: one JSON file for each method on each sequence, and tables made of them.

``DIR/rows/METHOD/CATEGORY/SEQUENCE.json`` is all that a run leaves of a sequence; rows, means and reports are made
from these files alone.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from motionseg.core.errors import OutputError, ParameterError, SourceError
from motionseg.io.write import write_image, write_json
from motionseg.metrics import summarize
from motionseg.pipeline.evaluation import Evaluation, combine

__all__ = [
    "MAIN_MEASURES",
    "all_records",
    "folder_name",
    "format_number",
    "lower_is_better",
    "make_record",
    "prepare_folder",
    "read_record",
    "tabulate",
    "write_record",
]

Record = dict[str, Any]

_FORMAT = 1
_OURS = ("rows", "worst", "results", "summary.json")
MAIN_MEASURES = {
    "change": ("F", "Re", "Pr", "PWC", "FPR", "AP"),
    "foreground": ("J", "F", "T"),
    "objects": ("J&F", "J", "F"),
    "regions": ("F", "Pr", "Re", "density", "extracted", "J"),
    "boxes": ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW"),
    "flow": ("EPE", "AE", "Fl-all"),
}
"""The measures that a table shows first, by task; the first one decides."""
_LOWER_IS_BETTER = frozenset(
    {"PWC", "FPR", "FNR", "FPR-S", "ECE", "T", "EPE", "AE", "Fl-all", "AGE", "pEPs", "pCEPs", "peak_memory_mb"}
    | {"J-decay", "F-decay", "IDSW", "Frag", "ML", "CLR_FP", "CLR_FN", "FAR"}
)
_WHOLE = frozenset({"IDSW", "Frag", "MT", "PT", "ML"})
_COARSE = frozenset({"fps", "peak_memory_mb", "rank", "rank, categories", "extracted"})


def lower_is_better(measure: str) -> bool:
    """Whether a small value of this measure is a good one."""
    return measure in _LOWER_IS_BETTER


def format_number(measure: str, value: float | None) -> str:
    """A measure as a table shows it."""
    if value is None:
        return "-"
    if measure in _WHOLE or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if measure in _COARSE else f"{value:.3f}"


def folder_name(method: str) -> str:
    """What the folders of a method are called: as it is, but that no colon may be in it."""
    return method.replace(":", ".")


def record_path(folder: Path, method: str, sequence: str) -> Path:
    """Where the record of a method on a sequence (``"baseline/highway"``) lies."""
    return folder / "rows" / folder_name(method) / f"{sequence}.json"


def make_record(
    *,
    method: str,
    dataset: str,
    task: str,
    category: str,
    sequence: str,
    evaluation: Evaluation | None = None,
    error: str | None = None,
    **facts: Any,
) -> Record:
    """All that is kept of a method on a sequence; either an evaluation or an error."""
    record: Record = {"format": _FORMAT, "method": method, "dataset": dataset, "task": task}
    record |= {"category": category, "sequence": sequence, "error": error, **facts}
    if evaluation is not None:
        record |= {
            "judged": evaluation.judged,
            "metrics": evaluation.metrics,
            "counts": evaluation.counts,
            "curve": evaluation.curve,
            "problems": evaluation.problems,
        }
    return record


def write_record(folder: Path, record: Record, evaluation: Evaluation | None = None) -> None:
    """Write the pictures of the worst frames, then the record: once it is there, the sequence is done."""
    name = "/".join(part for part in (record["category"], record["sequence"]) if part)
    shown = []
    for worst in evaluation.worst if evaluation else ():
        picture = Path("worst", folder_name(record["method"]), name, f"{worst.index:06d}.jpg")
        write_image(folder / picture, worst.picture)
        shown.append({"index": worst.index, "cost": worst.cost, "picture": picture.as_posix()})
    write_json(record_path(folder, record["method"], name), {**record, "worst": shown})


def read_record(folder: Path, method: str, sequence: str) -> Record | None:
    """The record of a method on a sequence; None where there is none, or none that can be read."""
    path = record_path(folder, method, sequence)
    return _read(path) if path.exists() else None


def all_records(folder: Path) -> list[Record]:
    """Every record below ``folder/rows``, by method and sequence.

    Raises
    ------
    SourceError
        There is none, or one is damaged.
    """
    paths = sorted((folder / "rows").rglob("*.json"))
    if not paths:
        raise SourceError(
            "this is no folder of a benchmark run: looked for rows/METHOD/SEQUENCE.json", source=str(folder)
        )
    records = []
    for path in paths:
        record = _read(path)
        if record is None:
            raise SourceError("not a readable record of a benchmark run", source=str(path))
        records.append(record)
    return records


def _read(path: Path) -> Record | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("format") == _FORMAT else None


def tabulate(records: Iterable[Record]) -> dict[str, Any]:
    """``rows``, one flat dict for each record, and ``means``: method -> ``categories`` and ``overall``.

    Means are made in CDnet's order, over the sequences of a category and then over categories; boxes are summed up, as
    the MOTChallenge does. Sequences that failed are left out of them and counted under ``failed``.
    """
    records = list(records)
    rows, means = [], {}
    for record in records:
        row = {name: record[name] for name in ("method", "dataset", "category", "sequence")}
        row |= record.get("metrics", {})
        row |= {name: record.get(name) for name in ("judged", "fps", "peak_memory_mb", "error")}
        rows.append(row | ({"problems": record["problems"]} if record.get("problems") else {}))
    for method in dict.fromkeys(record["method"] for record in records):
        mine = [record for record in records if record["method"] == method]
        done = [record for record in mine if not record["error"]]
        measured = [
            (r["category"], r["sequence"], {**_numbers(r["metrics"]), "fps": _number(r.get("fps"))}) for r in done
        ]
        categories, overall = summarize(measured)
        overall |= combine(mine[0]["task"], [record["counts"] for record in done])
        facts = {"categories": categories, "overall": overall, "sequences": len(done), "failed": len(mine) - len(done)}
        means[method] = facts
    return _plain({"rows": rows, "means": means})


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _numbers(metrics: dict[str, float | None]) -> dict[str, float]:
    return {name: _number(value) for name, value in metrics.items()}


def _plain(value: Any) -> Any:
    """The same without NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def prepare_folder(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Make the folder of a run, or clear it of an earlier one.

    Raises
    ------
    ParameterError
        It is a file, or not empty and neither to be overwritten nor to be continued.
    OutputError
        It cannot be made or cleared.
    """
    if overwrite and resume:
        raise ParameterError("--resume keeps the results in DIR, --overwrite replaces them: give one")
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file; results need a folder")
    try:
        if folder.exists() and any(folder.iterdir()) and not resume:
            if not overwrite:
                raise ParameterError(f"{folder} is not empty; --overwrite replaces the results in it, --resume goes on")
            for name in _OURS:
                place = folder / name
                shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error}") from error
