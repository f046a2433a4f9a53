"""Overlaps of boxes and of masks, and motions of the plane: what several rooms need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.core.types import Boxes, Flow, Labels

__all__ = [
    "box_areas",
    "box_intersections",
    "box_iou",
    "label_overlaps",
    "mask_iou",
    "transform_flow",
    "vector_lengths",
]

_ROWS = 32  # that are worked on at once: they fit the processor's cache


def box_areas(boxes: Boxes) -> npt.NDArray[np.float32]:
    """Areas in px2, float32 (N,), of boxes (N, 4); an inside-out box has area 0.

    Examples
    --------
    >>> box_areas(np.array([[0, 0, 4, 2.5]], np.float32))
    array([10.], dtype=float32)
    """
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(size[:, 0] * size[:, 1])


def box_intersections(a: Boxes, b: Boxes) -> npt.NDArray[np.float32]:
    """Common areas in px2, float32 (N, M), of boxes `a` (N, 4) and `b` (M, 4)."""
    sides = []
    for low, high in ((0, 2), (1, 3)):  # x, then y
        side = np.minimum.outer(a[:, high], b[:, high])
        side -= np.maximum.outer(a[:, low], b[:, low])
        sides.append(np.maximum(side, 0, out=side))
    return np.asarray(np.multiply(sides[0], sides[1], out=sides[0]))


def box_iou(a: Boxes, b: Boxes) -> npt.NDArray[np.float32]:
    """Intersection over union in [0, 1], float32 (N, M); 0 where both boxes are empty.

    Examples
    --------
    >>> box_iou(np.array([[0, 0, 2, 2]], np.float32), np.array([[1, 0, 3, 2]], np.float32)).round(3)
    array([[0.333]], dtype=float32)
    """
    common = box_intersections(a, b)
    union = box_areas(a)[:, None] + box_areas(b)[None, :] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def mask_iou(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Intersection over union in [0, 1] of two bool masks of one shape; 1 if both are empty."""
    union = int(np.count_nonzero(a | b))
    return 1.0 if union == 0 else int(np.count_nonzero(a & b)) / union


def label_overlaps(a: Labels, b: Labels) -> npt.NDArray[np.int64]:
    """Common pixels, int64 (max(a) + 1, max(b) + 1), of every pair of labels; row and column 0 are background.

    Examples
    --------
    >>> label_overlaps(np.array([[0, 1, 1]], np.int32), np.array([[0, 1, 2]], np.int32))
    array([[1, 0, 0],
           [0, 1, 1]])
    """
    rows, columns = int(a.max(initial=0)) + 1, int(b.max(initial=0)) + 1
    pairs = a.ravel().astype(np.int64) * columns + b.ravel()
    return np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)


def transform_flow(transform: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Flow:
    """The flow of a frame of `shape` (H, W, ...) all of whose pixels (x, y, 1) `transform` (3, 3) moves.

    Examples
    --------
    >>> transform_flow(np.array([[1, 0, 2], [0, 1, 0], [0, 0, 1]], float), (1, 2)).tolist()
    [[[2.0, 0.0], [2.0, 0.0]]]
    """
    x, y = np.arange(shape[1], dtype=np.float64), np.arange(shape[0], dtype=np.float64)[:, None]
    flow = np.empty((*shape[:2], 2), np.float32)
    along = transform[:, :1] * x + transform[:, 2:]  # what is the same in all rows
    for start in range(0, shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        u, v, w = (along[i] + transform[i, 1] * y[rows] for i in range(3))
        scale = 1 / w
        flow[rows, :, 0] = u * scale - x
        flow[rows, :, 1] = v * scale - y[rows]
    return flow


def vector_lengths(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Lengths, float32 (...), of vectors (..., 2) such as those of a flow.

    Examples
    --------
    >>> vector_lengths(np.array([[3, 4], [0, 0]], np.float32))
    array([5., 0.], dtype=float32)
    """
    # Not cv2.magnitude: its last bit depends on where in memory the vectors lie.
    u, v = vectors[..., 0], vectors[..., 1]
    squares = u * u
    squares += v * v
    return np.asarray(np.sqrt(squares, out=squares))
