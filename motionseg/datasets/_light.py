"""Light and lens of a collage: how a scene becomes the picture that a camera delivers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.types import Frame
from motionseg.datasets._collage_paths import smooth
from motionseg.datasets._sprites import noise

__all__ = ["Light"]


class Light:
    """Light that drifts, is switched in a part of the scene or lies under clouds; blur, noise, grey, few pixels.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides all but the noise.
    n : int, at least 1
        Frames.
    size : (int, int)
        Width and height of the frames.
    calm : bool
        The light stays, the noise is at most 3 grey levels, and no pixels are lost.
    seed : int, at least 0
        Of the noise, with the number of the frame.
    """

    def __init__(self, rng: np.random.Generator, n: int, size: tuple[int, int], *, calm: bool, seed: int) -> None:
        self._seed, self._size = seed, size
        unit = min(size)
        self._gamma = np.exp(rng.normal(0, 0.2))
        level = np.exp(rng.normal(-0.1, 0.25))
        self._gain = np.full((n, 3), level)
        self._offset = np.full(n, rng.normal(0, 8))
        kind = rng.choice(["steady", "drift", "switch", "cloud"], p=[0.55, 0.2, 0.13, 0.12])
        if calm:
            kind = "steady"
        if kind == "drift":  # of exposure, and a little of the white balance
            self._gain *= np.exp(rng.uniform(0.02, 0.25) * smooth(rng, n, rng.uniform(5, 40)).T)
            self._gain *= np.exp(rng.uniform(0, 0.05) * smooth(rng, n, 30, 3).T)
        self._clouds: Any = None
        if kind == "cloud":
            wide = noise(rng, size[1], size[0] + 2 * n, coarse=unit, octaves=2)
            self._clouds = np.exp(rng.uniform(0.05, 0.25) * wide).astype(np.float32), rng.uniform(0.2, 2)
        self._lamp: Any = None
        if kind == "switch":
            where = cv2.GaussianBlur(noise(rng, size[1], size[0], coarse=2 * unit, octaves=1), (0, 0), 0.05 * unit)
            spread = 1 / (1 + np.exp(-3 * (where + rng.uniform(-1, 3))))
            factor = np.exp(rng.choice([-1, 1]) * rng.uniform(0.2, 0.7))
            self._lamp = spread.astype(np.float32), np.float32(factor), int(rng.integers(n // 4, n)), rng.integers(1, 6)
        self._noise = 0.0 if rng.random() < 0.2 else np.exp(rng.uniform(np.log(0.8), np.log(10)))
        if calm:
            self._noise = min(self._noise, 3.0)
        self._blur = rng.uniform(0.4, 1.4) if rng.random() < 0.35 else 0.0
        self._coarse = rng.uniform(1.3, 3) if rng.random() < 0.2 and not calm else 1.0
        self._grey = rng.random() < 0.12
        self._curve = (255 * (np.arange(256) / 255) ** self._gamma).astype(np.float32)

    def developed(self, picture: npt.NDArray[np.float32], i: int) -> Frame:
        """What the camera delivers of a picture.

        Parameters
        ----------
        picture : float32 (H, W, 3)
            BGR, grey levels; its content is lost.
        i : int
            The frame's number, below `n`.

        Returns
        -------
        uint8 (H, W, 3)
            BGR; all three alike where the camera is grey.
        """
        rng = np.random.default_rng((self._seed, i))
        if self._coarse > 1:
            small = tuple(round(side / self._coarse) for side in self._size)
            picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        if self._gamma != 1:
            picture = 255 * np.power(np.clip(picture, 0, 255) * np.float32(1 / 255), np.float32(self._gamma))
        here = self._local(i)
        if here is not None:
            if self._coarse > 1:
                here = cv2.resize(here, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
            picture *= cv2.merge([here] * 3)
        picture *= self._gain[i].astype(np.float32)
        picture += np.float32(self._offset[i])
        if self._blur:
            picture = cv2.GaussianBlur(picture, (0, 0), self._blur)
        if self._noise:
            picture = picture + np.float32(self._noise) * rng.standard_normal(picture.shape, np.float32)
        if self._coarse > 1:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_LINEAR)
        frame = np.asarray(cv2.add(picture, 0, dtype=cv2.CV_8U))
        return cv2.merge([cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)] * 3) if self._grey else frame

    def _local(self, i: int) -> Any:
        """The light's factor at every pixel, float32 (H, W), where it differs from place to place."""
        if self._clouds is not None:
            wide, speed = self._clouds
            x = int(speed * i)
            return np.ascontiguousarray(wide[:, x : x + self._size[0]])
        if self._lamp is not None:
            spread, factor, since, ramp = self._lamp
            on = np.float32(np.clip((i - since) / ramp, 0, 1))
            return None if on == 0 else 1 + on * (factor - 1) * spread
        return None
