"""A self-organizing map: nine neurons to a pixel, which neighbours train (Maddalena and Petrosino 2008)."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionseg.background.base import BackgroundModel, Pixels
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["SelfOrganizing"]

# Neurons have shape (row, 3 x neuron row + neuron column, channel, column), so that all loops go along rows.
_SIDE = 3
_UNIT = 64  # a grey level in the neurons' fixed point
_NONE = 100  # for the place of a winner where there is none: far from every neuron
_FARTHEST = 147  # larger differences of a channel are cut to this, so that a squared distance fits 16 bits


@kernel
def _add_squares(value, neuron, distance):
    """distance (W) += squared differences of a channel."""
    for x in range(distance.shape[0]):
        mean = np.int16(np.int16(neuron[x] + np.int16(_UNIT // 2)) >> np.int16(6))
        d = np.int16(np.int16(value[x]) - mean)
        d = min(max(d, np.int16(-d)), np.int16(_FARTHEST))
        distance[x] = np.uint16(distance[x] + np.uint16(d * d))


@kernel
def _classify(start, stop, neurons, frame, planes, winners, mask, score, limit, learned):
    """Rows start .. stop: classify, and note in `winners` (row, 2, W + 2) which neuron is nearest, if within `learned`.

    `planes` (row, C, W + 2) gets the frame, channel by channel.
    """
    width, n_channels = mask.shape[1], frame.shape[2]
    distance, nearest, winner = np.empty(width, np.uint16), np.empty(width, np.uint16), np.empty(width, np.uint16)
    least = np.float32(limit) + np.float32(1)
    for y in range(start, stop):
        for c in range(n_channels):
            plane, pixels = planes[y, c, 1 : width + 1], frame[y]
            for x in range(width):
                plane[x] = pixels[x, c]
        row, column = winners[y, 0, 1 : width + 1], winners[y, 1, 1 : width + 1]
        nearest[:] = 65535
        for k in range(_SIDE * _SIDE):
            distance[:] = 0
            for c in range(n_channels):
                _add_squares(planes[y, c, 1 : width + 1], neurons[y, k, c], distance)
            number = np.uint16(k)
            for x in range(width):
                winner[x] = number if distance[x] < nearest[x] else winner[x]
            for x in range(width):
                nearest[x] = min(nearest[x], distance[x])
        decision, scores = mask[y], score[y]
        for x in range(width):
            j = np.uint16(np.uint16(winner[x] * np.uint16(11)) >> np.uint16(5))  # winner // 3
            row[x] = j if nearest[x] <= learned else np.uint16(_NONE)
            column[x] = winner[x] - j * np.uint16(3)
        for x in range(width):
            d = np.float32(nearest[x])
            scores[x] = d / (d + least)
        for x in range(width):
            decision[x] = FOREGROUND if nearest[x] > limit else 0


@kernel
def _closeness(winner, place, closeness):
    """closeness (n) <- 2 where `winner` is at `place`, 1 where it is beside it, else 0."""
    for x in range(closeness.shape[0]):
        d = np.int8(winner[x] - place)
        closeness[x] = max(np.int8(np.int8(2) - max(d, np.int8(-d))), np.int8(0))


@kernel
def _follow(neuron, value, share):
    """A neuron (W) goes `share` (W, 32768: all) of its way towards the value."""
    for x in range(neuron.shape[0]):
        d = np.int16(np.int16(np.int16(value[x]) * np.int16(_UNIT)) - neuron[x])
        step = np.int32(np.int32(np.int16(d * np.int16(2))) * np.int32(share[x])) >> np.int32(16)
        neuron[x] = np.int16(neuron[x] + np.int16(step))


@kernel
def _learn(start, stop, neurons, planes, winners, rate):
    """Rows start .. stop: neurons follow the pixels whose winners they are, or are next to, on the map.

    `rate` is a quarter of what the winner learns (8192: all). A pixel's neurons follow it and the eight around it.
    """
    height, width = neurons.shape[0], neurons.shape[3]
    down, across = np.empty(width, np.int8), np.empty(width, np.int8)
    share = np.empty(width, np.int16)
    for y in range(start, stop):
        for near in range(max(y - 1, 0), min(y + 2, height)):
            for j in range(_SIDE):
                if (near < y and j > 0) or (near > y and j < _SIDE - 1):
                    continue
                for shift in range(3):
                    columns = slice(shift, shift + width)
                    _closeness(winners[near, 0, columns], np.int8(j + _SIDE * (y - near)), down)
                    for i in range(_SIDE):
                        if (shift == 0 and i > 0) or (shift == 2 and i < _SIDE - 1):
                            continue
                        _closeness(winners[near, 1, columns], np.int8(i - _SIDE * (shift - 1)), across)
                        for x in range(width):
                            share[x] = np.int16(np.int16(down[x]) * np.int16(across[x])) * rate
                        for c in range(neurons.shape[2]):
                            _follow(neurons[y, _SIDE * j + i, c], planes[near, c, columns], share)


class SelfOrganizing(BackgroundModel):
    """Foreground is what none of a pixel's nine neurons resembles: SOBS.

    Neurons of neighbouring pixels learn together, so that a small movement of camera or leaves is soon known.

    Parameters
    ----------
    threshold : float in [1, 80]
        Foreground where the root mean square difference of the channels to every neuron exceeds this, in grey levels
        (epsilon_2).
    calibration : int, at least 0
        Frames in which learning slows down from 1 to `learning_rate` (K).
    calibration_threshold : float in [threshold, 80]
        In these frames what is within this is learned (epsilon_1).
    learning_rate : float in (0, 1]
        Share of a frame in the neuron that is nearest to it, after calibration (c_2).

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    The neurons lie in a map, 3 x 3 to each pixel beside those of its neighbours. Of the pixel's own, that which is
    nearest to its colour x wins. If it is near enough, it and the eight around it on the map, which may be those of
    other pixels, learn: w += a g (x - w), with g = 1 for the winner, 1/2 beside and 1/4 diagonally.

    The score is d^2 / (d^2 + t^2) for the distance d to the winner. A learning rate given to :meth:`apply` is a.

    Against the paper: distances are taken in BGR and not in the cone of hue, saturation and value; shadows are not
    looked for (:func:`~motionseg.background.label_shadows` does that for any model); and while it calibrates, only
    learning is lenient, not the mask, and by half as much (80 would let it learn most of what moves). Every neuron
    gathers what the nine pixels around it teach, in their order.

    Memory: 54 bytes a BGR pixel, 18 a grey one (18 a channel). What it takes for foreground it never learns.

    References
    ----------
    L. Maddalena, A. Petrosino, A self-organizing approach to background subtraction for visual surveillance
    applications, IEEE Transactions on Image Processing 17 (2008), doi:10.1109/TIP.2008.924285.

    Examples
    --------
    >>> model = SelfOrganizing()
    >>> frame = np.full((1, 4, 3), 90, np.uint8)
    >>> mask = model.apply(frame)
    >>> frame[0, 1:3] = (90, 100, 110), (90, 120, 150)
    >>> model.apply(frame)
    array([[  0,   0, 255,   0]], dtype=uint8)
    """

    info = ModelInfo(
        paper="Maddalena, Petrosino 2008, A self-organizing approach to background subtraction for visual surveillance "
        "applications, doi:10.1109/TIP.2008.924285",
        speed="medium",
        good_at="leaves and cameras that sway a little: neighbouring pixels learn together",
    )
    _arrays = ("_neurons",)

    def __init__(
        self,
        *,
        threshold: float = 20.0,
        calibration: int = 100,
        calibration_threshold: float = 40.0,
        learning_rate: float = 0.05,
    ) -> None:
        self.threshold = check_number("threshold", threshold, 1, 80)
        self.calibration = check_integer("calibration", calibration, 0)
        self.calibration_threshold = check_number("calibration_threshold", calibration_threshold, self.threshold, 80)
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1, above=True)

    def _start(self, frame: Frame) -> None:
        height, width = frame.shape[:2]
        colors = frame.reshape(height, width, -1).transpose(0, 2, 1).astype(np.int16) * np.int16(_UNIT)
        self._neurons = np.repeat(colors[:, None], _SIDE * _SIDE, axis=1)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        height, width = mask.shape
        frame = frame.reshape(height, width, -1)
        threshold, rate = self.threshold, self.learning_rate if learning_rate is None else learning_rate
        if learning_rate is None and self._frames_seen < self.calibration:
            threshold = self.calibration_threshold
            rate = 1 - (1 - rate) * self._frames_seen / self.calibration
        limit, learned = (np.uint16(frame.shape[2] * t**2) for t in (self.threshold, threshold))
        planes = np.empty((height, frame.shape[2], width + 2), np.uint8)
        winners = np.full((height, 2, width + 2), _NONE, np.int8)
        arrays = (self._neurons, frame, planes, winners, mask, score)
        run_strips(_classify, height, *arrays, limit, learned, pixels_per_unit=width)
        if rate > 0:
            run_strips(
                _learn, height, self._neurons, planes, winners, np.int16(round(8191 * rate)), pixels_per_unit=width
            )

    def background(self) -> Frame:
        """The learned picture of the empty scene: the median of the neurons, channel by channel."""
        shape = self._require_started()
        middle = np.partition(self._neurons, _SIDE * _SIDE // 2, axis=1)[:, _SIDE * _SIDE // 2]
        picture = (middle.astype(np.int32) + _UNIT // 2) // _UNIT
        return np.ascontiguousarray(picture.transpose(0, 2, 1).astype(np.uint8).reshape(shape))

    def _cells(self, pixels: Pixels) -> dict[str, tuple[Any, ...]]:
        rows, columns = (axis[:, None, None] for axis in pixels)
        n_channels = self._neurons.shape[2]
        return {"_neurons": (rows, np.arange(_SIDE * _SIDE)[:, None], np.arange(n_channels), columns)}
