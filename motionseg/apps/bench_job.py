"""Every method on every sequence of a dataset: each pair in a process of its own, its record written when it ends."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from motionseg.apps.bench_worker import Job, failed, work
from motionseg.apps.config import build_dataset, build_method, method_parameters
from motionseg.apps.doctor import machine
from motionseg.apps.records import prepare_folder, read_record, tabulate
from motionseg.apps.stop import Stop
from motionseg.core.errors import ParameterError
from motionseg.core.parallel import get_num_threads
from motionseg.datasets.base import Dataset, Sequence
from motionseg.io.write import write_json

__all__ = ["bench_to_folder", "choose_sequences"]


@dataclass
class _Running:
    job: Job
    process: Any
    pipe: Any
    frames: int = 0


def choose_sequences(dataset: Dataset, wanted: Iterable[str] | None) -> list[Sequence]:
    """The sequences of these names, or all if it is None. Raises ParameterError."""
    if wanted is None:
        return dataset.sequences()
    chosen = {sequence.full_name: sequence for sequence in map(dataset.__getitem__, wanted)}
    if not chosen:
        raise ParameterError("no sequence is named")
    return list(chosen.values())


def bench_to_folder(
    key: str,
    root: str | None,
    folder: Path,
    *,
    methods: Iterable[str],
    sequences: Iterable[str] | None = None,
    settings: dict[str, Any] | None = None,
    jobs: int = 1,
    save_masks: bool = False,
    offline: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    on_start: Callable[[int], None] = lambda frames: None,
    on_frames: Callable[[int], None] = lambda done: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Run methods on the sequences of a dataset; return the summary, which is also written to ``summary.json``.

    Parameters
    ----------
    key, root : str
        The dataset and its folder.
    folder : Path
        Gets ``rows/METHOD/SEQUENCE.json`` as soon as each is done, pictures of the worst frames under ``worst/``, and
        with `save_masks` the results in the benchmark's own form under ``results/METHOD/``.
    methods : iterable of str
        What ``build_method`` takes.
    sequences : iterable of str, optional
        Names; default: all.
    settings : dict, optional
        ``method.parameter``: value.
    jobs : int, at least 1
        Processes at a time. Each gets its share of the threads.
    offline : bool
        Background models learn the empty scene from the whole sequence first.
    resume : bool
        Keep the records that are in `folder` and have no error; run only what is missing.
    on_start, on_frames : callable
        Told of the number of frames in all, and of those done.

    Raises
    ------
    ParameterError
        Something is unknown or out of range (nothing has been written), or the folder is not empty.
    SourceError
        The dataset is not there.
    OutputError
        A record cannot be written.
    """
    stop, methods = stop or Stop(), list(dict.fromkeys(methods))
    if not methods:
        raise ParameterError("no method is named")
    dataset = build_dataset(key, root)
    by_method = _settings_of(methods, settings or {})
    built = {name: build_method(dataset.task, name, by_method[name]) for name in methods}
    if offline and dataset.task in ("boxes", "flow"):
        raise ParameterError(f"{key} has no background to learn: there is nothing to do offline")
    parameters = {name: method_parameters(method, offline=offline) for name, method in built.items()}
    chosen = choose_sequences(dataset, sequences)
    prepare_folder(folder, overwrite=overwrite, resume=resume)
    threads = max(1, get_num_threads() // jobs)
    plan = [
        Job(
            key,
            dataset.task,
            root,
            s.category,
            s.name,
            name,
            by_method[name],
            str(folder),
            threads,
            save_masks,
            offline,
        )
        for s in chosen
        for name in methods
    ]
    lengths = {s.full_name: len(s.judged) if dataset.task == "flow" else s.range.stop for s in chosen}
    todo = [job for job in plan if not (resume and _is_done(job, parameters[job.method]))]
    on_start(sum(lengths[job.full_name] for job in todo))
    with stop.listening():
        _run(todo, lengths, jobs, stop, on_frames)
    found = (read_record(folder, job.method, job.full_name) for job in plan)
    records = [record for record in found if record is not None]
    complete = len(records) == len(plan) and not stop.asked
    summary = {"dataset": key, "task": dataset.task, "complete": complete, "offline": offline, **tabulate(records)}
    summary["machine"] = machine()
    write_json(folder / "summary.json", summary)
    return summary


def _settings_of(methods: list[str], settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """``{"knn.history": 9}`` -> ``{"knn": {"history": 9}}``, with an entry for every method."""
    by_method: dict[str, dict[str, Any]] = {name: {} for name in methods}
    for key, value in settings.items():
        name = next((name for name in methods if key.startswith(f"{name}.")), None)
        if name is None:
            raise ParameterError(
                f"a setting reads method.parameter=value with one of {', '.join(methods)}, not {key!r}"
            )
        by_method[name][key.removeprefix(f"{name}.")] = value
    return by_method


def _is_done(job: Job, parameters: dict[str, Any]) -> bool:
    record = read_record(Path(job.folder), job.method, job.full_name)
    if record is None or record["error"]:
        return False
    written = json.loads(json.dumps(parameters))  # a tuple comes back as a list
    if record["parameters"] != written or record["dataset"] != job.dataset:
        raise ParameterError(
            f"{job.folder} holds {job.method} on {job.sequence} with other parameters: resume with those, or take "
            f"another folder"
        )
    return True


def _run(todo: list[Job], lengths: dict[str, int], jobs: int, stop: Stop, on_frames: Callable[[int], None]) -> None:
    """Keep `jobs` processes busy until all is done or `stop` is asked for."""
    context = multiprocessing.get_context("spawn")  # a fork would share kernel threads that do not survive it
    waiting, running, done = list(reversed(todo)), list[_Running](), 0
    try:
        while (waiting or running) and not stop.asked:
            while waiting and len(running) < jobs:
                running.append(_start(context, waiting.pop()))
            wait([r.pipe for r in running], timeout=0.2)
            for r in running:
                _listen(r)
            for r in [r for r in running if not r.process.is_alive()]:
                running.remove(r)
                done += lengths[r.job.full_name]
                _finish(r)
            on_frames(done + sum(r.frames for r in running))
    finally:
        for r in running:
            r.process.terminate()
            r.process.join()
            r.pipe.close()


def _start(context: Any, job: Job) -> _Running:
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(job, there), daemon=True)
    process.start()
    there.close()
    return _Running(job, process, here)


def _listen(running: _Running) -> None:
    try:
        while running.pipe.poll():
            running.frames = running.pipe.recv()
    except (EOFError, OSError):
        running.process.join(timeout=0.2)  # it has closed its end: it is about to go


def _finish(running: _Running) -> None:
    """Where a process died without a word, leave a record that says so."""
    running.pipe.close()
    code = running.process.exitcode
    if code:
        what = f"signal {-code}" if code < 0 else f"exit code {code}"
        failed(running.job, f"the process ended with {what}")
