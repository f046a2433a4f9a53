"""Constant-velocity Kalman filters of many boxes at once, in seconds, so that frame rates may vary."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from motionseg.core.types import Boxes

__all__ = ["Filters", "begun", "boxes_of", "centres_of", "corrected", "moved", "moved_boxes", "predicted"]

Floats = npt.NDArray[np.float64]
# Of each axis (x, then y) a filter knows the centre, its velocity, and their variances and covariance; the size of the
# box is smoothed.
_CENTRE, _VELOCITY, _SIZE = slice(0, 2), slice(2, 4), slice(4, 6)
_VAR_CENTRE, _COVARIANCE, _VAR_VELOCITY = slice(0, 2), slice(2, 4), slice(4, 6)
_SIZE_GAIN = 0.3
_LEAST_WEIGHT = 1e-6  # of a point that a perspective has left in sight
_FAST = 2.0  # sizes a second: before it is seen twice, an object may well move so fast


class Filters(NamedTuple):
    """A row for each box.

    Attributes
    ----------
    means : float64 (N, 6)
        Centre (pixels), velocity (pixels a second), size (pixels); of each x, then y.
    covariances : float64 (N, 6)
        Variance of the centre, covariance of centre and velocity, variance of the velocity; of each x, then y.
    """

    means: Floats
    covariances: Floats

    @property
    def velocities(self) -> Floats:
        """float64 (N, 2)."""
        return self.means[:, _VELOCITY]


def begun(boxes: Boxes, localization: float) -> Filters:
    """Filters of boxes that are seen for the first time; `localization`: deviation of a box's centre, in its sizes."""
    centres, sizes = centres_of(boxes)
    unsure, fast = (localization * sizes) ** 2, (_FAST * sizes) ** 2
    return Filters(
        np.concatenate([centres, np.zeros_like(centres), sizes], axis=1),
        np.concatenate([unsure, 0 * unsure, fast], axis=1),
    )


def predicted(filters: Filters, dt: float, acceleration: float) -> Filters:
    """The same `dt` seconds later; `acceleration`: its standard deviation, in sizes a second squared."""
    mean, cov = filters.means.copy(), filters.covariances.copy()
    noise = (acceleration * mean[:, _SIZE]) ** 2
    mean[:, _CENTRE] += dt * mean[:, _VELOCITY]
    cov[:, _VAR_CENTRE] += dt * (2 * cov[:, _COVARIANCE] + dt * cov[:, _VAR_VELOCITY]) + noise * dt**4 / 4
    cov[:, _COVARIANCE] += dt * cov[:, _VAR_VELOCITY] + noise * dt**3 / 2
    cov[:, _VAR_VELOCITY] += noise * dt**2
    return Filters(mean, cov)


def corrected(filters: Filters, boxes: Boxes, localization: float) -> Filters:
    """The same after each has been seen as one of `boxes` (N, 4)."""
    mean, cov = filters.means.copy(), filters.covariances.copy()
    centres, sizes = centres_of(boxes)
    innovation = centres - mean[:, _CENTRE]
    total = cov[:, _VAR_CENTRE] + (localization * mean[:, _SIZE]) ** 2
    gain, gain_velocity = cov[:, _VAR_CENTRE] / total, cov[:, _COVARIANCE] / total
    mean[:, _CENTRE] += gain * innovation
    mean[:, _VELOCITY] += gain_velocity * innovation
    mean[:, _SIZE] += _SIZE_GAIN * (sizes - mean[:, _SIZE])
    cov[:, _VAR_VELOCITY] -= gain_velocity * cov[:, _COVARIANCE]
    cov[:, _COVARIANCE] *= 1 - gain
    cov[:, _VAR_CENTRE] *= 1 - gain
    return Filters(mean, cov)


def moved(filters: Filters, camera: Floats) -> Filters:
    """The same as a camera sees it that has moved everything by `camera` (3, 3)."""
    mean, cov = filters.means.copy(), filters.covariances.copy()
    mean[:, _CENTRE], along, scale = _carried(filters.means[:, _CENTRE], camera)
    mean[:, _VELOCITY] = (along @ filters.velocities[..., None])[..., 0]
    mean[:, _SIZE] *= scale[:, None]
    cov *= scale[:, None] ** 2
    return Filters(mean, cov)


def moved_boxes(boxes: Floats, camera: Floats) -> Floats:
    """Boxes float64 (..., 4), NaN where there is none, as such a camera sees them; they stay upright."""
    flat = boxes.reshape(-1, 4)
    centres, sizes = centres_of(flat)
    to, _, scale = _carried(centres, camera)
    half = sizes * scale[:, None] / 2
    return np.concatenate([to - half, to + half], axis=1).reshape(boxes.shape)


def _carried(points: Floats, camera: Floats) -> tuple[Floats, Floats, Floats]:
    """Where `camera` takes points (N, 2), how it turns small steps there (N, 2, 2), and how much it enlarges (N,).

    What a perspective takes to infinity, or behind the camera, stays as it is.
    """
    to = np.column_stack([points, np.ones(len(points))]) @ camera.T
    lost = to[:, 2] <= _LEAST_WEIGHT
    weight = np.where(lost, 1, to[:, 2])[:, None]
    to = np.where(lost[:, None], points, to[:, :2] / weight)
    along = (camera[:2, :2] - to[..., None] * camera[2, :2]) / weight[..., None]
    along[lost] = np.eye(2)
    area = along[:, 0, 0] * along[:, 1, 1] - along[:, 0, 1] * along[:, 1, 0]  # NaN stays NaN, without a warning
    return to, along, np.sqrt(np.abs(area))


def boxes_of(filters: Filters) -> Boxes:
    """Where each box is by now, float32 (N, 4)."""
    half, centre = filters.means[:, _SIZE] / 2, filters.means[:, _CENTRE]
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def centres_of(boxes: Boxes | Floats) -> tuple[Floats, Floats]:
    """Centres and sizes, float64 (N, 2) each."""
    wide = boxes.astype(np.float64)
    return (wide[:, :2] + wide[:, 2:]) / 2, wide[:, 2:] - wide[:, :2]
