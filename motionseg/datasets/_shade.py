"""What things do to the ground and walls behind them: cast shadows, soft shade or glow about them, mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.datasets._render import moved
from motionseg.datasets._sprites import Image

__all__ = ["Part", "Shade", "warped"]

Matrices = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Part:
    """A flat picture and where it is, in pixels of the frame; id 0: scenery."""

    image: Image
    poses: Matrices
    object_id: int = 0
    feet: npt.NDArray[np.float64] | None = None  # (n,): the row of the frame at which its shadow begins
    since: int = 0  # the frame in which it first stirs


class Shade:
    """How the light of a scene falls round things.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides it.
    size : (int, int)
        Width and height of the frames.

    Attributes
    ----------
    cast : float
        Share of the light that shadows take, 0 for none; `blur` is their softness in pixels, `lean`, `length`, `offset`
        and `scale` say where they fall: at the feet, or on a wall somewhere behind.
    ambient : float
        Share of the light that a thing keeps from (below 0: adds to) all that is about it, within `spread` pixels.
    mirror : float
        Share of the light from a polished ground that comes from the thing on it.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self._size, unit = size, min(size)
        kind = rng.choice(["none", "hard", "soft"], p=[0.3, 0.3, 0.4])
        self.cast = 0.0 if kind == "none" else rng.uniform(0.15, 0.65)
        self.blur = 0.0 if kind == "hard" else np.exp(rng.uniform(np.log(0.004), np.log(0.08))) * unit
        self._tint = np.exp(rng.normal(0, 0.08, 3)) if rng.random() < 0.5 else np.ones(3)
        self.lean, self.length = rng.uniform(-1.2, 1.2), rng.uniform(0.1, 0.8) * rng.choice([-1, 1])
        self.offset, self.scale = np.zeros(2), 1.0
        if rng.random() < 0.3:
            self.offset, self.scale = unit * rng.uniform(-0.4, 0.4, 2), np.exp(rng.uniform(-0.1, 0.5))
            self.lean, self.length = rng.uniform(-0.3, 0.3), -rng.uniform(0.7, 1.2)  # upright, as on a wall
        self.ambient = rng.uniform(0.06, 0.5) * rng.choice([1, -0.5], p=[0.75, 0.25]) if rng.random() < 0.45 else 0.0
        self.spread = unit * np.exp(rng.uniform(np.log(0.03), np.log(0.3)))
        self.mirror = rng.uniform(0.08, 0.45) if rng.random() < 0.25 else 0.0
        self._reach, self._mirror_blur = unit * rng.uniform(0.1, 0.8), rng.uniform(0, 0.02) * unit

    def fall(self, canvas: Values, parts: Sequence[Part], i: int) -> Values:
        """Lay the shade of `parts` in frame `i` on the ground.

        Parameters
        ----------
        canvas : float32 (H, W, 3)
            The ground, BGR; changed in place.
        parts : sequence of Part
            Those without feet are passed over.
        i : int
            The frame.

        Returns
        -------
        float32 (H, W)
            By which share the light has changed, in [0, 1].
        """
        change = np.zeros(canvas.shape[:2], np.float32)
        parts = [part for part in parts if part.feet is not None]
        if not parts:
            return change
        if self.mirror:
            change = np.maximum(change, self._reflect(canvas, parts, i))
        if self.cast:
            laid = np.array([[self.scale, -self.lean, 0], [0, -self.length * self.scale, 0], [0, 0, 1]])
            shade = self._silhouette(parts, i, moved(*self.offset) @ laid) * np.float32(self.cast)
            if self.blur > 0.5:
                shade = _blurred(shade, self.blur)
            canvas *= np.clip(1 - shade[..., None] * self._tint.astype(np.float32), 0, 1)
            change = np.maximum(change, shade)
        if self.ambient:
            shade = _blurred(self._silhouette(parts, i, np.eye(3)), self.spread)
            shade *= np.float32(self.ambient)
            canvas *= 1 - shade[..., None]
            change = np.maximum(change, np.abs(shade))
        return change

    def _silhouette(self, parts: Sequence[Part], i: int, laid: Matrices) -> Values:
        """Where `parts` are once `laid` has moved them, about their feet; in [0, 1]."""
        shade = np.zeros(self._size[::-1], np.float32)
        for part in parts:
            placed = warped(np.ascontiguousarray(part.image[..., 3]), _about_feet(part, i, laid), self._size, 0)
            if placed is not None:
                shade[placed[0]] = np.maximum(shade[placed[0]], placed[1] * np.float32(1 / 255))
        return shade

    def _reflect(self, canvas: Values, parts: Sequence[Part], i: int) -> Values:
        """Things upside down below their feet, paler with the distance; what share of the ground they take."""
        picture, total = np.zeros_like(canvas), np.zeros(canvas.shape[:2], np.float32)
        rows = np.arange(len(canvas), dtype=np.float32)[:, None]
        for part in parts:
            placed = warped(part.image, _about_feet(part, i, np.diag([1.0, -1.0, 1.0])), self._size, 0)
            if placed is None:
                continue
            place, patch = placed
            assert part.feet is not None
            fade = self.mirror * np.exp(-np.abs(rows[place[0]] - part.feet[i]) / self._reach)
            fade = fade.astype(np.float32)
            share = patch[..., 3] * np.float32(1 / 255) * fade
            picture[place] *= 1 - share[..., None]
            picture[place] += patch[..., :3] * fade[..., None]
            total[place] = share + total[place] * (1 - share)
        if self._mirror_blur > 0.5:
            picture, total = _blurred(picture, self._mirror_blur), _blurred(total, self._mirror_blur)
        canvas *= 1 - total[..., None]
        canvas += picture
        return total


def _about_feet(part: Part, i: int, laid: Matrices) -> Matrices:
    assert part.feet is not None
    return np.asarray(moved(0.0, part.feet[i]) @ laid @ moved(0.0, -part.feet[i]) @ part.poses[i])


def _blurred(picture: Values, deviation: float) -> Values:
    """Gaussian blur, at a smaller size where that shows nothing."""
    factor = int(min(deviation / 3, 8))
    if factor < 2:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation))
    size = picture.shape[1::-1]
    small = cv2.resize(picture, tuple(-(-side // factor) for side in size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), deviation / factor), size))


def warped(image: Any, pose: Any, size: tuple[int, int], pad: int) -> tuple[tuple[slice, slice], Any] | None:
    """The rows and columns of a frame that `image` takes up when it goes there by `pose`, and what it shows there."""
    if not np.isfinite(pose).all():
        return None
    height, width = image.shape[:2]
    corners = pose[:2] @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    low = np.clip(np.floor(corners.min(axis=1)).astype(int) - pad, 0, size)
    high = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 1 + pad, 0, size)
    if (high <= low).any():
        return None
    x0, y0, x1, y1 = *low.tolist(), *high.tolist()
    local = pose[:2] - [[0, 0, x0], [0, 0, y0]]
    return (slice(y0, y1), slice(x0, x1)), cv2.warpAffine(image, local, (x1 - x0, y1 - y0))
