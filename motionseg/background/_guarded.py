"""Any background model, guarded against light, shadows, ghosts and moved cameras; and at half size for large frames."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._bootstrap import spread_frames
from motionseg.background._ghosts import Ghosts
from motionseg.background._illumination import Illumination
from motionseg.background._shadows import label_shadows
from motionseg.background._upsampling import halve, upsample
from motionseg.background._warp import pixel_sources
from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo, find
from motionseg.core.checks import check_choice, check_frame, check_pixels, check_transform
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.state import read_state, write_state
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["Guarded"]

G = TypeVar("G", bound="Guarded")

_LOOKED_AWAY = 25  # frames for which what is known is kept as it is; a camera elsewhere has been moved for good then
_COVERED = 1500  # frames for which a camera that sees nothing learns nothing
_AWAY = ("camera_moved", "camera_covered", "blurred")
_PICTURE_EVERY = 4  # frames after which ghosts are dealt with, and the model is asked for its background anew
_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


@kernel
def _side_with(start, stop, mask, score):
    """Rows start .. stop: scores that contradict the mask are moved to its side of 0.5."""
    half, below = np.float32(0.5), np.float32(_BELOW_HALF)
    for y in range(start, stop):
        for x in range(mask.shape[1]):
            value = score[y, x]
            high = value if value >= half else max(value + value, half)
            low = value if value < half else min(half * value, below)
            score[y, x] = high if mask[y, x] == 255 else low


class Guarded(BackgroundModel):
    """Makes any background model bear what misleads all of them: light, shadows, ghosts, a camera that is moved.

    Parameters
    ----------
    model : BackgroundModel
        What it does the work with: a clone of it. It has to know its background; OpenCV's models cannot forget
        single pixels and so need ``ghosts=False``.
    shadows : bool
        Label cast shadows 127, whatever the model says of shadows (see Notes).
    illumination : bool
        Bring each frame into the light of the background before the model sees it, and start anew when the camera
        has been moved for good.
    ghosts : bool
        Let pixels start anew in whose background there is something that has left.
    scale : int in {1, 2}
        2: the model works at half the size, a quarter of the pixels, and the mask's outlines are then drawn
        along the colours of the full frame. For large frames.

    Raises
    ------
    ParameterError
        `model` is not a background model, or a parameter is out of range.
    UnsupportedError
        The model cannot do what was asked for.

    Attributes
    ----------
    verdict : str
        What the last frame was taken for: ``"none"``, ``"gradual"`` or ``"switch"`` (of light), ``"camera_moved"``,
        ``"camera_covered"`` or ``"blurred"``.
    labels : int32 (H, W)
        The connected foreground regions of the last frame, at the model's size.
    kinds : list of str
        For each of them (label 1, 2, ...) whether it is ``"moving"`` or ``"stopped"``, or the background held
        something that has left: ``"ghost"``, or ``"removed"`` if it had been there for 250 frames or more.

    Notes
    -----
    *Light.* Windows whose structure correlates with that of the background tell the gain of the light, per channel
    and place; the frame is divided by it. 5 % of the change are left in it, so that the model follows in time.
    While the camera looks elsewhere nothing is learned for 25 frames; if it then stands still all starts anew, else the
    model goes on learning. While it sees nothing (covered, or the signal is lost), nothing is learned for 1500.

    *Ghosts.* Foreground that has not changed for 10 frames is compared along its outline: if the background has edges
    there that the frame lacks, the thing is in the background only, and its pixels start anew.

    *Shadows* are found by :func:`~motionseg.background.label_shadows`.

    The score is the model's, moved to the other side of 0.5 where the mask was changed.

    Memory: the model's, and 16 bytes a BGR pixel at 640x480 (a quarter of all with ``scale=2``).

    References
    ----------
    Outlines: R. Cucchiara et al., Detecting moving objects, ghosts, and shadows in video streams, PAMI 25 (2003),
    doi:10.1109/TPAMI.2003.1233909; J. Connell et al., Detection and tracking in the IBM PeopleVision system, ICME 2004,
    doi:10.1109/ICME.2004.1394495. Half size: J. Kopf et al., Joint bilateral upsampling, SIGGRAPH 2007,
    doi:10.1145/1276377.1276497.

    Examples
    --------
    >>> from motionseg.background import RunningAverage
    >>> model = Guarded(RunningAverage())
    >>> wall = np.random.default_rng(0).integers(40, 120, (60, 80, 3)).astype(np.uint8)
    >>> for _ in range(10):
    ...     mask = model.apply(wall)
    >>> mask = model.apply(2 * wall)  # the light is switched on
    >>> model.verdict, int(mask.max())
    ('switch', 0)
    """

    info = ModelInfo(paper="see the model inside", speed="medium", good_at="light, shadows, ghosts, any model")
    _arrays = ("_picture", "_away")
    _global_arrays = ("_away",)

    def __init__(
        self,
        model: BackgroundModel,
        *,
        shadows: bool = True,
        illumination: bool = True,
        ghosts: bool = True,
        scale: int = 1,
    ) -> None:
        if not isinstance(model, BackgroundModel):
            raise ParameterError(f"model is a BackgroundModel, not {model!r}")
        self.model = model
        self.shadows = check_choice("shadows", shadows, (True, False))
        self.illumination = check_choice("illumination", illumination, (True, False))
        self.ghosts = check_choice("ghosts", ghosts, (True, False))
        self.scale = check_choice("scale", scale, (1, 2))
        for what, needed in (("background", shadows or illumination or ghosts), ("restart", ghosts), ("reset", True)):
            if needed:
                model._require_supported(what)
        self._unsupported = model._unsupported
        self._begun: BackgroundModel | None = None
        self.verdict = "none"

    def params(self) -> dict[str, Any]:
        return {"model": self.model, **super().params()}

    def __repr__(self) -> str:
        return f"Guarded({', '.join(f'{k}={v!r}' for k, v in self.params().items())})"

    # --- one frame -------------------------------------------------------------------------

    def _start(self, frame: Frame) -> None:
        self._begin(self._shrunk(frame), self.model.clone())

    def _begin(self, small: Frame, model: BackgroundModel) -> None:
        """`small` is the first that is known of a camera; `model` is fresh, or has learned it already."""
        self._begun, self._light, self._ghosts = model, Illumination(small), Ghosts(small)
        self._picture, self._away = small.copy(), np.zeros(1, np.int64)

    def _shrunk(self, frame: Frame) -> Frame:
        return frame if self.scale == 1 else halve(frame)

    def _shrunk_pixels(self, pixels: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Small pixels any of whose full ones are among `pixels`."""
        return pixels if self.scale == 1 else halve(np.uint8(pixels) * np.uint8(255)) > 0

    def _learn(
        self, frame: Frame, mask: Mask, learning_rate: float | None, known: npt.NDArray[np.bool_] | None
    ) -> None:
        self._known = None if known is None else self._shrunk_pixels(known)  # the model inside keeps it from its memory
        super()._learn(frame, mask, learning_rate, None)
        self._known = None
        if known is not None:
            mask[known], self._score[known] = FOREGROUND, 1.0

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        small, model = self._shrunk(frame), self._begun
        seen, rate = self._in_known_light(small, learning_rate), learning_rate
        if learning_rate != 0 and self._away[0] >= _LOOKED_AWAY and self._light.stands_elsewhere:
            self._begin(small, self.model.clone())
            seen, model = small, self._begun
        elif 0 < self._away[0] < self._patience and "freeze" not in self._unsupported:
            rate = 0.0
        known = {} if self._known is None else {"known_foreground": self._known}
        found, scores = model.apply(seen, learning_rate=rate, **known), model.score()
        left = self._ghosts.update(seen, self._picture, found, learn=rate != 0) if self.ghosts else None
        if self.shadows:
            _, found = cv2.threshold(found, 0, FOREGROUND, cv2.THRESH_BINARY)  # the model's own shadows, too
            found = label_shadows(seen, self._picture, found)
        if rate != 0 and (self._frames_seen % _PICTURE_EVERY == 0 or self._frames_seen < _PICTURE_EVERY):
            if left is not None and left.any():
                if self._known is not None:
                    left &= ~self._known
                model.restart(seen, left)
                self._ghosts.forget(left)
                found[left], scores[left] = 0, 0
            self._look_at_background()
        run_strips(_side_with, len(found), found, scores, pixels_per_unit=found.shape[1])
        if self.scale == 1:
            mask[...], score[...] = found, scores
        else:
            upsample(found, scores, small, frame, mask, score)

    def _in_known_light(self, small: Frame, learning_rate: float | None) -> Frame:
        if not self.illumination:
            return small
        learn = learning_rate != 0
        self.verdict, light = self._light.update(small, self._picture, learn=learn)
        if learn:
            self._away[0] = self._away[0] + 1 if self.verdict in _AWAY else 0
        return self._light.normalize(small, self._picture, light)

    @property
    def _patience(self) -> int:
        """For how many frames nothing is learned while the camera looks away."""
        return _COVERED if self.verdict == "camera_covered" else _LOOKED_AWAY

    def _look_at_background(self) -> None:
        if self.shadows or self.illumination or self.ghosts:
            self._picture = self._begun.background()

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        self._require_started()
        return self._ghosts.labels.copy()

    @property
    def kinds(self) -> list[str]:
        self._require_started()
        return self._ghosts.kinds.copy()

    # --- what concerns the model inside ------------------------------------------------------

    def background(self) -> Frame:
        height, width = self._require_started()[:2]
        picture = self._begun.background()
        if self.scale == 1:
            return picture
        return cv2.resize(picture, (2 * picture.shape[1], 2 * picture.shape[0]))[:height, :width].copy()

    def reset(self) -> None:
        super().reset()
        self._begun, self.verdict = None, "none"

    def memory(self) -> int:
        if self._begun is None:
            return 0
        own = [self._ghosts.labels, *self._light.state().values(), *self._ghosts.state().values()]
        return super().memory() + self._begun.memory() + sum(array.nbytes for array in own)

    def bootstrap(self: G, frames: Iterable[Frame]) -> G:
        kept = spread_frames(frames)
        model = self.model.clone().bootstrap([self._shrunk(frame) for frame in kept])
        self.reset()
        self._shape, self._frames_seen = kept.shape[1:], model._frames_seen
        self._begin(self._shrunk(kept[-1]), model)
        self._look_at_background()
        return self

    def restart(self, frame: Frame, pixels: npt.NDArray[np.bool_]) -> None:
        self._require_supported("restart")
        shape = self._require_started()
        small = self._shrunk(check_frame(frame, shape))
        which = self._shrunk_pixels(check_pixels(pixels, shape[:2], "pixels"))
        if which.any():
            self._begun.restart(self._light.normalize(small, self._picture), which)
            self._ghosts.forget(which)
            self._look_at_background()

    def warp(self, transform: npt.ArrayLike, frame: Frame) -> npt.NDArray[np.bool_]:
        self._require_supported("restart")
        shape, matrix = self._require_started(), check_transform(transform)
        small = self._shrunk(check_frame(frame, shape))
        sources, outside = pixel_sources(matrix, shape[:2])
        if (sources == np.indices(shape[:2])).all() and not outside.any():
            return outside
        # Pixel centres of the small frame lie at (2 i + 1/2) of the full one.
        to_full = np.diag([self.scale, self.scale, 1.0])
        to_full[:2, 2] = (self.scale - 1) / 2
        to_small = np.linalg.inv(to_full)
        self._begun.warp(to_small @ matrix @ to_full, self._light.normalize(small, self._picture))
        self._ghosts.warp(small, *pixel_sources(to_small @ matrix @ to_full, small.shape[:2]))
        self._look_at_background()
        return outside

    # --- state -------------------------------------------------------------------------------

    def _parts(self) -> dict[str, Any]:
        return {"model": self._begun, "light": self._light, "ghosts": self._ghosts} if self._begun else {}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        state = super().state()
        for name, part in self._parts().items():
            state |= {f"{name}.{key}": array for key, array in part.state().items()}
        return state

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        fresh = self.clone()
        BackgroundModel.load_state(fresh, state)
        if fresh._shape is not None:
            picture, away = fresh._picture, fresh._away
            fresh._begin(picture, self.model.clone())
            fresh._away = away
            for name, part in fresh._parts().items():
                start = f"{name}."
                part.load_state({key.removeprefix(start): v for key, v in state.items() if key.startswith(start)})
        self.reset()
        vars(self).update(vars(fresh))

    def save(self, path: str | os.PathLike[str]) -> None:
        room, _, name = type(self.model).__module__.rpartition(".")
        if room != "motionseg.background":
            raise StateError(f"{type(self.model).__name__} is no model of this package: save its state() yourself")
        inside = {"name": name, "params": self.model.params()}
        write_state(path, self.state(), {"class": "Guarded", "params": {**self.params(), "model": inside}})

    @classmethod
    def load(cls: type[G], path: str | os.PathLike[str]) -> G:
        arrays, head = read_state(path)
        if head.get("class") != "Guarded":
            raise StateError(f"{path} holds a {head.get('class')}, not a Guarded")
        params = dict(head["params"])
        inside = params.pop("model")
        guarded = cls(find("background", inside["name"])(**inside["params"]), **params)
        guarded.load_state(arrays)
        return guarded
