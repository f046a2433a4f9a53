"""Pieces of one colour and one motion, of about one size: what slow methods cluster instead of pixels."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from motionseg.cluster._parts import connected_parts, motion_threshold
from motionseg.cluster.base import FlowClusterer
from motionseg.core.checks import check_integer, check_number
from motionseg.core.geometry import vector_lengths
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Flow, Frame, Labels

__all__ = ["SuperpixelClusterer", "Superpixels"]

Floats = npt.NDArray[np.float32]

_LARGE = 240  # pixels of the shorter side from which every other pixel is enough
_LEAST = 400  # superpixels
_ROUNDS = 4
_COLOUR = 0.1  # weight of a step in L, a or b beside that of a pixel of motion
_COMPACT = 2.0  # cost of the distance of one cell


@kernel
def _assign(start, stop, features, centres, cell, columns, compact, labels):
    """Rows start .. stop: each pixel goes to the nearest of the nine centres whose cells are around it."""
    n = features.shape[2]
    rows = centres.shape[0] // columns
    for y in range(start, stop):
        row = min(y // cell, rows - 1)
        for x in range(labels.shape[1]):
            column = min(x // cell, columns - 1)
            best, least = row * columns + column, np.float32(np.inf)
            for r in range(max(row - 1, 0), min(row + 2, rows)):
                for c in range(max(column - 1, 0), min(column + 2, columns)):
                    centre = centres[r * columns + c]
                    dx, dy = np.float32(x) - centre[0], np.float32(y) - centre[1]
                    distance = compact * (dx * dx + dy * dy)
                    for i in range(n):
                        d = features[y, x, i] - centre[2 + i]
                        distance += d * d
                    if distance < least:
                        best, least = r * columns + c, distance
            labels[y, x] = best


@kernel
def _sums(features, labels, sums, counts):
    """Sums of x, y and the features of every label's pixels, and their number."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            counts[label] += 1
            sums[label, 0] += x
            sums[label, 1] += y
            for i in range(features.shape[2]):
                sums[label, 2 + i] += features[y, x, i]


def simple_linear(features: Floats, cell: int) -> Labels:
    """Superpixels of features (H, W, C): int32 (H, W), from cells of `cell` pixels a side (Achanta et al. 2012)."""
    height, width = features.shape[:2]
    rows, columns = max(1, round(height / cell)), max(1, round(width / cell))
    y, x = np.arange(height) * rows // height, np.arange(width) * columns // width
    labels = (y[:, None] * columns + x).astype(np.int32)
    side = int(max(1, -(-height // rows), -(-width // columns)))
    compact = np.float32((_COMPACT / cell) ** 2)
    for _ in range(_ROUNDS):
        sums = np.zeros((rows * columns, 2 + features.shape[2]))
        counts = np.zeros(rows * columns, np.int64)
        _sums(features, labels, sums, counts)
        if not counts.all():  # a centre that has lost all its pixels comes back where it was born
            lost = np.flatnonzero(counts == 0)
            sums[lost, 0] = (lost % columns + 0.5) * width / columns
            sums[lost, 1] = (lost // columns + 0.5) * height / rows
            counts[lost] = 1
        centres = (sums / counts[:, None]).astype(np.float32)
        run_strips(_assign, height, features, centres, side, columns, compact, labels, pixels_per_unit=9 * width)
    return labels


class Superpixels:
    """The superpixels of a flow, and of the frame where there is one.

    Attributes
    ----------
    labels : int32 (h, w)
        0 .. N - 1, of every pixel, or of every other one in large pictures.
    places, motions : float32 (N, 2)
        Mean x, y and mean flow of the pixels that are valid, pixels of the picture.
    size : int
        Side of one, about, pixels of the picture.
    areas : float64 (N,)
        Valid pixels of the picture; those that have none are here with place and motion 0.
    """

    def __init__(self, flow: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None, size: int) -> None:
        self.shape = (valid.shape[0], valid.shape[1])
        self.factor = 2 if min(self.shape) >= _LARGE else 1
        # Small pictures have smaller pieces: things of a few pieces have no clear motion.
        self.size = max(2, min(size, round((valid.size / _LEAST) ** 0.5)))
        small = (self.shape[1] // self.factor, self.shape[0] // self.factor)
        weight = self._reduced(valid.astype(np.float32), small)
        motion = self._reduced(np.where(valid[..., None], flow, 0) if not valid.all() else flow, small)
        motion = motion / np.maximum(weight, np.float32(1e-6))[..., None]
        features = motion if frame is None else np.concatenate([motion, self._colour(frame, small)], axis=2)
        raw = simple_linear(np.ascontiguousarray(features), max(2, self.size // self.factor))
        present = np.flatnonzero(np.bincount(raw.ravel()))
        rank = np.zeros(int(raw.max()) + 1, np.int32)
        rank[present] = np.arange(len(present), dtype=np.int32)
        self.labels = rank[raw]
        y, x = np.indices(raw.shape, np.float32)
        self.areas = self._sum(weight)
        some = np.maximum(self.areas, 1e-6)
        columns = [self._sum(weight * part) / some for part in (x, y, motion[..., 0], motion[..., 1])]
        self.places = np.stack(columns[:2], axis=1).astype(np.float32) * np.float32(self.factor)
        self.motions = np.stack(columns[2:], axis=1).astype(np.float32)
        self.areas *= self.factor**2

    def _reduced(self, picture: npt.NDArray[np.generic], small: tuple[int, int]) -> Floats:
        n = self.factor
        cropped = picture[: small[1] * n, : small[0] * n]
        return np.asarray(cropped if n == 1 else cv2.resize(cropped, small, interpolation=cv2.INTER_AREA), np.float32)

    def _colour(self, frame: Frame, small: tuple[int, int]) -> Floats:
        reduced = self._reduced(frame, small) / np.float32(255)
        if frame.ndim == 2:
            return reduced[..., None] * np.float32(100 * _COLOUR)
        return np.asarray(cv2.cvtColor(reduced, cv2.COLOR_BGR2LAB) * np.float32(_COLOUR))

    def _sum(self, values: Floats) -> npt.NDArray[np.float64]:
        return np.bincount(self.labels.ravel(), values.ravel(), minlength=int(self.labels.max()) + 1)

    def __len__(self) -> int:
        return len(self.areas)

    def spread(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """`values` (N,) at the pixels of the picture, (H, W)."""
        small = values[self.labels]
        if self.factor == 1:
            return np.asarray(small)
        rows = np.minimum(np.arange(self.shape[0]) // self.factor, small.shape[0] - 1)
        columns = np.minimum(np.arange(self.shape[1]) // self.factor, small.shape[1] - 1)
        return np.asarray(small[rows[:, None], columns])

    def neighbours(self) -> npt.NDArray[np.int64]:
        """Pairs (M, 2) of superpixels that touch, each once."""
        a, n = self.labels.astype(np.int64), len(self)
        pairs = [
            np.minimum(p, q) * n + np.maximum(p, q)
            for p, q in ((a[:, 1:].ravel(), a[:, :-1].ravel()), (a[1:].ravel(), a[:-1].ravel()))
        ]
        codes = np.unique(np.concatenate(pairs))
        codes = codes[codes // n != codes % n]
        return np.stack([codes // n, codes % n], axis=1)

    def at_border(self) -> npt.NDArray[np.int64]:
        """Those that touch the picture's border."""
        a = self.labels
        return np.unique(np.concatenate([a[0], a[-1], a[:, 0], a[:, -1]])).astype(np.int64)


class SuperpixelClusterer(FlowClusterer):
    """Superpixels grouped by place and residual motion; the groups that move with the camera are background.

    Subclasses have the parameters ``size``, ``position``, ``floor`` and ``min_share`` and write `_group`.
    """

    _by_side: ClassVar[bool] = False  # `position` is for the side of a superpixel, not for the picture's longer one
    size: int
    position: float
    floor: float
    min_share: float

    def _take(self, size: int, position: float, floor: float, min_share: float) -> None:
        self.size = check_integer("size", size, 2, 200)
        self.position = check_number("position", position, 0, 1000)
        self.floor = check_number("floor", floor, 0, 100, above=True)
        self.min_share = check_number("min_share", min_share, 0, 1)

    @abstractmethod
    def _group(self, features: npt.NDArray[np.float64], areas: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """A group for each row of features (N, 4): x, y, dx, dy, in units of noise; -1: none. `areas` sums to 1."""

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        nothing = np.zeros(valid.shape, np.int32)
        limit = motion_threshold(vector_lengths(residual), valid, self.floor)
        if not np.isfinite(limit):
            return nothing
        pieces = Superpixels(residual, valid, frame, self.size)
        used = np.flatnonzero(pieces.areas > 0)
        speeds = np.hypot(*pieces.motions.T.astype(np.float64))
        if not (speeds[used] > limit).any():
            return nothing
        # A motion counts in units of the threshold: what differs by less moves alike.
        motions = pieces.motions[used].astype(np.float64) / limit
        unit = pieces.size if self._by_side else max(valid.shape)
        places = pieces.places[used].astype(np.float64) * (self.position / unit)
        areas = pieces.areas[used] / pieces.areas[used].sum()
        # On a few hundred points threads of the libraries below cost more than they gain, and may change the result.
        with threadpool_limits(limits=1):
            groups = np.asarray(self._group(np.column_stack([places, motions]), areas), np.int64)
        moving = np.zeros(len(pieces), np.int64)
        moving[used] = _moving(groups, pieces.motions[used], pieces.areas[used], limit)
        labels = pieces.spread(moving)
        parts, first = nothing, 0
        for group in np.unique(moving[moving > 0]):
            found = connected_parts(cv2.medianBlur((labels == group).astype(np.uint8), 5) > 0, self.min_share)
            parts = np.where(found > 0, found + first, parts)
            first = int(parts.max())
        return parts


def _moving(
    groups: npt.NDArray[np.int64], motions: Floats, areas: npt.NDArray[np.float64], limit: float
) -> npt.NDArray[np.int64]:
    """`groups` (N,) from 1, 0 for those whose mean motion is below `limit`, and for those of no group (-1).

    Moving groups whose motions differ by less than `limit` and a fifth of the faster speed are one.
    """
    means: dict[int, npt.NDArray[np.float64]] = {}
    for value in np.unique(groups[groups >= 0]):
        mean = np.average(motions[groups == value], axis=0, weights=areas[groups == value])
        if np.hypot(*mean) > limit:
            means[int(value)] = mean
    names = {value: value for value in means}
    for a in means:
        for b in means:
            near = limit + 0.2 * max(np.hypot(*means[a]), np.hypot(*means[b]))
            if b < a and names[a] != names[b] and np.hypot(*(means[a] - means[b])) < near:
                old, new = max(names[a], names[b]), min(names[a], names[b])
                names = {value: new if name == old else name for value, name in names.items()}
    moving = np.zeros(len(groups), np.int64)
    for value, name in names.items():
        moving[groups == value] = name + 1
    return moving
