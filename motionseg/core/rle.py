"""Masks and labels as COCO's compressed run lengths, in which COCO, YouTube-VIS and MOTS give their results.

Written here though pycocotools has it: that reads counts which do not cover their picture into memory that nobody
has set, and results come from any program; and a picture of labels takes it one pass for each label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError

__all__ = ["check_rle", "decode_labels", "decode_rle", "encode_labels", "encode_rle"]

Counts = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]  # that of core/types.py, which uses this file

_MAX_DIGITS = 8  # of 5 bits: more than any picture has pixels


def encode_rle(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Encode a mask.

    Parameters
    ----------
    mask : bool (H, W)

    Returns
    -------
    dict
        "size": [H, W], "counts": str; column by column, the number of pixels without, with, without, ...

    Raises
    ------
    FrameError
        `mask` is not such an array.

    Examples
    --------
    >>> encode_rle(np.array([[False, True], [True, True]]))
    {'size': [2, 2], 'counts': '13'}
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
        raise FrameError("a mask to encode is a bool array of shape (H, W)")
    return encode_labels(mask).get(1) or _rle(np.zeros(0, np.int64), mask.shape)


def decode_rle(rle: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Decode a mask of :func:`encode_rle` or pycocotools: bool (H, W).

    Raises
    ------
    FrameError
        `rle` is not a dict of that kind, or its counts do not cover its size.
    """
    (height, width), counts = _size(rle), _counts(rle)
    columns = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return np.ascontiguousarray(columns.reshape(width, height).T)


def encode_labels(labels: Labels | npt.NDArray[np.bool_]) -> dict[int, dict[str, Any]]:
    """Encode every label of a picture, in one pass however many there are.

    Parameters
    ----------
    labels : int array (H, W)
        0 is background.

    Returns
    -------
    dict
        For each label that has a pixel, in ascending order, what :func:`encode_rle` gives for its mask.

    Raises
    ------
    FrameError
        `labels` is not such an array.

    Examples
    --------
    >>> encode_labels(np.array([[0, 7], [7, 3]], np.int32))
    {3: {'size': [2, 2], 'counts': '31'}, 7: {'size': [2, 2], 'counts': '121'}}
    """
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "biu" or labels.ndim != 2:
        raise FrameError("labels to encode are an integer array of shape (H, W)")
    columns = labels.T.ravel()
    starts = np.flatnonzero(columns[1:] != columns[:-1]) + 1
    starts = np.concatenate([np.zeros(min(1, columns.size), np.int64), starts])
    runs = np.stack([starts, np.append(starts, columns.size)[1:]], axis=1)  # begin and end
    values = columns[starts]
    order = np.argsort(values, kind="stable")
    found, first = np.unique(values[order], return_index=True)
    by_label = zip(found.tolist(), np.split(runs[order], first[1:]), strict=False)
    return {int(label): _rle(of_label.ravel(), labels.shape) for label, of_label in by_label if label}


def decode_labels(rles: Mapping[int, Mapping[str, Any] | None], shape: tuple[int, int]) -> Labels:
    """Paint encoded masks into one picture of labels.

    Parameters
    ----------
    rles : dict
        The label of each mask; one that is None (unseen in this frame of a video) is left out. Where masks overlap,
        the later one is on top.
    shape : (H, W)
        Of the picture.

    Returns
    -------
    int32 (H, W)

    Raises
    ------
    FrameError
        A mask is damaged or of another size.
    """
    labels = np.zeros(shape, np.int32)
    for label, rle in rles.items():
        if rle is not None:
            if _size(rle) != tuple(shape):
                raise FrameError(f"the mask of label {label} has shape {_size(rle)}, the picture {tuple(shape)}")
            labels[decode_rle(rle)] = label
    return labels


def check_rle(rle: Any) -> tuple[int, int]:
    """(H, W) of an encoded mask that is sure to be whole; FrameError otherwise."""
    _counts(rle)
    return _size(rle)


def _size(rle: Any) -> tuple[int, int]:
    size = rle.get("size") if isinstance(rle, Mapping) else None
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(type(n) is int and n >= 0 for n in size):
        raise FrameError('an encoded mask is {"size": [H, W], "counts": "..."}')
    return size[0], size[1]


def _counts(rle: Any) -> Counts:
    """The run lengths of an encoded mask."""
    (height, width), counts = _size(rle), _unpacked(rle.get("counts"))
    if (counts < 0).any() or counts.sum() != height * width:
        raise FrameError(f"the counts of an encoded mask do not cover its {height} x {width} pixels")
    return counts


def _rle(edges: Counts, shape: tuple[int, ...]) -> dict[str, Any]:
    """Of the places, counted along the columns, where the mask begins, ends, begins, ..."""
    total = shape[0] * shape[1]
    counts = np.diff(edges, prepend=0, append=total)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    return {"size": [int(n) for n in shape], "counts": _packed(counts)}


def _packed(counts: Counts) -> str:
    """Numbers as text: from the fourth on their difference to the one before the last; digits of 5 bits, the lowest
    first, in characters from "0" on, with bit 5 for "goes on" and bit 4 of the last digit as its sign."""
    rest = counts.copy()
    rest[3:] -= counts[1:-2]
    characters = np.zeros((len(rest), _MAX_DIGITS), np.uint8)
    is_open = np.ones(len(rest), bool)
    for digit in range(_MAX_DIGITS):
        low = rest & 31
        rest >>= 5
        goes_on = is_open & (rest != -(low >> 4))
        characters[is_open, digit] = (low + 32 * goes_on + 48)[is_open]
        is_open = goes_on
        if not is_open.any():
            break
    return characters[characters > 0].tobytes().decode("ascii")


def _unpacked(text: Any) -> Counts:
    if isinstance(text, str):
        text = text.encode("ascii", "replace")
    if not isinstance(text, bytes):
        raise FrameError("the counts of an encoded mask are compressed to text")
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    is_last = digits < 32
    ends = np.flatnonzero(is_last) + 1
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    if not text or not is_last[-1] or digits.min() < 0 or digits.max() > 63 or (ends - starts).max() > _MAX_DIGITS:
        raise FrameError("the counts of an encoded mask are damaged")
    place = np.arange(len(digits)) - np.repeat(starts, ends - starts)
    counts = np.add.reduceat((digits & 31) << 5 * place, starts)
    counts -= (digits[ends - 1] >> 4 & 1) << 5 * (ends - starts)
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts
