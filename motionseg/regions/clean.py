"""Morphological cleaning of masks: specks go, gaps close, holes fill."""

from __future__ import annotations

import cv2
import numpy as np

from motionseg.core.checks import check_integer, check_mask
from motionseg.core.errors import ParameterError
from motionseg.core.params import Parametrized
from motionseg.core.types import BACKGROUND, FOREGROUND, Mask
from motionseg.regions.components import hole_area

__all__ = ["MaskCleaner"]


class MaskCleaner(Parametrized):
    """Removes specks, closes gaps and fills holes in the foreground of a mask; keeps shadows beside it.

    Parameters
    ----------
    speck : int, odd or 0
        Side in pixels of the median window that removes specks; 0: none.
    gap : int, at least 0
        Gaps in the foreground up to about this many pixels wide are closed; 0: none.
    max_hole : int, at least 0
        Holes in the foreground of up to this area (px2, with what lies in them) are filled; 0: none.

    Raises
    ------
    ParameterError
        A parameter is negative, or `speck` is even.

    Examples
    --------
    >>> mask = np.zeros((9, 9), np.uint8)
    >>> mask[2:7, 2:7] = 255
    >>> mask[4, 4] = 0      # a hole
    >>> mask[0, 8] = 255    # a speck
    >>> clean = MaskCleaner(speck=3, gap=0).clean(mask)
    >>> int(clean[4, 4]), int(clean[0, 8])
    (255, 0)
    """

    def __init__(self, *, speck: int = 3, gap: int = 5, max_hole: int = 400) -> None:
        self.speck = check_integer("speck", speck, 0)
        if speck and speck % 2 == 0:
            raise ParameterError(f"speck is an odd number or 0, not {speck}")
        self.gap = check_integer("gap", gap, 0)
        self.max_hole = check_integer("max_hole", max_hole, 0)

    def clean(self, mask: Mask) -> Mask:
        """The cleaned mask, a new array.

        Parameters
        ----------
        mask : uint8 (H, W)
            0 background, 127 shadow, 255 foreground.

        Returns
        -------
        uint8 (H, W)
            The same codes; a shadow pixel stays one unless it has become foreground.

        Raises
        ------
        FrameError
            Not a uint8 (H, W) array.
        """
        mask = check_mask(mask)
        _, foreground = cv2.threshold(mask, FOREGROUND - 1, FOREGROUND, cv2.THRESH_BINARY)
        if self.speck:
            foreground = cv2.medianBlur(foreground, self.speck)
        if self.gap:
            ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self.gap, self.gap))
            foreground = cv2.morphologyEx(foreground, cv2.MORPH_CLOSE, ellipse)
        if self.max_hole:
            self._fill_holes(foreground)
        shadow = cv2.inRange(mask, BACKGROUND + 1, FOREGROUND - 1)
        return np.asarray(cv2.max(foreground, cv2.bitwise_and(mask, shadow)))

    def _fill_holes(self, foreground: Mask) -> None:
        # RETR_CCOMP gives outer borders and, one level below, the holes in them: only contours are
        # walked, which in a mask that is mostly background is far cheaper than labelling the rest.
        contours, hierarchy = cv2.findContours(foreground, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        for i, contour in enumerate(contours):
            if hierarchy[0][i][3] >= 0 and hole_area(contour) <= self.max_hole:
                cv2.drawContours(foreground, [contour], 0, FOREGROUND, cv2.FILLED)
