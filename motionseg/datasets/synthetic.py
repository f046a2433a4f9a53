"""Rendered scenes whose truth is exact: a small benchmark that needs no data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from motionseg.core.types import Frame
from motionseg.datasets._render import Scene
from motionseg.datasets._shots import Shots
from motionseg.datasets._street import street
from motionseg.datasets._synthetic_scene import SyntheticScene
from motionseg.datasets.base import Dataset, DatasetInfo, Sequence

__all__ = ["Synthetic"]

_N_FRAMES, _FIRST_JUDGED = 200, 50
_SEEDS = (7001, 7002)


class _Night(SyntheticScene):
    """A scene in the light of a street lamp: it falls to 30 %, and the camera's noise does not."""

    def _developed(self, picture: Any, i: int, noise: float) -> Frame:
        return super()._developed(picture * np.float32(0.3), i, noise)


_scene = partial(SyntheticScene, n_frames=_N_FRAMES, quiet_frames=30)
_SCENES: dict[str, Callable[..., Scene]] = {
    "baseline": _scene,
    "shadow": partial(_scene, shadow=True),
    "illumination": partial(_scene, illumination="ramp"),
    "light_switch": partial(_scene, illumination="switch"),
    "jitter": partial(_scene, jitter=1.5),
    "pan": partial(_scene, pan=1.5),
    "waving": partial(_scene, waving=6.0),
    "camouflage": partial(_scene, camouflage=0.6),
    "stop_and_go": partial(_scene, stop_and_go=True),
    "left_object": partial(_scene, left_object=True),
    "noise": partial(_Night, n_frames=_N_FRAMES, quiet_frames=30, noise=8.0),
    "street": partial(street, width=320, height=240, n_frames=_N_FRAMES),
}


class Synthetic(Dataset):
    """Two rendered scenes for each of twelve difficulties, 320x240, 200 frames, with truth and true backgrounds.

    Parameters
    ----------
    root : path, optional
        Not used: nothing is read.

    Notes
    -----
    The categories say what is difficult: shadow, illumination (it drifts), light_switch, jitter and pan (of the
    camera), waving (bushes), camouflage, stop_and_go, left_object, noise (in the dark); baseline and street (cars and
    walkers) have nothing of it or a bit of all. Nobody is there in the first 30 frames (street: in the first few), and
    the first 50 are not judged. All categories but street have the same objects, so that they can be compared.

    Frames are rendered when they are asked for, and truth and background after a frame cost nothing more. They are the
    same on every machine, up to the rounding of OpenCV's versions.

    Examples
    --------
    >>> scene = Synthetic()["shadow_1"]
    >>> scene.full_name, len(scene.frames), scene.range, sorted(set(scene.truth[120].ravel().tolist()))
    ('shadow/shadow_1', 200, range(50, 200), [0, 50, 170, 255])
    """

    info = DatasetInfo(
        title="synthetic scenes with exact truth",
        layout="no files",
        home="-",
        citation="-",
        licence="as motionseg",
    )
    task = "change"
    needs_root = False

    def __init__(self, root: str | PathLike[str] | None = None) -> None:
        self.root = Path() if root is None else Path(root)

    def sequences(self) -> list[Sequence]:
        return [
            _sequence(category, number, partial(make, seed=seed))
            for category, make in _SCENES.items()
            for number, seed in enumerate(_SEEDS, 1)
        ]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.full_name}/bin{index + 1:06d}.png"


def _sequence(category: str, number: int, make: Callable[[], Scene]) -> Sequence:
    shots = Shots(make, _N_FRAMES)
    return Sequence(
        name=f"{category}_{number}",
        category=category,
        frames=shots.frames,
        truth=shots.lazily(lambda shot: shot.truth),
        range=range(_FIRST_JUDGED, _N_FRAMES),
        background=shots.lazily(lambda shot: shot.background),
    )
