"""Points followed from flow to flow, grouped by how unlike they have ever moved (Brox, Malik 2010)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from motionseg.cluster._parts import connected_parts, motion_threshold
from motionseg.cluster.base import FlowClusterer
from motionseg.cluster.inside_outside import motion_boundaries
from motionseg.core.catalog import ModelInfo
from motionseg.core.channels import channel_sum
from motionseg.core.checks import check_integer, check_number
from motionseg.core.geometry import vector_lengths
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Flow, Frame

__all__ = ["SpectralTrajectories"]

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

_LEAST = 400  # cells that a picture has at least
_STEP = 4  # pixels: one in so many is asked for its track
_LONELY = 2.0  # tracks: one that is like fewer says nothing
_DENSE = 200  # tracks up to which all eigenvectors are computed


@kernel
def _affinities(start, stop, points, motions, spreads, ages, steepness, near, out):
    """Rows start .. stop of `out`: how alike two tracks move, from the frame in which they do least.

    motions (N, T, 2) and spreads (N, T), the variances of flow around, are of the last T flows, the newest first;
    the first ages[i] of them count.
    """
    n = len(points)
    for i in range(start, stop):
        for j in range(n):
            worst = np.float32(0)
            for t in range(min(ages[i], ages[j])):
                du, dv = motions[i, t, 0] - motions[j, t, 0], motions[i, t, 1] - motions[j, t, 1]
                worst = max(worst, (du * du + dv * dv) / min(spreads[i, t], spreads[j, t]))
            dx, dy = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            far = max(np.float32(1), np.sqrt(dx * dx + dy * dy) / near)
            # What has lived for a moment is like all that paused then: it must not join them.
            shared = np.float32(min(ages[i], ages[j])) / np.float32(max(ages[i], ages[j]))
            out[i, j] = shared * np.exp(-steepness * worst * far)


class SpectralTrajectories(FlowClusterer):
    """Remembers how points have moved: what moved differently for a moment stays a part when it pauses.

    Parameters
    ----------
    spacing : int in [2, 200], pixels
        One point per square of that side is followed; less in small pictures, so that there are 400.
    length : int in [1, 1000], flows
        So far back motions are compared.
    steepness : float in (0, 100]
        How fast affinity falls with the squared difference of motions, in variances of the flow around.
    noise : float in (0, 100], pixels
        Standard deviation of flow where it is smooth.
    max_groups : int in [2, 50]
        There are no more groups than these, the background's own among them.
    floor : float in (0, 100], pixels
        Groups whose mean residual motion never exceeds it are background.
    min_share : float in [0, 1]
        Pieces of parts that cover less of the picture are dropped.
    seed : int in [0, 2**31)
        Of the first centres of k-means.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    It has a state: give it the flows of one video in order, and `reset` it before another; a flow of another size
    begins anew. Tracks end where motion changes abruptly (`motion_boundaries`, of half the threshold), where the flow
    is not valid, and outside of the picture. Affinity of two tracks is exp(-steepness d^2), times the shorter life
    over the longer, with d^2 the largest squared difference of their residual motions over the flows they share, over
    the local variance, times their distance in four spacings where that is more than 1. The number of groups is where
    the eigenvalues of the normalised affinity have their largest gap; k-means groups the rows of eigenvectors. Groups
    that move alike are joined; those that never moved faster than `ResidualThreshold`'s threshold are background.
    Every fourth pixel takes the part of the track that is nearest in place and motion.

    Time and memory grow with the square of the tracks: 4 bytes for each pair.

    References
    ----------
    T. Brox, J. Malik, Object segmentation by long term analysis of point trajectories, ECCV 2010,
    doi:10.1007/978-3-642-15555-0_21. P. Ochs, J. Malik, T. Brox, Segmentation of moving objects by long term video
    analysis, IEEE TPAMI 36 (2014), doi:10.1109/TPAMI.2013.242.

    Examples
    --------
    A square moves, and then pauses:

    >>> clusterer, flow = SpectralTrajectories(), np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> int(clusterer.segment(flow)[30, 45]), int(clusterer.segment(np.zeros_like(flow))[31, 51])
    (1, 1)
    """

    info = ModelInfo(
        paper="Brox, Malik 2010, Object segmentation by long term analysis, doi:10.1007/978-3-642-15555-0_21",
        speed="slow",
        good_at="things that move by fits and starts",
    )

    def __init__(
        self,
        *,
        spacing: int = 16,
        length: int = 10,
        steepness: float = 0.1,
        noise: float = 0.3,
        max_groups: int = 8,
        floor: float = 0.75,
        min_share: float = 0.0005,
        seed: int = 0,
    ) -> None:
        self.spacing = check_integer("spacing", spacing, 2, 200)
        self.length = check_integer("length", length, 1, 1000)
        self.steepness = check_number("steepness", steepness, 0, 100, above=True)
        self.noise = check_number("noise", noise, 0, 100, above=True)
        self.max_groups = check_integer("max_groups", max_groups, 2, 50)
        self.floor = check_number("floor", floor, 0, 100, above=True)
        self.min_share = check_number("min_share", min_share, 0, 1)
        self.seed = check_integer("seed", seed, 0, 2**31 - 1)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks; the next flow is the first."""
        self._shape: tuple[int, int] | None = None

    def _begin(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._cell = max(2, min(self.spacing, round((shape[0] * shape[1] / _LEAST) ** 0.5)))
        self._points = np.zeros((0, 2), np.float32)
        self._motions = np.zeros((0, self.length, 2), np.float32)
        self._spreads = np.ones((0, self.length), np.float32)
        self._ages = np.zeros(0, np.int64)
        self._limits = np.full(self.length, np.inf)

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        shape = (valid.shape[0], valid.shape[1])
        if self._shape != shape:
            self._begin(shape)
        if not valid.all():
            residual = np.where(valid[..., None], residual, 0)
        limit = motion_threshold(vector_lengths(residual), valid, self.floor)
        scale = limit if np.isfinite(limit) else self.floor
        outline = motion_boundaries(residual, steepness=min(100.0, 2 * np.log(2) / scale)) > 0.5
        self._follow(residual, valid & ~outline)
        self._limits = np.concatenate([[limit], self._limits[:-1]])
        parts = self._parts()
        labels = np.zeros(shape, np.int32)
        if parts.any():
            labels = self._dense(residual, parts, scale)
        self._advance(flow)
        return labels

    def _follow(self, residual: Flow, passable: npt.NDArray[np.bool_]) -> None:
        """Tracks that cannot go on end, others begin in empty cells, and all of them note their motion."""
        height, width = passable.shape
        grid_y, grid_x = np.mgrid[0 : height : self._cell, 0 : width : self._cell].astype(np.float32)
        middle = np.float32((self._cell - 1) // 2)
        fresh = np.stack(
            [np.minimum(grid_x + middle, width - 1).ravel(), np.minimum(grid_y + middle, height - 1).ravel()]
        )
        points = np.concatenate([self._points, fresh.T])
        at = np.rint(points).astype(np.intp)
        cells = at[:, 1] // self._cell * (width // self._cell + 1) + at[:, 0] // self._cell
        ages = np.concatenate([self._ages, np.zeros(fresh.shape[1], np.int64)])
        able = np.flatnonzero(passable[at[:, 1], at[:, 0]])
        order = able[np.lexsort((able, -ages[able]))]  # of those in one cell the oldest stays
        kept = np.sort(order[np.unique(cells[order], return_index=True)[1]])
        old = kept[kept < len(self._points)]
        size = len(kept)
        motions, spreads = np.zeros((size, self.length, 2), np.float32), np.ones((size, self.length), np.float32)
        motions[: len(old), 1:], spreads[: len(old), 1:] = self._motions[old, :-1], self._spreads[old, :-1]
        window = (2 * (self._cell // 2) + 1,) * 2
        smooth = cv2.blur(residual, window)
        variance = channel_sum((cv2.blur(residual * residual, window) - smooth * smooth).reshape(height, width, 2))
        x, y = at[kept].T
        motions[:, 0] = residual[y, x]
        spreads[:, 0] = np.maximum(variance[y, x], 0) + np.float32(self.noise**2)
        self._points, self._motions, self._spreads = points[kept], motions, spreads
        self._ages = np.minimum(ages[kept] + 1, self.length)

    def _advance(self, flow: Flow) -> None:
        x, y = np.rint(self._points).astype(np.intp).T
        self._points = self._points + flow[y, x]
        inside = ((self._points >= 0) & (self._points <= (flow.shape[1] - 1, flow.shape[0] - 1))).all(axis=1)
        self._points, self._motions = self._points[inside], self._motions[inside]
        self._spreads, self._ages = self._spreads[inside], self._ages[inside]

    def _parts(self) -> npt.NDArray[np.int64]:
        """The part of each track, 0 for the background."""
        n = len(self._points)
        if n < 3:
            return np.zeros(n, np.int64)
        near = np.float32(4 * self._cell)
        affinity = np.empty((n, n), np.float32)
        tracks = (self._points, self._motions, self._spreads, self._ages)
        run_strips(_affinities, n, *tracks, np.float32(self.steepness), near, affinity, pixels_per_unit=n * self.length)
        social = np.flatnonzero(affinity.sum(axis=1) > _LONELY)
        if len(social) < 3:
            return np.zeros(n, np.int64)
        groups = np.full(n, -1)
        with threadpool_limits(limits=1):  # more threads might change the result
            groups[social] = _spectral(affinity[np.ix_(social, social)], self.max_groups, self.seed)
        if len(social) < n:  # a lonely track goes with the one it is most like
            lonely = np.flatnonzero(groups < 0)
            groups[lonely] = groups[social[np.argmax(affinity[np.ix_(lonely, social)], axis=1)]]
        return self._moving(groups)

    def _moving(self, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """`groups` from 1 where they have moved; those that never moved differently are one."""
        values = np.unique(groups)
        means = np.zeros((len(values), self.length, 2))
        lived = np.arange(self.length) < self._ages[:, None]
        for i, value in enumerate(values):
            weight = lived & (groups == value)[:, None]
            enough = weight.sum(axis=0) >= max(1, 0.25 * np.count_nonzero(groups == value))
            total = (self._motions * weight[..., None]).sum(axis=0)
            means[i] = np.where(enough[:, None], total / np.maximum(weight.sum(axis=0), 1)[:, None], 0)
        speeds = np.hypot(means[..., 0], means[..., 1])
        moved = (speeds > self._limits).any(axis=1)
        limits = np.where(np.isfinite(self._limits), self._limits, self.floor)
        names = np.arange(1, len(values) + 1)
        for i in range(len(values)):
            for j in range(i):
                allowed = limits + 0.2 * np.maximum(speeds[i], speeds[j])
                apart = np.hypot(*(means[i] - means[j]).T)
                if moved[i] and moved[j] and (apart < allowed).all():
                    names[names == names[i]] = names[j]
        names[~moved] = 0
        return np.asarray(names[np.searchsorted(values, groups)], np.int64)

    def _dense(self, residual: Flow, parts: npt.NDArray[np.int64], scale: float) -> npt.NDArray[np.int32]:
        """`parts` of tracks at the pixels, (H, W)."""
        height, width = residual.shape[:2]
        step = max(1, min(_STEP, self._cell // 2))
        y, x = np.mgrid[0:height:step, 0:width:step]
        here = residual[::step, ::step].reshape(-1, 2) / scale
        asked = np.column_stack([x.ravel() / (2 * self._cell), y.ravel() / (2 * self._cell), here])
        known = np.column_stack([self._points / (2 * self._cell), self._motions[:, 0] / scale])
        found = parts[cKDTree(known).query(asked)[1]].reshape(x.shape)
        labels = np.repeat(np.repeat(found, step, axis=0), step, axis=1)[:height, :width]
        result = np.zeros((height, width), np.int32)
        for part in np.unique(parts[parts > 0]):
            mask = cv2.medianBlur((labels == part).astype(np.uint8), 5) > 0
            result[connected_parts(mask, self.min_share) > 0] = part
        return result


def _spectral(affinity: Floats, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Groups 0 .. K - 1 of N tracks by normalised spectral clustering, K where the eigenvalues have their gap."""
    n = len(affinity)
    most = min(most, n - 1)
    root = 1 / np.sqrt(affinity.sum(axis=1, dtype=np.float64))
    normal = affinity * root[:, None] * root
    if n <= max(_DENSE, most + 2):
        values, vectors = eigh(normal, subset_by_index=(n - most - 1, n - 1))
    else:
        try:
            values, vectors = eigsh(normal, k=most + 1, which="LA", v0=np.ones(n), tol=1e-3)
        except ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
    order = np.argsort(-values)
    values, vectors = values[order], vectors[:, order]
    if len(values) < 2:
        return np.zeros(n, np.int64)
    k = int(np.argmax(values[:-1] - values[1:])) + 1
    if k == 1:
        return np.zeros(n, np.int64)
    rows = vectors[:, :k] / np.maximum(np.linalg.norm(vectors[:, :k], axis=1), 1e-12)[:, None]
    return np.asarray(KMeans(n_clusters=k, n_init=4, random_state=seed).fit(rows).labels_, np.int64)
