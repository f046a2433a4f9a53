"""Part numbers that last: labels of one flow are matched with those of the flows before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from motionseg.core.checks import check_flow, check_integer, check_number
from motionseg.core.errors import FrameError
from motionseg.core.geometry import label_overlaps
from motionseg.core.params import Parametrized
from motionseg.core.types import Flow, Labels

__all__ = ["LabelIdentity"]


class LabelIdentity(Parametrized):
    """Keeps the numbers of parts from frame to frame: a part is who it was where the flow has carried it.

    Parameters
    ----------
    min_overlap : float in (0, 1]
        Intersection over union with the carried part below which it is another one.
    max_gap : int in [0, 1000], frames
        For so many frames in a row a part may be missing, and is carried on meanwhile.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Labels are assigned to carried parts one to one, so that the sum of the overlaps is largest. A part that splits
    keeps its number in the piece that overlaps more; numbers are never used twice until `reset`. 4 bytes per pixel.

    References
    ----------
    H. W. Kuhn, The Hungarian method for the assignment problem, Naval Research Logistics Quarterly 2 (1955),
    doi:10.1002/nav.3800020109.

    Examples
    --------
    >>> identity = LabelIdentity()
    >>> flow = np.zeros((1, 6, 2), np.float32)
    >>> flow[0, :2, 0] = 3
    >>> identity.update(np.array([[1, 1, 0, 0, 0, 0]], np.int32), flow)
    array([[1, 1, 0, 0, 0, 0]], dtype=int32)
    >>> identity.update(np.array([[1, 0, 0, 2, 2, 0]], np.int32), flow)
    array([[2, 0, 0, 1, 1, 0]], dtype=int32)
    """

    def __init__(self, *, min_overlap: float = 0.1, max_gap: int = 3) -> None:
        self.min_overlap = check_number("min_overlap", min_overlap, 0, 1, above=True)
        self.max_gap = check_integer("max_gap", max_gap, 0, 1000)
        self.reset()

    def reset(self) -> None:
        """Forget all parts; the next one is 1 again."""
        self._carried: Labels | None = None  # where the parts known are in the coming frame
        self._missing: dict[int, int] = {}  # frames since a part was seen last
        self._next = 1

    def update(self, labels: Labels, flow: Flow) -> Labels:
        """`labels` with numbers that last.

        Parameters
        ----------
        labels : int32 (H, W)
            0 background, 1..N the parts of this frame, as a `FlowClusterer` gives them for `flow`.
        flow : float32 (H, W, 2)
            Pixels, from this frame, whose labels these are, to the next.

        Returns
        -------
        int32 (H, W)
            0 where `labels` is 0; elsewhere numbers from 1 that stay with their parts, with gaps; the caller's.

        Raises
        ------
        FrameError
            Labels are not int32 (H, W) from 0, or `flow` is no flow of their size, or the size changed without
            `reset`. Nothing is changed then.
        """
        if not isinstance(labels, np.ndarray) or labels.dtype != np.int32 or labels.ndim != 2 or labels.size == 0:
            what = f"{labels.dtype} {labels.shape}" if isinstance(labels, np.ndarray) else type(labels).__name__
            raise FrameError(f"labels are an int32 array of shape (H, W), not {what}")
        if labels.min() < 0 or labels.max() > labels.size:
            raise FrameError(f"labels are 0, 1..N, not {labels.min()} to {labels.max()}")
        if self._carried is not None and self._carried.shape != labels.shape:
            raise FrameError(f"the labels have shape {labels.shape}, those before had {self._carried.shape}")
        flow = check_flow(flow, (labels.shape[0], labels.shape[1]))
        before = np.zeros(labels.shape, np.int32) if self._carried is None else self._carried
        at, there = _places(labels), _places(before)  # parts are small as a rule
        here = labels.ravel()[at]
        known, values = _present(before.ravel()[there]), _present(here)
        numbers = self._match(here, values, before.ravel(), at, there, known)
        lasting = np.zeros(int(labels.max()) + 1, np.int32)
        lasting[values] = numbers
        result = np.zeros(labels.shape, np.int32)
        result.ravel()[at] = lasting[here]
        self._missing = {int(n): 0 for n in numbers} | {
            int(n): self._missing.get(int(n), 0) + 1 for n in np.setdiff1d(known, numbers)
        }
        self._missing = {n: gap for n, gap in self._missing.items() if gap <= self.max_gap}
        waits = np.zeros(self._next, bool)
        waits[[n for n, gap in self._missing.items() if gap > 0]] = True
        staying = result
        if waits.any():
            held = there[(labels.ravel()[there] == 0) & waits[before.ravel()[there]]]
            staying = result.copy()
            staying.ravel()[held] = before.ravel()[held]
        self._carried = _carry(staying, flow)
        return np.asarray(result)

    def _match(
        self,
        here: npt.NDArray[np.int32],
        values: npt.NDArray[np.int32],
        before: npt.NDArray[np.int32],
        at: npt.NDArray[np.intp],
        there: npt.NDArray[np.intp],
        known: npt.NDArray[np.int32],
    ) -> npt.NDArray[np.int32]:
        """For each of `values` (N,) the number of `known` (M,) that it has, or a new one.

        `here` are the labels at the places `at`, where there are some; `before` the flat ones carried, some at `there`.
        """
        common = np.zeros((len(values) + 1, len(known) + 1))
        rows, columns = _dense(values), _dense(known)
        counts = label_overlaps(rows[here], columns[before[at]])
        common[: counts.shape[0], : counts.shape[1]] = counts
        carried = np.bincount(columns[before[there]], minlength=len(known) + 1)
        union = common.sum(axis=1)[1:, None] + carried[None, 1:] - common[1:, 1:]
        overlap = np.divide(common[1:, 1:], union, out=np.zeros_like(union), where=union > 0)
        overlap[overlap < self.min_overlap] = 0
        numbers = np.zeros(len(values), np.int32)
        for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[row, column] > 0:
                numbers[row] = known[column]
        fresh = np.flatnonzero(numbers == 0)
        numbers[fresh] = self._next + np.arange(len(fresh))
        self._next += len(fresh)
        return numbers


def _places(labels: Labels) -> npt.NDArray[np.intp]:
    """Where `labels`, made flat, are not 0."""
    return np.flatnonzero(labels != 0)  # four times as fast as of numbers


def _present(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The numbers above 0 that are in `labels`, in order."""
    return (np.flatnonzero(np.bincount(labels)[1:]) + 1).astype(np.int32)


def _dense(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """A table that takes 0 to 0, and the ascending `values` to 1, 2, 3 ..."""
    table = np.zeros(int(values.max(initial=0)) + 1, np.int32)
    table[values] = np.arange(1, len(values) + 1)
    return table


def _carry(labels: Labels, flow: Flow) -> Labels:
    """Where the pixels of parts are a flow later; of several that meet, the last in reading order."""
    height, width = labels.shape
    at = _places(labels)
    moved = np.rint(flow.reshape(-1, 2)[at] + np.stack([at % width, at // width], axis=1)).astype(np.int64)
    inside = ((moved >= 0) & (moved < (width, height))).all(axis=1)
    carried = np.zeros(labels.shape, np.int32)
    carried[moved[inside, 1], moved[inside, 0]] = labels.ravel()[at[inside]]
    return carried
