"""Light that changes and cameras that are moved, told from things that move: one look at a small copy of each frame."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._parts import Part
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame

__all__ = ["VERDICTS", "Illumination"]

VERDICTS = ("none", "gradual", "switch", "camera_moved", "camera_covered", "blurred")
"""What `Illumination.verdict` may say of a frame."""

Field = npt.NDArray[np.float32]

_SMALL = 120  # pixels of the shorter side of what is looked at
_WINDOW = (9, 9)
_TEXTURED = 9.0  # variance of a window, grey levels squared: below it is noise
_FLAT = 0.05  # and below this rounding: such a window has no structure, and is alike by chance
_ALIKE = 0.75  # correlation of a window whose structure is that of the background
_CHANGED = 0.06  # natural logarithm of a gain: what any model bears
_WIDE = 0.25  # share of the known windows: a smaller change of light is a shadow, or the sun on a wall
_LEFT = 0.05  # share of a change that is left in the frame, for the model to follow
_SWITCH_FRAMES = 10


@kernel
def _divide(start, stop, frame, gains, background):
    """Rows start .. stop of `frame`, in place: values / gains; where light has blinded the sensor, the background."""
    n = frame.shape[1]
    for y in range(start, stop):
        values, row, empty = frame[y], gains[y], background[y]
        for i in range(n):
            value = np.float32(values[i]) / row[i]
            blind = (values[i] >= 253) & (np.float32(empty[i]) * row[i] >= np.float32(245))
            value = np.float32(empty[i]) if blind else value
            values[i] = np.uint8(min(value + np.float32(0.5), np.float32(255)))


class Illumination(Part):
    """Compares each frame with the background picture, structure apart from light.

    A window whose structure correlates with that of the background shows the background, in whatever light: it
    tells the gain of the light there, channel by channel. A thing that has come between does not correlate and
    has no say; its surroundings give it theirs. So a thing that fills most of the frame remains different, and
    a lamp that is switched does not.
    """

    _arrays = ("_gain", "_since_switch", "_last", "_last_light")

    def __init__(self, frame: Frame) -> None:
        look = _Look(frame)
        self._gain: Field = np.zeros_like(look.light)  # logarithm: what the light of the last frame was taken for
        self._last: Field = look.grey
        self._last_light: Field = look.light
        self._since_switch = np.full(1, _SWITCH_FRAMES, np.int64)
        self.stands_elsewhere = False
        self._known_picture: Frame | None = None

    # --- one frame -------------------------------------------------------------------------

    def update(self, frame: Frame, background: Frame, *, learn: bool = True) -> tuple[str, Field]:
        """The verdict on `frame`, and its light: logarithms of gains. `learn=False` keeps the state.

        `stands_elsewhere` then says whether the camera has been moved and does not move at present.
        """
        if background is not self._known_picture:
            self._known_picture, self._known_look = background, _Look(background)
        f, b = _Look(frame), self._known_look
        textured, alike = b.textured, f.resembles(b)
        ratio = f.light - b.light
        n_textured, n_alike = np.count_nonzero(textured), np.count_nonzero(alike)
        known = _flat_scene(ratio, f.variance) if n_textured < 0.02 * textured.size else alike
        verdict, gain = "none", np.zeros_like(ratio)
        n_seen = np.count_nonzero(alike & (f.variance > _FLAT))
        if n_textured >= 0.02 * textured.size and n_seen < 0.15 * n_textured:
            verdict = "camera_covered" if f.variance.mean() < 0.2 * b.variance.mean() else "camera_moved"
        elif n_alike < 0.6 * n_textured and _is_shifted(f, b, n_alike / n_textured + 0.2):
            verdict = "camera_moved"
        elif n_alike and f.sharpness < 0.35 * b.sharpness * math.exp(2 * _mean(ratio, alike)):
            verdict = "blurred"
        elif known.any():
            changed = _extent(ratio) > _CHANGED
            # Most windows are not alike by chance: then light may be as uneven as the sun makes it.
            unevenness = 0.5 if n_alike > 0.6 * n_textured else 0.2
            if changed[known].mean() > _WIDE and _is_light(ratio, known, unevenness):
                gain = _spread(ratio, known, ~textured & (f.variance <= 4 * _TEXTURED))
                verdict = "gradual"
            jump = _extent(f.light - self._last_light) > _CHANGED
            sudden = jump[known].mean() > 0.1
            since = 0 if sudden else int(self._since_switch[0]) + 1
            if verdict == "gradual" and since < _SWITCH_FRAMES:
                verdict = "switch"
            if learn:
                self._gain, self._since_switch[0] = gain, min(since, _SWITCH_FRAMES)
        self.stands_elsewhere = verdict == "camera_moved" and f.share_alike(_Structure(self._last)) > 0.5
        if learn:
            self._last, self._last_light = f.grey, f.light
        return verdict, gain

    def normalize(self, frame: Frame, background: Frame, light: Field | None = None) -> Frame:
        """`frame` in the light of `background`; that of the frame is as `update` found it, or as last learned."""
        light = self._gain if light is None else light
        if not light.any():
            return frame
        height, width = frame.shape[:2]
        gains = cv2.exp(cv2.resize(light * np.float32(1 - _LEFT), (width, height), interpolation=cv2.INTER_LINEAR))
        normal = frame.copy()
        rows = (normal.reshape(height, -1), gains.reshape(height, -1), background.reshape(height, -1))
        run_strips(_divide, height, *rows, pixels_per_unit=width)
        return normal


class _Structure:
    """A small grey picture, window by window, apart from light."""

    def __init__(self, grey: Field) -> None:
        self.grey = grey
        self.mean = cv2.blur(grey, _WINDOW)
        self.variance = np.maximum(cv2.blur(grey * grey, _WINDOW) - self.mean * self.mean, 0)
        self.textured = self.variance > _TEXTURED

    def resembles(self, other: _Structure) -> npt.NDArray[np.bool_]:
        """The textured windows of `other` whose structure is seen here, too."""
        covariance = cv2.blur(self.grey * other.grey, _WINDOW) - self.mean * other.mean
        return other.textured & (covariance > _ALIKE * np.sqrt(self.variance * other.variance))

    def share_alike(self, other: _Structure) -> float:
        """Of the textured windows of `other`."""
        return float(np.count_nonzero(self.resembles(other)) / max(1, np.count_nonzero(other.textured)))


class _Look(_Structure):
    """What is asked of a picture: small, its structure, its light, and the energy of its finest detail."""

    def __init__(self, picture: Frame) -> None:
        height, width = picture.shape[:2]
        factor = max(1, min(height, width) // _SMALL)
        size = (max(1, width // factor), max(1, height // factor))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        super().__init__(small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
        self.light = cv2.log(cv2.blur(small, (5, 5)) + 2).reshape(*small.shape[:2], -1)
        steps = np.diff(picture[::16].astype(np.int16), axis=1)
        self.sharpness = float(np.square(steps, dtype=np.float32).sum()) / max(1, steps.size) + 1e-3


def _extent(field: Field) -> Field:
    """What a field (H, W, C) has in that channel where it is farthest from 0."""
    planes = [np.abs(field[..., c]) for c in range(field.shape[2])]
    return functools.reduce(np.maximum, planes)


def _mean(field: Field, where: npt.NDArray[np.bool_]) -> float:
    return float(np.mean(cv2.mean(field, where.view(np.uint8))[: field.shape[2]]))


def _flat_scene(ratio: Field, variance: Field) -> npt.NDArray[np.bool_]:
    """Windows that show the background of a scene without structure: all of them if the light on all has changed.

    A thing that comes into a flat scene leaves parts of it as they are, or brings its edges.
    """
    unchanged = (_extent(ratio) < _CHANGED).mean() > 0.1
    edges = (variance > _TEXTURED).mean() > 0.02
    return np.full(variance.shape, not (unchanged or edges))


def _is_shifted(frame: _Structure, background: _Structure, least: float) -> bool:
    """Whether a share `least` of the windows show the structure of the background, but elsewhere."""
    window = cv2.createHanningWindow(frame.grey.shape[::-1], cv2.CV_32F)
    # OpenCV multiplies what it is given by the window in place, where the size suits its Fourier transform.
    (dx, dy), _ = cv2.phaseCorrelate(background.grey.copy(), frame.grey.copy(), window)
    if max(abs(dx), abs(dy)) < 0.7:
        return False
    size = frame.grey.shape[::-1]
    moved = cv2.warpAffine(background.grey, np.float32([[1, 0, dx], [0, 1, dy]]), size, borderMode=cv2.BORDER_REPLICATE)
    return frame.share_alike(_Structure(moved)) >= least


def _around(ratio: Field, known: npt.NDArray[np.bool_]) -> Field:
    """Its mean over what is known in the surroundings; far from all that, over all."""
    width = 2 * (max(ratio.shape[:2]) // 12) + 1
    weight = cv2.blur(known.astype(np.float32), (width, width)).reshape(*known.shape, 1)
    total = cv2.blur(ratio * known[..., None], (width, width)).reshape(ratio.shape)
    return (total + np.float32(0.02) * np.median(ratio[known], axis=0)) / (weight + np.float32(0.02))


def _is_light(ratio: Field, known: npt.NDArray[np.bool_], unevenness: float) -> bool:
    """Neighbours are lit alike; windows whose structure is that of the background by chance are not."""
    apart = np.abs(ratio - _around(ratio, known))[known]
    return bool(np.median(apart) < max(_CHANGED / 3, unevenness * np.median(np.abs(ratio[known]))))


def _spread(ratio: Field, known: npt.NDArray[np.bool_], flat: npt.NDArray[np.bool_]) -> Field:
    """The light's gain everywhere: as found where it is known, elsewhere as in the surroundings."""
    for _ in range(3):
        around = _around(ratio, known)
        # Plain surfaces are known by their light being that of their surroundings.
        grown = known | (flat & (_extent(ratio - around) < 0.15))
        if np.array_equal(grown, known):
            break
        known = grown
    field = np.where(known[..., None], ratio, around).astype(np.float32)
    return cv2.blur(field, (3, 3)).reshape(ratio.shape)
