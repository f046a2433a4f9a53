"""Things that stand, told from the ghosts that things leave in the background when they go."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._parts import Part
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import BACKGROUND, FOREGROUND, Frame, Labels, Mask

__all__ = ["KINDS", "Ghosts"]

Pixels = tuple[npt.NDArray[np.intp], ...]

KINDS = ("moving", "stopped", "ghost", "removed")
"""What a foreground region may be."""

_STILL = 10  # frames without change: it stands
_SURE = 6  # frames in sequence with the same verdict
_SETTLED = 250  # frames as background: what was there belonged there
_TOLERANCE = 12  # grey levels of a smoothed frame that are no change
_STEP = 10.0  # grey levels between the two sides of an outline: less is noise
_CLEAR = 2.0  # times as many steps in one picture as in the other
_ACROSS = 3  # pixels from an outline to where its two sides are looked at
_MIN_AREA = 12


@kernel
def _watch(start, stop, frame, anchor, still, mask, settled, tolerance):
    """Rows start .. stop: how long each pixel has shown the same, and how long it has been background."""
    n_channels = frame.shape[1] // mask.shape[1]
    for y in range(start, stop):
        new, old, count, decision, age = frame[y], anchor[y], still[y], mask[y], settled[y]
        for x in range(mask.shape[1]):
            farthest = np.uint8(0)
            for c in range(n_channels):
                i = n_channels * x + c
                farthest = max(farthest, np.uint8(max(new[i], old[i]) - min(new[i], old[i])))
            if farthest <= tolerance:
                count[x] = min(np.uint8(254), count[x]) + np.uint8(1)
            else:
                count[x] = 0
                for c in range(n_channels):
                    old[n_channels * x + c] = new[n_channels * x + c]
            if decision[x] != 255:
                age[x] = min(np.uint16(65534), age[x]) + np.uint16(1)


class Ghosts(Part):
    """Watches the foreground for parts that do not change, and asks whose edge their outline is.

    Across the outline of a thing that stands, the colour changes in the frame; across that of a ghost in the
    background picture, in which the thing that has left is still to be seen.
    """

    _arrays = ("_anchor", "_still", "_settled", "_suspected")

    def __init__(self, frame: Frame) -> None:
        height, width = frame.shape[:2]
        self._anchor = cv2.blur(frame, (3, 3))
        self._still = np.zeros((height, width), np.uint8)
        self._settled = np.zeros((height, width), np.uint16)
        self._suspected = np.zeros((height, width), np.uint8)
        self.labels: Labels = np.zeros((height, width), np.int32)
        self.kinds: list[str] = []

    def forget(self, pixels: npt.NDArray[np.bool_]) -> None:
        """What `pixels` show has begun anew."""
        self._settled[pixels], self._suspected[pixels] = 0, 0

    def warp(self, frame: Frame, sources: npt.NDArray[np.intp], outside: npt.NDArray[np.bool_]) -> None:
        """What is known of each pixel is that of its source; those from `outside` begin anew with `frame`."""
        for name in self._arrays:
            setattr(self, name, getattr(self, name)[tuple(sources)])
        self._anchor[outside] = cv2.blur(frame, (3, 3))[outside]
        self._still[outside] = 0
        self.forget(outside)

    def update(self, frame: Frame, background: Frame, mask: Mask, *, learn: bool = True) -> npt.NDArray[np.bool_]:
        """The pixels, bool (H, W), whose background is a ghost; `labels` and `kinds` tell of all regions."""
        smooth = cv2.blur(frame, (3, 3))
        if learn:
            rows = len(frame)
            flat = (smooth.reshape(rows, -1), self._anchor.reshape(rows, -1))
            run_strips(
                _watch, rows, *flat, self._still, mask, self._settled, _TOLERANCE, pixels_per_unit=frame.shape[1] // 4
            )
        foreground = cv2.inRange(mask, FOREGROUND, FOREGROUND)
        n_regions, self.labels = cv2.connectedComponents(foreground)
        self.kinds = ["moving"] * (n_regions - 1)
        ghosts = np.zeros(mask.shape, bool)
        standing = foreground & cv2.inRange(self._still, _STILL, 255)
        x, y, width, height = cv2.boundingRect(standing)
        suspected = np.zeros_like(self._suspected)
        if width:
            box = (slice(max(0, y - 6), y + height + 6), slice(max(0, x - 6), x + width + 6))
            pictures = (smooth[box], cv2.blur(background[box], (3, 3)))
            region_areas = np.bincount(self.labels[foreground > 0], minlength=n_regions)
            pixels = self._judge(*pictures, mask[box], standing[box], box, region_areas)
            if pixels is not None:
                suspected[box] = cv2.add(self._suspected[box], 1) * pixels
                ghosts = suspected >= _SURE
        if learn:
            self._suspected = suspected
        return ghosts

    def _judge(self, frame, background, mask, standing, box, region_areas) -> npt.NDArray[np.bool_] | None:
        standing = cv2.morphologyEx(standing, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        standing &= cv2.inRange(mask, FOREGROUND, FOREGROUND)
        n_parts, parts = cv2.connectedComponents(standing)
        areas = np.bincount(parts[standing > 0], minlength=n_parts)
        outline, inside, outside = _across(standing)
        whose = parts[outline]
        # Only what borders on the empty scene tells: neither on things that move nor on shadows.
        tells = (parts[inside] == whose) & (mask[outside] == BACKGROUND)
        in_frame, in_background = _steps(frame, inside, outside), _steps(background, inside, outside)

        def count(which):
            return np.bincount(whose, tells & which, minlength=n_parts)

        here, there = count(in_frame > in_background + _STEP), count(in_background > in_frame + _STEP)
        telling, length = count(True), np.bincount(whose, minlength=n_parts)
        # A still arm of a thing that moves is no ghost, whatever it hides: it must be most of its region.
        region = np.zeros(n_parts, np.intp)
        region[whose] = self.labels[box][outline]
        most = (areas >= _MIN_AREA) & (areas > region_areas[region] / 2)
        ghost = most & (there > _CLEAR * here) & (there > 0.3 * telling) & (telling > 0.6 * length)
        ghost[0] = most[0] = False
        for part in np.flatnonzero(most):
            kind = "stopped"
            if ghost[part]:
                kind = "removed" if np.median(self._settled[box][parts == part]) >= _SETTLED else "ghost"
            self.kinds[region[part] - 1] = kind
        if not ghost.any():
            return None
        wide = cv2.dilate(ghost.view(np.uint8)[parts], np.ones((5, 5)))
        return (wide > 0) & ((mask != FOREGROUND) | (standing > 0))


def _across(standing: Mask) -> tuple[Pixels, Pixels, Pixels]:
    """The outline of what stands, and for each of its pixels one further inside and one outside."""
    height, width = standing.shape
    outline = np.nonzero(standing & ~cv2.erode(standing, np.ones((3, 3))))
    smooth = cv2.blur(standing, (7, 7))
    normal = np.stack([cv2.Sobel(smooth, cv2.CV_32F, *axis)[outline] for axis in ((0, 1), (1, 0))])
    normal *= _ACROSS / np.maximum(np.hypot(*normal), 1e-3)
    limits = np.array([[height - 1], [width - 1]])
    inside, outside = (
        tuple((np.stack(outline) + np.rint(side * normal).astype(np.intp)).clip(0, limits)) for side in (1, -1)
    )
    return outline, inside, outside


def _steps(picture: Frame, inside: Pixels, outside: Pixels) -> npt.NDArray[np.int16]:
    """Grey levels between both sides, in the channel where it is most."""
    difference = np.abs(picture[inside].astype(np.int16) - picture[outside])
    return difference if difference.ndim == 1 else difference.max(axis=1)
