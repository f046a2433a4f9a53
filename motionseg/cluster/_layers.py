"""A mixture of motions that are smooth functions of the place, fitted to flow on a grid and judged at every pixel."""

from __future__ import annotations

from abc import abstractmethod

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.cluster._pieces import pieces_of
from motionseg.cluster.base import FlowClusterer
from motionseg.core.checks import check_integer, check_number
from motionseg.core.geometry import vector_lengths
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Flow, Frame

Array = npt.NDArray[np.float64]
Picture = npt.NDArray[np.float32]

# A motion is twelve numbers: u over 1, x, y, x^2, xy, y^2, then v. These are the powers.
_PX, _PY = np.array([0, 1, 0, 2, 1, 0]), np.array([0, 0, 1, 0, 1, 2])
_POINTS = 16_000  # of the grid, at least, if the picture has so many
_CELLS = (12, 5)  # along the longer side: where local motions are measured
_N_MOMENTS = 13  # sum of weights; w x^0..4; w u x^0..2; w v x^0..2; w misfit^2
_ROUNDS, _FREE_ROUNDS = 10, 2  # at most; the first are without neighbours
_SETTLED = 0.05  # noises: when no motion changes by more, it is done
_HOLD = 0.05 * np.array([0, 1, 1, 4, 4, 4] * 2, np.float64)  # points: how firmly terms are held to zero
_OUTLIERS = (0.01, 0.3)  # least and largest share of what fits no layer
_FAST = 0.98  # quantile of the speeds against the world: that of the fastest thing
_NOISE = 0.3  # of what counts as one motion: flow is no better
_REACH = 3  # noises within which a motion explains a point
_WORLD_BORDER, _WORLD_SIDE = 0.3, 0.6  # a layer with more of the border, or of one side, belongs to the world
_ALIKE = 0.5  # of a layer's speed: layers that differ by less are one thing


@kernel(inline=True, allocates=False)
def _along(m, h):
    """A motion along the row at height h: u = a0 + a1 x + a2 x^2, v = b0 + b1 x + b2 x^2."""
    a0, b0 = m[0] + h * (m[2] + h * m[5]), m[6] + h * (m[8] + h * m[11])
    return a0, m[1] + h * m[4], m[3], b0, m[7] + h * m[10], m[9]


@kernel
def _expect(start, stop, flow, known, x, y, motions, inverse, amount, pull, before, after, moments):
    """Rows start .. stop of the grid: the weights of every point, and the layers' moments of the row."""
    columns, layers = x.size, motions.shape[0]
    near, misfit = np.empty((layers, columns), np.float32), np.empty((layers, columns), np.float32)
    total = np.empty(columns, np.float32)
    one, last = np.float32(1), after.shape[0] - 1
    for r in range(start, stop):
        total[:] = 0
        for k in range(layers + 1):
            if k < layers:
                a0, a1, a2, b0, b1, b2 = _along(motions[k], y[r])
                for c in range(columns):
                    du = flow[0, r, c] - (a0 + x[c] * (a1 + x[c] * a2))
                    dv = flow[1, r, c] - (b0 + x[c] * (b1 + x[c] * b2))
                    d = du * du + dv * dv
                    t = one / (one + inverse[k] * d)
                    misfit[k, c], near[k, c] = d, t
                    after[r, k, c] = amount[k] * t * t
            else:
                after[r, k, :] = amount[k]
            if pull > 0:
                for c in range(columns):
                    n = np.float32(0)
                    if r > 0:
                        n += before[r - 1, k, c]
                    if r < last:
                        n += before[r + 1, k, c]
                    if c > 0:
                        n += before[r, k, c - 1]
                    if c < columns - 1:
                        n += before[r, k, c + 1]
                    after[r, k, c] *= np.exp(pull * n)
            for c in range(columns):
                total[c] += after[r, k, c]
        for c in range(columns):
            total[c] = known[r, c] / total[c]
        for k in range(layers + 1):
            for c in range(columns):
                after[r, k, c] *= total[c]
        for k in range(layers):
            s = w0 = w1 = w2 = w3 = w4 = u0 = u1 = u2 = v0 = v1 = v2 = e = 0.0
            for c in range(columns):
                q = after[r, k, c]
                w, z = np.float64(2 * q * near[k, c]), np.float64(x[c])
                wu, wv = w * flow[0, r, c], w * flow[1, r, c]
                s += q
                e += w * misfit[k, c]
                w0 += w
                u0 += wu
                v0 += wv
                w, wu, wv = w * z, wu * z, wv * z
                w1 += w
                u1 += wu
                v1 += wv
                w *= z
                w2 += w
                u2 += wu * z
                v2 += wv * z
                w *= z
                w3 += w
                w4 += w * z
            m = moments[r, k]
            m[0], m[1], m[2], m[3], m[4], m[5], m[12] = s, w0, w1, w2, w3, w4, e
            m[6], m[7], m[8], m[9], m[10], m[11] = u0, u1, u2, v0, v1, v2


@kernel
def _explain(start, stop, flow, known, x, y, motions, wide, explained):
    """Motions start .. stop: how well each explains every second point of the grid, from 0 to 1."""
    one, zero = np.float32(1), np.float32(0)
    for k in range(start, stop):
        for i in range(explained.shape[1]):
            a0, a1, a2, b0, b1, b2 = _along(motions[k], y[2 * i])
            for j in range(explained.shape[2]):
                z = x[2 * j]
                du = flow[0, 2 * i, 2 * j] - (a0 + z * (a1 + z * a2))
                dv = flow[1, 2 * i, 2 * j] - (b0 + z * (b1 + z * b2))
                explained[k, i, j] = known[2 * i, 2 * j] * max(zero, one - wide * (du * du + dv * dv))


@kernel
def _gain(start, stop, explained, best, gain):
    """Motions start .. stop: how much each explains that is not explained yet."""
    lanes = np.empty(explained.shape[2], np.float32)  # sums of columns: they vectorise
    for k in range(start, stop):
        lanes[:] = 0
        for i in range(explained.shape[1]):
            for j in range(lanes.size):
                lanes[j] += max(np.float32(0), explained[k, i, j] - best[i, j])
        total = 0.0
        for j in range(lanes.size):
            total += lanes[j]
        gain[k] = total


@kernel
def _decide(start, stop, flow, valid, x, y, motions, inverse, amount, votes, left, share, top, rise, layer):
    """Rows start .. stop of the picture: the likeliest layer of every pixel, the outliers' last, 255 unknown."""
    columns, layers = x.size, motions.shape[0]
    best, coarse = np.empty(columns, np.float32), np.empty(votes.shape[2], np.float32)
    one = np.float32(1)
    for r in range(start, stop):
        above, below, f = votes[top[r]], votes[top[r] + 1], rise[r]
        for k in range(layers + 1):
            for c in range(coarse.size):
                coarse[c] = amount[k] * (above[k, c] + f * (below[k, c] - above[k, c]))
            a0, a1, a2, b0, b1, b2 = _along(motions[min(k, layers - 1)], y[r])
            scale = inverse[k]  # 0 for the outliers, whom every motion suits alike
            for c in range(columns):
                du = flow[r, c, 0] - (a0 + x[c] * (a1 + x[c] * a2))
                dv = flow[r, c, 1] - (b0 + x[c] * (b1 + x[c] * b2))
                t = one / (one + scale * (du * du + dv * dv))
                j = left[c]
                p = t * t * (coarse[j] + share[c] * (coarse[j + 1] - coarse[j]))
                if k == 0 or p > best[c]:
                    best[c] = p
                    layer[r, c] = k
        for c in range(columns):
            if not valid[r, c]:
                layer[r, c] = 255


class LayeredClusterer(FlowClusterer):
    """Parts from a mixture of motions; a subclass says which of a motion's twelve numbers are free."""

    def __init__(
        self,
        *,
        layers: int = 5,
        floor: float = 0.7,
        contrast: float = 0.2,
        smoothness: float = 1.0,
        min_share: float = 0.002,
    ) -> None:
        self.layers = check_integer("layers", layers, 2, 12)
        self.floor = check_number("floor", floor, 0, 100, above=True)
        self.contrast = check_number("contrast", contrast, 0, 1)
        self.smoothness = check_number("smoothness", smoothness, 0, 5)
        self.min_share = check_number("min_share", min_share, 0, 0.5)

    @abstractmethod
    def _terms(self) -> Array:
        """How a motion's twelve numbers come from those that are free, (12, n)."""

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        grid = Grid(residual, valid)
        if grid.n == 0:
            return np.zeros(valid.shape, np.int32)
        mixture = Mixture(grid, self._terms(), self.floor, self.contrast, self.smoothness)
        mixture.start(self.layers, self.min_share)
        mixture.fit(self.min_share)
        groups = mixture.groups()
        return pieces_of(mixture.decide(residual, valid), groups, max(1.0, self.min_share * valid.size))


class Grid:
    """Every n-th pixel of a flow, at least `points` if there are so many, and where it is.

    Places are counted from the middle of the picture, in halves of its longer side.
    """

    def __init__(self, flow: Flow, valid: npt.NDArray[np.bool_], points: int = _POINTS) -> None:
        self.step = max(1, int(np.sqrt(valid.size / points)))
        every = slice(self.step // 2 if self.step // 2 < min(valid.shape) else 0, None, self.step)
        self.first = every.start
        self.flow = np.ascontiguousarray(flow[every, every].transpose(2, 0, 1), np.float32)
        self.known = np.ascontiguousarray(valid[every, every], np.float32)
        self.n = int(np.count_nonzero(self.known))
        self.shape = self.known.shape
        self.all_y, self.all_x = (
            ((np.arange(n) - (n - 1) / 2) * 2 / max(valid.shape)).astype(np.float32) for n in valid.shape
        )
        self.x, self.y = self.all_x[every].copy(), self.all_y[every].copy()


class Mixture:
    """Layers of motion in a grid of flow, and outliers that are anywhere in the range of the flow.

    A layer's flow is a polynomial `motions` (K, 12) of the place and a misfit of Student's distribution with two
    degrees of freedom in the plane, whose density (1 + d^2 / 2 s^2)^-2 / 2 pi s^2 needs no exponential, and whose
    heavy tails make the fit robust. `scales` (K,) are the layers' s, `shares` (K + 1,) their part of the picture.
    """

    def __init__(self, grid: Grid, terms: Array, floor: float, contrast: float, smoothness: float) -> None:
        self.grid, self.terms, self.pull = grid, terms, np.float32(smoothness)
        self._floor, self._contrast = floor, contrast
        spread = np.ptp(grid.flow[:, grid.known > 0], axis=1).astype(np.float64) + 2 * floor
        self._outlier_density = 1 / float(spread[0] * spread[1])
        self._powers = grid.y.astype(np.float64)[:, None] ** np.arange(5)

    def start(self, layers: int, min_share: float) -> None:
        """Begin with those local motions that explain, one after the other, most of what is left."""
        (fine, coarse), rough = _local_motions(self.grid), _noise(self.grid)
        self.tolerance, self.noise = self._floor, min(max(rough, _NOISE * self._floor), self._floor)
        world = np.concatenate([np.zeros((1, 12)), coarse])
        speed = self._speeds(world[self._best_of(self._explained(world), np.zeros(1, np.float32))[0]])
        fast = int(_FAST * (speed.size - 1))
        self.tolerance = max(self._floor, self._contrast * float(np.partition(speed, fast)[fast]))
        self.noise = min(max(rough, _NOISE * self.tolerance), self.tolerance)
        candidates = np.concatenate([world, fine])
        explained = self._explained(candidates)
        best, chosen = np.zeros(explained.shape[1:], np.float32), []
        least = min_share * max(1, np.count_nonzero(self.grid.known[::2, ::2]))
        while len(chosen) < layers:
            pick, gain = self._best_of(explained, best)
            if chosen and gain <= least:
                break
            chosen.append(pick)
            best = np.maximum(best, explained[pick])
        self.motions, self.scales = candidates[chosen], np.full(len(chosen), self.noise)
        share = explained[chosen].sum(axis=(1, 2), dtype=np.float64) + least + 1e-3
        self.shares = np.append(0.9 * share / share.sum(), 0.1)

    def fit(self, min_share: float) -> int:
        """Expect and maximise until the motions rest; layers alike or too small go. How many rounds it took."""
        rows, columns = self.grid.shape
        before = np.zeros((rows, len(self.motions) + 1, columns), np.float32)
        after = np.empty_like(before)
        for turn in range(1, _ROUNDS + 1):
            moments = self.expect(before, after, np.float32(0) if turn <= _FREE_ROUNDS else self.pull)
            before, after = after, before
            change = self._maximise(moments)
            kept = self._kept(min_share)
            if not kept.all():
                self.motions, self.scales = self.motions[kept], self.scales[kept]
                self._matrices, self._mass = self._matrices[kept], self._mass[kept]
                share = self.shares[:-1][kept]
                self.shares = np.append(share / share.sum() * (1 - self.shares[-1]), self.shares[-1])
                before = np.ascontiguousarray(before[:, np.append(kept, True)])
                after = np.empty_like(before)
            elif turn > _FREE_ROUNDS + 1 and change < _SETTLED * self.noise:
                break
        self.weights = before
        return turn

    def expect(self, before: Picture, after: Picture, pull: np.float32) -> Array:
        """Write the weights (rows, K + 1, columns) of all points into `after`; the moments (rows, K, 13)."""
        grid = self.grid
        moments = np.empty((grid.shape[0], len(self.motions), _N_MOMENTS))
        inputs = grid.flow, grid.known, grid.x, grid.y, *self._numbers(), pull, before, after, moments
        run_strips(_expect, grid.shape[0], *inputs, pixels_per_unit=4 * grid.shape[1])
        return moments

    def groups(self) -> npt.NDArray[np.uint8]:
        """Of each layer, the outliers' last, 0 if it is the world's, or the number of those that move alike."""
        weights = self.weights[:, :-1]
        sides = [weights[0].mean(axis=1), weights[-1].mean(axis=1)]
        sides += [weights[:, :, 0].mean(axis=0), weights[:, :, -1].mean(axis=0)]
        rows, columns = self.grid.shape
        border = np.average(sides, axis=0, weights=[columns, columns, rows, rows])
        world = int(np.argmax(border + self.shares[:-1]))
        away = [_difference(m, self.motions[world], a) for m, a in zip(self.motions, self._matrices, strict=True)]
        moving = (np.array(away) >= self.tolerance) & (border < _WORLD_BORDER) & (np.max(sides, axis=0) < _WORLD_SIDE)
        groups = np.where(moving, np.arange(1, len(moving) + 1), 0)
        for a in np.flatnonzero(moving):
            for b in np.flatnonzero(moving[:a]):
                small = a if self._mass[a] < self._mass[b] else b
                if _difference(self.motions[a], self.motions[b], self._matrices[small]) < _ALIKE * away[small]:
                    groups[groups == groups[a]] = groups[b]
        return np.append(groups, len(groups) + 1).astype(np.uint8)

    def decide(self, flow: Flow, valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
        """The layer of every pixel, uint8 (H, W); the outliers' is the last, and 255 is not known."""
        grid, layer = self.grid, np.empty(valid.shape, np.uint8)
        votes = np.pad(np.exp(4 * self.pull * self.weights), ((0, 1), (0, 0), (0, 1)), mode="edge")
        top, rise = _between(valid.shape[0], grid, grid.shape[0])
        left, share = _between(valid.shape[1], grid, grid.shape[1])
        inputs = flow, valid, grid.all_x, grid.all_y, *self._numbers(), votes, left, share, top, rise, layer
        run_strips(_decide, valid.shape[0], *inputs, pixels_per_unit=4 * valid.shape[1])
        return layer

    def _explained(self, motions: Array) -> Picture:
        grid = self.grid
        explained = np.empty((len(motions), (grid.shape[0] + 1) // 2, (grid.shape[1] + 1) // 2), np.float32)
        wide = np.float32(1 / (_REACH * self.noise) ** 2)
        inputs = grid.flow, grid.known, grid.x, grid.y, motions.astype(np.float32), wide, explained
        run_strips(_explain, len(motions), *inputs, pixels_per_unit=explained[0].size)
        return explained

    @staticmethod
    def _best_of(explained: Picture, best: Picture) -> tuple[int, float]:
        """Which motion adds most to `best`, and how much."""
        gain = np.empty(len(explained))
        best = np.broadcast_to(best, explained.shape[1:]).copy()
        run_strips(_gain, len(explained), explained, best, gain, pixels_per_unit=explained[0].size // 4)
        pick = int(gain.argmax())
        return pick, float(gain[pick])

    def _speeds(self, motion: Array) -> Picture:
        """Of all points that are known, the speed against `motion`, px, by the median of their neighbours."""
        m, x, y = motion.reshape(2, 6, 1, 1).astype(np.float32), self.grid.x, self.grid.y[:, None]
        there = m[:, 0] + x * (m[:, 1] + x * m[:, 3]) + y * (m[:, 2] + x * m[:, 4] + y * m[:, 5])
        residual = ((self.grid.flow - there) * self.grid.known).transpose(1, 2, 0)
        return cv2.medianBlur(vector_lengths(residual), 5)[self.grid.known > 0]

    def _numbers(self) -> tuple[Picture, Picture, Picture]:
        density = np.append(1 / (2 * np.pi * self.scales**2), self._outlier_density)
        inverse = np.append(0.5 / self.scales**2, 0)
        return tuple(a.astype(np.float32) for a in (self.motions, inverse, self.shares * density))

    def _maximise(self, moments: Array) -> float:
        """Motions, scales and shares from the moments of the rows; by how much a motion has changed, px."""
        sums = np.tensordot(moments, self._powers, axes=(0, 0))  # layer, moment, power of y
        matrices = sums[:, 1 + _PX[:, None] + _PX, _PY[:, None] + _PY]
        right = np.concatenate([sums[:, 6 + _PX, _PY], sums[:, 9 + _PX, _PY]], axis=1)
        both = np.zeros((len(sums), 12, 12))
        both[:, :6, :6] = both[:, 6:, 6:] = matrices
        normal = self.terms.T @ (both + np.diag(_HOLD + 1e-9)) @ self.terms
        found = np.linalg.solve(normal, (right @ self.terms)[..., None])[..., 0] @ self.terms.T
        change = max(_difference(a, b, m) for a, b, m in zip(found, self.motions, matrices, strict=True))
        self.motions, self._matrices, self._mass = found, matrices, sums[:, 0, 0]
        self.scales = np.sqrt(np.maximum(sums[:, 12, 0], 0) / (2 * self._mass + 1e-9))
        self.scales = np.clip(self.scales, self.noise, 2 * self.tolerance)
        outliers = float(np.clip(1 - self._mass.sum() / self.grid.n, *_OUTLIERS))
        share = self._mass + 1e-6
        self.shares = np.append((1 - outliers) * share / share.sum(), outliers)
        return change

    def _kept(self, min_share: float) -> npt.NDArray[np.bool_]:
        """Which layers go on: those large enough, and of two that move alike the larger."""
        order = np.argsort(-self._mass, kind="stable")
        kept = self._mass >= max(3.0, min_share * self.grid.n)
        kept[order[0]] = True
        for i, large in enumerate(order):
            for small in order[i + 1 :]:
                if kept[large] and kept[small]:
                    apart = _difference(self.motions[large], self.motions[small], self._matrices[small])
                    kept[small] = apart >= max(self.tolerance / 2, min(self.scales[small], self.scales[large]))
        return kept


def _difference(a: Array, b: Array, matrix: Array) -> float:
    """Root mean square of the difference of two motions over the place whose moments are `matrix` (6, 6), px."""
    d = (a - b).reshape(2, 6)
    return float(np.sqrt(max(0.0, float(((d @ matrix) * d).sum())) / (matrix[0, 0] + 1e-9)))


def _between(n: int, grid: Grid, points: int) -> tuple[npt.NDArray[np.int32], Picture]:
    """Of each of `n` pixels the point of the grid (of `points`) before it, and how far it is to the next."""
    at = np.clip((np.arange(n) - grid.first) / grid.step, 0, points - 1)
    return at.astype(np.int32), (at - at.astype(np.int32)).astype(np.float32)


def _local_motions(grid: Grid) -> tuple[Array, Array]:
    """Affine motions (N, 12) of the cells of a fine and of a coarse division."""
    x, y, one = grid.x, grid.y[:, None], grid.known
    u, v = grid.flow * one
    planes = [one, one * x, one * y, one * x * x, one * x * y, one * y * y]
    planes += [u, u * x, u * y, v, v * x, v * y]
    stack = np.stack(planes).astype(np.float64)
    found = []
    for n in _CELLS:
        cell = max(2, round(max(grid.shape) / n))
        rows, columns = np.arange(0, grid.shape[0], cell), np.arange(0, grid.shape[1], cell)
        s = np.add.reduceat(np.add.reduceat(stack, rows, axis=1), columns, axis=2).reshape(len(stack), -1)
        s = s[:, s[0] >= max(3, cell * cell / 4)]
        matrix = s[[0, 1, 2, 1, 3, 4, 2, 4, 5]].T.reshape(-1, 3, 3)
        right = s[6:12].T.reshape(-1, 2, 3)
        matrix = matrix + 1e-3 * np.diag([0, 1, 1]) * s[0][:, None, None] + 1e-9 * np.eye(3)
        fit = np.linalg.solve(matrix, right.transpose(0, 2, 1)).transpose(0, 2, 1)
        found.append(np.pad(fit, ((0, 0), (0, 0), (0, 3))).reshape(-1, 12))
    return found[0], found[1]


def _noise(grid: Grid) -> float:
    """The spread of the flow between neighbours of the grid, px, of which most are of one layer."""
    both = grid.known[:, 1:] * grid.known[:, :-1] > 0
    apart = np.abs(np.diff(grid.flow, axis=2)[:, both])
    return float(np.median(apart)) / (0.6745 * 2**0.5) if apart.size else 0.0
