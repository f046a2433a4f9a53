"""Results of a sequence in the form that its benchmark takes: written as they come, and read back to be scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import SourceError
from motionseg.core.types import BACKGROUND, FOREGROUND, SHADOW, Labels, Mask, Segmentation, Tracks, TrackState
from motionseg.datasets.base import Dataset, Sequence
from motionseg.io import MotWriter, read_flow, read_image, read_labels, read_mot, write_flow, write_image, write_labels

__all__ = ["ResultWriter", "read_results"]

_MOST_LABELS = 255  # of a palettised PNG


class ResultWriter:
    """Writes what a method found in one sequence, frame by frame, as files that the benchmark takes.

    Parameters
    ----------
    dataset : Dataset
        Names the files, and by its task says what is written: masks of 0 and 255, palettised labels, flow, or
        MOTChallenge text.
    sequence : Sequence
    folder : Path
        Root of the results; files below it are replaced.
    """

    def __init__(self, dataset: Dataset, sequence: Sequence, folder: Path) -> None:
        self.dataset, self.sequence, self.folder = dataset, sequence, folder
        self._numbers: dict[int, int] = {}
        self._boxes: MotWriter | None = None

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._boxes is not None:
            self._boxes.close()

    def write(self, index: int, result: Any) -> None:
        """Write the result of frame `index` (from 0). Raises OutputError.

        Parameters
        ----------
        result : Segmentation, Tracks or float32 (H, W, 2)
            By the dataset's task: a segmentation, the tracks of a frame (``boxes``), or a flow.
        """
        path, task = self.folder / self.dataset.result_path(self.sequence, index), self.dataset.task
        if task == "change":
            write_image(path, np.where(result.mask == FOREGROUND, FOREGROUND, 0).astype(np.uint8))
        elif task == "foreground":
            write_labels(path, (result.mask == FOREGROUND).astype(np.int32))
        elif task in ("objects", "regions"):
            write_labels(path, self._numbered(result.track_labels()))
        elif task == "flow":
            write_flow(path, result)
        else:
            if self._boxes is None:
                self._boxes = MotWriter(path)
            self._boxes.write(index, result)

    def _numbered(self, labels: Labels) -> Labels:
        """The same with ids from 1 in order of appearance; those that a palette has no room for are dropped."""
        present = np.unique(labels)
        for track_id in present[present > 0].tolist():
            self._numbers.setdefault(track_id, len(self._numbers) + 1)
        table = np.zeros(int(present[-1]) + 1, np.int32)
        for track_id in present[present > 0].tolist():
            number = self._numbers[track_id]
            table[track_id] = number if number <= _MOST_LABELS else 0
        return table[labels]


def read_results(dataset: Dataset, sequence: Sequence, folder: Path) -> Iterator[tuple[int, Any]]:
    """The results that some program wrote for one sequence, as ``(index, result)`` of the judged frames, lazily.

    Masks are read with 255 as foreground where the task is ``change``, and with any label above 0 elsewhere.

    Raises
    ------
    SourceError
        Files of judged frames are missing (the message counts them and names the first), one cannot be read, or a mask
        has foreground but none that is 255.
    """
    if dataset.task == "boxes":
        yield from _read_boxes(folder / dataset.result_path(sequence, 0), sequence)
        return
    paths = {index: folder / dataset.result_path(sequence, index) for index in sequence.judged}
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise SourceError(f"{len(missing)} of {len(paths)} results are missing", source=str(missing[0]))
    for index, path in paths.items():
        if dataset.task == "flow":
            yield index, read_flow(path)[0]
            continue
        seconds = index / sequence.fps
        if dataset.task == "change":
            yield index, Segmentation(index, seconds, _read_mask(path))
        else:
            labels = read_labels(path)
            mask = np.where(labels > 0, FOREGROUND, 0).astype(np.uint8)
            yield index, Segmentation(index, seconds, mask, labels=labels)


def _read_mask(path: Path) -> Mask:
    mask = read_image(path, grey=True)
    highest = int(mask.max())
    if highest not in (BACKGROUND, SHADOW, FOREGROUND):  # masks of 0 and 1 would be judged as empty
        raise SourceError(f"foreground is 255 in this benchmark, the highest value here is {highest}", source=str(path))
    return mask


def _read_boxes(path: Path, sequence: Sequence) -> Iterator[tuple[int, Tracks]]:
    table = read_mot(path)
    for index in sequence.range:
        rows = table[table.frames == index]
        yield index, given_tracks(rows.ids, rows.boxes, rows.scores, index / sequence.fps)


def given_tracks(
    ids: npt.NDArray[np.int64], boxes: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], time: float
) -> Tracks:
    """Boxes with ids from outside as confirmed tracks."""
    n = len(ids)
    return Tracks(
        time=time,
        ids=ids,
        boxes=boxes,
        labels=np.zeros(n, np.int32),
        areas=np.zeros(n, np.int64),
        scores=scores,
        velocities=np.zeros((n, 2), np.float32),
        states=np.full(n, TrackState.CONFIRMED, np.uint8),
    )
