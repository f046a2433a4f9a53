"""What motion boundaries enclose (Papazoglou, Ferrari 2013): rays to the picture's border vote."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.cluster._parts import connected_parts, smooth_mask
from motionseg.cluster.base import FlowClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_flow, check_integer, check_number
from motionseg.core.errors import FrameError
from motionseg.core.geometry import vector_lengths
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Flow, Frame

__all__ = ["InsideOutside", "inside_votes", "motion_boundaries"]


_FAINT = 0.05  # weaker boundaries are none, and cost next to nothing


@kernel
def _boundaries(start, stop, flow, out, reach, steepness, turning, least):
    """Rows start .. stop of `out`: strength of motion boundaries; beyond the border stands the border's flow."""
    height, width = out.shape
    one, tiny, half = np.float32(1), np.float32(1e-12), np.float32(0.5)
    for y in range(start, stop):
        above, below = max(y - reach, 0), min(y + reach, height - 1)
        for x in range(width):
            left, right = max(x - reach, 0), min(x + reach, width - 1)
            dx, dy = flow[y, right, 0] - flow[y, left, 0], flow[below, x, 0] - flow[above, x, 0]
            square = dx * dx + dy * dy
            dx, dy = flow[y, right, 1] - flow[y, left, 1], flow[below, x, 1] - flow[above, x, 1]
            square += dx * dx + dy * dy
            if square < least:
                out[y, x] = 0
                continue
            strength = one - np.exp(-steepness * np.sqrt(square))
            if strength <= half:
                u, v = flow[y, x, 0], flow[y, x, 1]
                own = u * u + v * v + tiny
                straightest = one
                for i in range(4):
                    yy = above if i == 0 else (below if i == 1 else y)
                    xx = left if i == 2 else (right if i == 3 else x)
                    a, b = flow[yy, xx, 0], flow[yy, xx, 1]
                    cosine = (u * a + v * b + tiny) / np.sqrt(own * (a * a + b * b + tiny))
                    straightest = min(straightest, cosine)
                angle = np.arccos(max(-one, straightest))
                strength *= one - np.exp(-turning * angle * angle)
            out[y, x] = strength


def motion_boundaries(
    flow: Flow, *, reach: int = 3, steepness: float = 0.7, turning: float = 1.0
) -> npt.NDArray[np.float32]:
    """Where motion changes abruptly in size or in direction, as a cue of objects' outlines.

    Parameters
    ----------
    flow : float32 (H, W, 2)
        Pixels; also a residual flow.
    reach : int in [1, 50], pixels
        Changes are taken between the pixels so far to the left and right, and above and below. Dense flow is smooth:
        it takes some pixels from one motion to the other.
    steepness : float in (0, 100], 1 / pixels
        Of 1 - exp(-steepness |change|), where the change is that of the vector across 2 `reach`, both ways.
    turning : float in (0, 100]
        Of 1 - exp(-turning angle^2), the largest angle to one of the four neighbours at `reach`, radians. Strengths up
        to 0.5 are multiplied by it: a weak change counts only where the direction changes, too.

    Returns
    -------
    float32 (H, W) in [0, 1]
        0 where the change alone is below 0.05. A boundary is a band of about 2 `reach` pixels. The caller's.

    Raises
    ------
    FrameError
        `flow` is no finite flow.
    ParameterError
        A number is out of range.

    References
    ----------
    A. Papazoglou, V. Ferrari, Fast object segmentation in unconstrained video, ICCV 2013, doi:10.1109/ICCV.2013.223.

    Examples
    --------
    >>> flow = np.zeros((3, 6, 2), np.float32)
    >>> flow[:, 3:] = 3, 0
    >>> motion_boundaries(flow, reach=1)[1].astype(float).round(2).tolist()
    [0.0, 0.0, 0.88, 0.88, 0.0, 0.0]
    """
    flow = check_flow(flow)
    reach = check_integer("reach", reach, 1, 50)
    steep = check_number("steepness", steepness, 0, 100, above=True)
    turn = check_number("turning", turning, 0, 100, above=True)
    out = np.empty(flow.shape[:2], np.float32)
    least = (np.log(1 - _FAINT) / steep) ** 2
    arguments = (flow, out, reach, np.float32(steep), np.float32(turn), np.float32(least))
    run_strips(_boundaries, len(out), *arguments, pixels_per_unit=out.shape[1])
    return out


@kernel(inline=True)
def _crossed(parity, was_on, corner, other_corner, on):
    """Parity of the runs up to a pixel, from that up to the pixel diagonally before it.

    A step that slips between two edge pixels which touch at their corners crosses a run of its own.
    """
    begins = on & (np.uint8(1) ^ was_on)
    slips = corner & other_corner & (np.uint8(1) ^ (was_on | on))
    return parity ^ begins ^ slips


@kernel
def _vote(start, stop, edges, votes):
    """Passes start .. stop of two, downwards and upwards: votes[pass] gets those of the four rays that came before.

    Walking outwards a ray crosses a boundary where a run of edge pixels begins; so the parity of the number of runs
    up to a pixel follows from that of the pixel before it. The run that a pixel is part of is not crossed.
    """
    height, width = edges.shape
    one = np.uint8(1)
    for upwards in range(start, stop):
        straight, falling, rising = np.zeros(width, np.uint8), np.zeros(width, np.uint8), np.zeros(width, np.uint8)
        old_falling, old_rising = np.zeros(width, np.uint8), np.zeros(width, np.uint8)
        out = votes[upwards]
        for i in range(height):
            y = height - 1 - i if upwards else i
            row = edges[y]
            flat, was_on = np.uint8(0), np.uint8(0)
            for j in range(width):
                x = width - 1 - j if upwards else j
                flat ^= row[x] & (one ^ was_on)
                was_on = row[x]
                out[y, x] = flat ^ was_on
            if i == 0:
                for x in range(width):
                    straight[x] = falling[x] = rising[x] = row[x]
                continue
            before = edges[y + 1 if upwards else y - 1]
            for x in range(width):
                straight[x] ^= row[x] & (one ^ before[x])
                old_falling[x], old_rising[x] = falling[x], rising[x]
            falling[0], rising[width - 1] = row[0], row[width - 1]
            for x in range(1, width):
                falling[x] = _crossed(old_falling[x - 1], before[x - 1], before[x], row[x - 1], row[x])
            for x in range(width - 1):
                rising[x] = _crossed(old_rising[x + 1], before[x + 1], before[x], row[x + 1], row[x])
            for x in range(width):
                out[y, x] += (straight[x] ^ row[x]) + (falling[x] ^ row[x]) + (rising[x] ^ row[x])


def inside_votes(boundaries: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """How many of eight rays from each pixel to the picture's border cross boundaries an odd number of times.

    Parameters
    ----------
    boundaries : bool (H, W), or float (H, W) in [0, 1]
        Where boundaries are; of strengths, as `motion_boundaries` gives them, those above 0.5.

    Returns
    -------
    uint8 (H, W) in [0, 8]
        Five and more: inside. Most rays vote right where a boundary has gaps. The caller's.

    Raises
    ------
    FrameError
        Not such an array, or empty.

    Notes
    -----
    A boundary is a run of pixels along the ray, however thick; the run that a pixel is in itself is not counted.
    The time does not depend on how far the rays go. 6 bytes per pixel.

    References
    ----------
    A. Papazoglou, V. Ferrari, Fast object segmentation in unconstrained video, ICCV 2013, doi:10.1109/ICCV.2013.223.

    Examples
    --------
    >>> ring = np.ones((3, 3), bool)
    >>> ring[1, 1] = False
    >>> inside_votes(np.pad(ring, 1))[2].tolist()
    [2, 1, 8, 1, 2]
    """
    array = np.asarray(boundaries)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "bf":
        raise FrameError(f"boundaries are a bool or float array of shape (H, W), not {array.dtype} {array.shape}")
    edges = np.ascontiguousarray(array if array.dtype == np.bool_ else array > 0.5).view(np.uint8)
    votes = np.zeros((2, *edges.shape), np.uint8)
    run_strips(_vote, 2, edges, votes, pixels_per_unit=edges.size // 2)
    return np.asarray(votes[0] + votes[1])


class InsideOutside(FlowClusterer):
    """Things of which only the outline moves distinctly: what motion boundaries enclose is a part.

    Parameters
    ----------
    reach : int in [1, 50], pixels
        Across how far motion changes at an outline; see `motion_boundaries`.
    steepness : float in (0, 100], 1 / pixels
        How strong a boundary a change of the flow is.
    turning : float in (0, 100]
        The same for angles.
    floor : float in [0, 100], pixels
        What moves less beside the camera is not inside, whatever encloses it.
    least_votes : int in [1, 8]
        Of the eight rays from a pixel, how many have to cross boundaries an odd number of times.
    smooth : int in [1, 51]
        Side, in pixels, of the square whose majority decides; even numbers are taken one larger.
    min_share : float in [0, 1]
        Parts that cover less of the picture are dropped.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Boundaries are sought in the residual flow, so that zooms and turns of the camera make none; otherwise the camera is
    not needed. A boundary that the picture's border cuts off, as of a person seen to the waist, still encloses for most
    rays; one with large gaps does not. Holes in a thing are filled or not, as rays happen to fall. Water, leaves and
    depth before a travelling camera have boundaries, too: they become many small parts. 20 bytes per pixel while it
    works.

    References
    ----------
    A. Papazoglou, V. Ferrari, Fast object segmentation in unconstrained video, ICCV 2013, doi:10.1109/ICCV.2013.223.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> labels = InsideOutside().segment(flow)
    >>> bool((labels[22:38, 32:58] == 1).all()), int(np.count_nonzero(labels) > 700)
    (True, 0)
    """

    info = ModelInfo(
        paper="Papazoglou, Ferrari 2013, Fast object segmentation in unconstrained video, doi:10.1109/ICCV.2013.223",
        speed="medium",
        good_at="things with clear outlines of motion, whatever the background does",
    )

    def __init__(
        self,
        *,
        reach: int = 3,
        steepness: float = 0.7,
        turning: float = 1.0,
        floor: float = 0.75,
        least_votes: int = 5,
        smooth: int = 9,
        min_share: float = 0.0005,
    ) -> None:
        self.reach = check_integer("reach", reach, 1, 50)
        self.steepness = check_number("steepness", steepness, 0, 100, above=True)
        self.turning = check_number("turning", turning, 0, 100, above=True)
        self.floor = check_number("floor", floor, 0, 100)
        self.least_votes = check_integer("least_votes", least_votes, 1, 8)
        self.smooth = check_integer("smooth", smooth, 1, 51)
        self.min_share = check_number("min_share", min_share, 0, 1)

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        if not valid.all():
            residual = np.where(valid[..., None], residual, 0)
        numbers = {"reach": self.reach, "steepness": self.steepness, "turning": self.turning}
        inside = inside_votes(motion_boundaries(residual, **numbers)) >= self.least_votes
        inside &= vector_lengths(residual) > self.floor
        inside = smooth_mask(inside, self.smooth | 1)
        # The outline runs in the middle of the band, half of which is a part's own.
        inside = cv2.dilate(inside.view(np.uint8), np.ones((2 * self.reach + 1,) * 2, np.uint8)) > 0
        return connected_parts(inside & valid, self.min_share)
