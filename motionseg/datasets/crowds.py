"""Rendered crowds and meetings whose ids are exact: what tells linkers apart, without data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path

from motionseg.datasets._crowd import crowd, meetings
from motionseg.datasets._render import Scene
from motionseg.datasets._shots import Shots
from motionseg.datasets.base import Dataset, DatasetInfo, Sequence

__all__ = ["Crowds"]

_FIRST_JUDGED = 25  # nobody is there before
_SEEDS = (7101, 7102, 7103, 7104)
_N_OBJECTS = (20, 30, 40, 50)


class Crowds(Dataset):
    """Four crowds of 20 to 50 that cross a square, and four scenes of groups that meet and part, 480x360.

    Parameters
    ----------
    root : path, optional
        Not used: nothing is read.

    Notes
    -----
    ``crowd``, 300 frames: walkers and other things hide each other, stand for a while, turn, come and go. ``meeting``,
    500 frames: two to four come together, are one blob for up to four seconds, and part; about ten such groups a scene.
    Truth are the ids of pixels, int32 (H, W), of what is seen of each thing. All is rendered when it is asked for, with
    noise of 4 grey levels, and is the same on every machine, up to the rounding of OpenCV's versions. The first second
    is empty and not judged.

    They are judged as sequences of ``regions``, since the task ``objects`` (DAVIS-2017) takes no more than 20 of what
    was found. HOTA and the share of meetings in which ids are kept: ``benchmarks/tracking.py``.

    Examples
    --------
    >>> sequence = Crowds()["meeting_1"]
    >>> sequence.full_name, len(sequence.frames), sequence.truth[100].dtype.name
    ('meeting/meeting_1', 500, 'int32')
    """

    info = DatasetInfo(
        title="rendered crowds and meetings with exact ids",
        layout="no files",
        home="-",
        citation="-",
        licence="as motionseg",
    )
    task = "regions"
    needs_root = False

    def __init__(self, root: str | PathLike[str] | None = None) -> None:
        self.root = Path() if root is None else Path(root)

    def sequences(self) -> list[Sequence]:
        crowds = [
            _sequence("crowd", number, partial(crowd, n_frames=300, n_objects=n, seed=seed), 300)
            for number, (seed, n) in enumerate(zip(_SEEDS, _N_OBJECTS, strict=True), 1)
        ]
        return crowds + [
            _sequence("meeting", number, partial(meetings, n_frames=500, seed=seed), 500)
            for number, seed in enumerate(_SEEDS, 1)
        ]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.full_name}/{index + 1:06d}.png"


def _sequence(category: str, number: int, make: Callable[[], Scene], n_frames: int) -> Sequence:
    shots = Shots(make, n_frames)
    return Sequence(
        name=f"{category}_{number}",
        category=category,
        frames=shots.frames,
        truth=shots.lazily(lambda shot: shot.labels),
        range=range(_FIRST_JUDGED, n_frames),
        background=shots.lazily(lambda shot: shot.background),
    )
