"""One method on one sequence: what a process of `motionseg bench` does."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from motionseg.apps.config import build_dataset, build_method, method_parameters
from motionseg.apps.records import folder_name, make_record, write_record
from motionseg.core.errors import MotionSegError
from motionseg.core.parallel import set_num_threads
from motionseg.datasets import ResultWriter
from motionseg.pipeline.evaluation import Run, evaluate

__all__ = ["Job", "failed", "work"]


@dataclass(frozen=True)
class Job:
    """All that a worker needs, in plain words."""

    dataset: str
    task: str
    root: str | None
    category: str
    sequence: str
    method: str
    settings: dict[str, Any]
    folder: str
    threads: int
    save_masks: bool
    offline: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.category}/{self.sequence}" if self.category else self.sequence


def work(job: Job, pipe: Any) -> None:
    """Do `job` and write its record; an error becomes a record, too. Tells `pipe` how many frames are done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    set_num_threads(job.threads)
    cv2.setNumThreads(job.threads)
    try:
        _measure(job, _Teller(pipe))
    except Exception as error:  # whatever it is, the other sequences go on
        what = str(error) if isinstance(error, MotionSegError) else f"{type(error).__name__}: {error}"
        failed(job, what)


def failed(job: Job, error: str) -> None:
    """Write the record of a job that came to nothing."""
    write_record(Path(job.folder), make_record(**_names(job), error=error))


def _measure(job: Job, on_result: Callable[[int, Any], None]) -> None:
    dataset = build_dataset(job.dataset, job.root)
    sequence = dataset[job.full_name]
    method = build_method(job.task, job.method, job.settings)
    run = Run(sequence, method, task=job.task, offline=job.offline)
    with ExitStack() as stack:
        listeners = [on_result]
        if job.save_masks:
            folder = Path(job.folder) / "results" / folder_name(job.method)
            listeners.append(stack.enter_context(ResultWriter(dataset, sequence, folder)).write)
        evaluation = evaluate(
            sequence, run, task=job.task, on_result=lambda index, result: [tell(index, result) for tell in listeners]
        )
    record = make_record(
        **_names(job),
        evaluation=evaluation,
        parameters=method_parameters(method, offline=job.offline),
        frames=run.frames,
        seconds=run.seconds,
        fps=run.fps,
        threads=job.threads,
        peak_memory_mb=_peak_memory(),
    )
    write_record(Path(job.folder), record, evaluation)


def _names(job: Job) -> dict[str, str]:
    return {name: getattr(job, name) for name in ("method", "dataset", "task", "category", "sequence")}


def _peak_memory() -> float | None:
    """The most memory that this process ever held, MB of 10^6 bytes; None where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return round(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6, 1)
    except (OSError, IndexError, ValueError):
        return None


class _Teller:
    """Passes the number of frames on, ten times a second at the most; ends the process when nobody listens."""

    def __init__(self, pipe: Any) -> None:
        self._pipe, self._done, self._told = pipe, 0, 0.0

    def __call__(self, index: int, result: Any) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._told >= 0.1:
            self._told = now
            try:
                self._pipe.send(self._done)
            except OSError:  # the parent was killed
                raise SystemExit(1) from None
