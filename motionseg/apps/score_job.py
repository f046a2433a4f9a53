"""The results of any program, in a benchmark's own files, against the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from motionseg.apps.bench_job import choose_sequences
from motionseg.apps.config import build_dataset
from motionseg.apps.doctor import machine
from motionseg.apps.records import make_record, prepare_folder, tabulate, write_record
from motionseg.apps.stop import Stop
from motionseg.core.errors import SourceError
from motionseg.datasets import read_results
from motionseg.io.write import write_json
from motionseg.pipeline.evaluation import evaluate

__all__ = ["score_folder"]


def score_folder(
    key: str,
    root: str | None,
    results: Path,
    *,
    name: str | None = None,
    sequences: Iterable[str] | None = None,
    folder: Path | None = None,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda frames: None,
    on_frames: Callable[[int], None] = lambda done: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Judge a folder of results; return the same summary as a benchmark run.

    Parameters
    ----------
    key, root : str
        The dataset and its folder.
    results : Path
        The results, laid out as the benchmark takes them. A ``timing.json`` in it, ``{"SEQUENCE": {"fps": 31.5,
        "peak_memory_mb": 200.0}}``, goes into the tables.
    name : str, optional
        What to call the method; default: the folder's name.
    sequences : iterable of str, optional
        Names; default: all.
    folder : Path, optional
        Gets records and pictures as a benchmark run leaves them, to be reported together with others.

    Raises
    ------
    ParameterError
        Something is unknown, or the folder is not empty.
    SourceError
        The dataset or `results` is not there.
    """
    stop, name = stop or Stop(), name or results.resolve().name
    dataset = build_dataset(key, root)
    chosen = choose_sequences(dataset, sequences)
    if not results.is_dir():
        raise SourceError("there is no such folder", source=str(results))
    if folder is not None:
        prepare_folder(folder, overwrite=overwrite, resume=False)
    on_start(sum(len(sequence.judged) for sequence in chosen))
    records, done, timing = [], 0, _timing(results)

    def tell(index: int, result: Any) -> None:
        nonlocal done
        done += 1
        on_frames(done)

    with ExitStack() as stack:
        stack.enter_context(stop.listening())
        for sequence in stop.until_asked(chosen):
            facts = {"method": name, "dataset": key, "task": dataset.task, "category": sequence.category}
            facts["sequence"] = sequence.name
            try:
                found = read_results(dataset, sequence, results)
                evaluation = evaluate(sequence, found, task=dataset.task, on_result=tell)
            except SourceError as error:
                records.append(make_record(**facts, error=str(error)))
                evaluation = None
            else:
                records.append(make_record(**facts, evaluation=evaluation, **timing.get(sequence.full_name, {})))
            if folder is not None:
                write_record(folder, records[-1], evaluation)
    summary = {
        "dataset": key,
        "task": dataset.task,
        "complete": not stop.asked,
        **tabulate(records),
        "machine": machine(),
    }
    if folder is not None:
        write_json(folder / "summary.json", summary)
    return summary


def _timing(results: Path) -> dict[str, dict[str, float]]:
    path = results / "timing.json"
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: {key: facts.get(key) for key in ("fps", "peak_memory_mb")} for name, facts in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(f"not a table of sequences with fps and peak_memory_mb: {error}", source=str(path)) from error
