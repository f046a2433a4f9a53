"""Cues added up as log-odds, and neighbours of one colour brought to agree (mean field of a Potts model)."""

from __future__ import annotations

import numpy as np

from motionseg.core.channels import channel_sum
from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import ParameterError
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame
from motionseg.fuse.base import CueFuser, Fusion, LogOdds

__all__ = ["MeanField"]

_SURE = np.float32(12)  # log-odds: scores stay off 0 and 1, so that the shares add up


@kernel
def _similarities(start, stop, picture, falloff, strength, similar):
    """Rows start .. stop: how strongly each pixel is tied to its neighbours right, below left, below, below right."""
    height, width, n_channels = picture.shape
    diagonal = np.float32(np.sqrt(0.5))
    for y in range(start, stop):
        for x in range(width):
            for k in range(4):
                j = y if k == 0 else y + 1
                i = x + 1 if k == 0 else x + k - 2
                similar[y, x, k] = 0
                if j < height and 0 <= i < width:
                    distance = np.float32(0)
                    for c in range(n_channels):
                        d = np.float32(picture[y, x, c]) - np.float32(picture[j, i, c])
                        distance += d * d
                    near = diagonal if k == 1 or k == 3 else np.float32(1)
                    similar[y, x, k] = strength * near * np.exp(-falloff * distance)


@kernel
def _sweep(start, stop, unary, similar, believed, result):
    """Rows start .. stop: `result`, in [-1, 1], from the cues and from what the neighbours `believed` before."""
    height, width = unary.shape
    for y in range(start, stop):
        for x in range(width):
            s = unary[y, x]
            if x + 1 < width:
                s += similar[y, x, 0] * believed[y, x + 1]
            if x > 0:
                s += similar[y, x - 1, 0] * believed[y, x - 1]
            if y + 1 < height:
                s += similar[y, x, 2] * believed[y + 1, x]
                if x > 0:
                    s += similar[y, x, 1] * believed[y + 1, x - 1]
                if x + 1 < width:
                    s += similar[y, x, 3] * believed[y + 1, x + 1]
            if y > 0:
                s += similar[y - 1, x, 2] * believed[y - 1, x]
                if x + 1 < width:
                    s += similar[y - 1, x + 1, 1] * believed[y - 1, x + 1]
                if x > 0:
                    s += similar[y - 1, x - 1, 3] * believed[y - 1, x - 1]
            result[y, x] = np.tanh(np.float32(0.5) * s)


class MeanField(CueFuser):
    """Adds weighted log-odds, then lets every pixel hear its eight neighbours, those of its colour most.

    Parameters
    ----------
    motion, background, boundary, appearance, prior, border, forward, backward : float of at least 0
        How much the cue of that name counts: motion that is not the camera's; the score of a background model; rays
        that cross motion boundaries; colours learned; the last frame's score; nearness of the picture's border; scores
        of a pass through a whole clip, and of one back in time. Cues of these names are all that `fuse` takes.
    smoothness : float of at least 0
        Log-odds that a neighbour of the same colour gives (the Potts weight).
    iterations : int in [0, 100]
        Rounds in which neighbours hear one another.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    The field of a pixel is s_i = sum_c w_c l_ic + sum_j w_ij tanh(s_j / 2) with w_ij = smoothness exp(-d_ij^2 / 2 v) /
    |i - j|, where d_ij is the difference of colour and v its mean square between neighbours in a row of this picture,
    plus 5; the score is 1 / (1 + exp(-s_i)), with s_i kept within +-12. All pixels are updated at once, so the result
    does not depend on threads.

    Memory: 28 bytes a pixel, and 4 for each cue.

    References
    ----------
    Mean field: C. Bishop, Pattern Recognition and Machine Learning (2006), 10.1. Contrast: Y. Boykov, M.-P. Jolly,
    Interactive graph cuts, ICCV 2001, doi:10.1109/ICCV.2001.937505.

    Examples
    --------
    >>> motion = np.full((9, 9), -1, np.float32)
    >>> motion[2:7, 2:7] = 2
    >>> motion[4, 4] = -1  # a hole in the evidence
    >>> fusion = MeanField().fuse({"motion": motion})
    >>> bool(fusion.score[4, 4] > 0.5), float(fusion.evidence["motion"][4, 4]), bool(fusion.score[0, 0] < 0.5)
    (True, -1.0, True)
    """

    def __init__(
        self,
        *,
        motion: float = 1.0,
        background: float = 1.0,
        boundary: float = 0.5,
        appearance: float = 1.0,
        prior: float = 0.7,
        border: float = 1.0,
        forward: float = 0.4,
        backward: float = 0.4,
        smoothness: float = 1.2,
        iterations: int = 8,
    ) -> None:
        self.motion = check_number("motion", motion, 0)
        self.background = check_number("background", background, 0)
        self.boundary = check_number("boundary", boundary, 0)
        self.appearance = check_number("appearance", appearance, 0)
        self.prior = check_number("prior", prior, 0)
        self.border = check_number("border", border, 0)
        self.forward = check_number("forward", forward, 0)
        self.backward = check_number("backward", backward, 0)
        self.smoothness = check_number("smoothness", smoothness, 0)
        self.iterations = check_integer("iterations", iterations, 0, 100)

    def _fuse(self, cues: dict[str, LogOdds], frame: Frame | None) -> Fusion:
        known = [name for name in self.params() if name not in ("smoothness", "iterations")]
        evidence = {}
        for name, cue in cues.items():
            if name not in known:
                raise ParameterError(f"there is no cue {name!r}; there are: {', '.join(known)}")
            evidence[name] = np.float32(getattr(self, name)) * cue
        unary = np.asarray(np.sum(list(evidence.values()), axis=0, dtype=np.float32))
        field = unary if not (self.smoothness and self.iterations) else self._smoothed(unary, frame)
        field = np.clip(field, -_SURE, _SURE)
        evidence["neighbours"] = field - unary
        return Fusion(np.float32(1) / (np.float32(1) + np.exp(-field)), evidence)

    def _smoothed(self, unary: LogOdds, frame: Frame | None) -> LogOdds:
        """The field after the neighbours have been heard."""
        height, width = unary.shape
        picture = np.zeros((height, width, 1), np.uint8) if frame is None else frame.reshape(height, width, -1)
        steps = np.diff(picture.astype(np.float32), axis=1)
        falloff = np.float32(0.5 / (channel_sum(np.square(steps)).mean() + 5)) if width > 1 else np.float32(0)
        similar = np.empty((height, width, 4), np.float32)
        pixels = {"pixels_per_unit": width}
        run_strips(_similarities, height, picture, falloff, np.float32(self.smoothness), similar, **pixels)
        believed, result = np.tanh(unary / 2), np.empty_like(unary)
        for _ in range(self.iterations):
            run_strips(_sweep, height, unary, similar, believed, result, **pixels)
            believed, result = result, believed
        limit = np.tanh(_SURE / 2, dtype=np.float32)
        return np.asarray(2 * np.arctanh(np.clip(believed, -limit, limit)))
