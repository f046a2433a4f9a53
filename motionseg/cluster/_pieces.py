"""Layers into connected pieces; what is small or fits no layer joins the piece that it touches most."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel

__all__ = ["pieces_of"]


@kernel
def _connect(group, pieces, parent):
    """Number the 8-connected pieces of every group but 0, in order of their first pixels; how many there are."""
    rows, columns = group.shape
    n = 0
    for r in range(rows):
        for c in range(columns):
            k = group[r, c]
            pieces[r, c] = 0
            if k == 0:
                continue
            here = 0
            for i in range(4):  # left, and the three above
                rr, cc = (r, c - 1) if i == 0 else (r - 1, c + i - 2)
                if rr < 0 or cc < 0 or cc >= columns or group[rr, cc] != k:
                    continue
                there = pieces[rr, cc]
                while parent[there] != there:
                    parent[there] = parent[parent[there]]
                    there = parent[there]
                if here == 0:
                    here = there
                elif there < here:
                    parent[here] = there
                    here = there
                elif here < there:
                    parent[there] = here
            if here == 0:
                n += 1
                parent[n] = n
                here = n
            pieces[r, c] = here
    found = 0
    for i in range(1, n + 1):  # a parent's number is smaller than those of its children
        if parent[i] == i:
            found += 1
            parent[i] = found
        else:
            parent[i] = parent[parent[i]]
    for r in range(rows):
        for c in range(columns):
            if pieces[r, c]:
                pieces[r, c] = parent[pieces[r, c]]
    return found


@kernel
def _measure(group, pieces, area, group_of):
    """The area of every piece, and its group."""
    for r in range(pieces.shape[0]):
        for c in range(pieces.shape[1]):
            if pieces[r, c]:
                area[pieces[r, c]] += 1
                group_of[pieces[r, c]] = group[r, c]


@kernel
def _touch(pieces, solid, pairs):
    """Every contact of a pixel of a loose piece with one of a solid piece, as loose * len(solid) + solid; how many."""
    n = 0
    for r in range(pieces.shape[0]):
        for c in range(pieces.shape[1]):
            a = pieces[r, c]
            if a == 0:
                continue
            for i in range(2):  # below, and to the right
                rr, cc = r + 1 - i, c + i
                if rr == pieces.shape[0] or cc == pieces.shape[1]:
                    continue
                b = pieces[rr, cc]
                if b and solid[a] != solid[b]:
                    loose, firm = (b, a) if solid[a] else (a, b)
                    pairs[n] = np.int64(loose) * solid.size + firm
                    n += 1
    return n


def pieces_of(layer: npt.NDArray[np.uint8], groups: npt.NDArray[np.uint8], least: float) -> npt.NDArray[np.int32]:
    """Labels int32 (H, W), with gaps, of the connected pieces of at least `least` pixels.

    `groups` says for each value of `layer` to which group it belongs, 0 for none; the last is that of outliers, which
    are a piece of their own only where they touch no other.
    """
    table = np.zeros(256, np.uint8)
    table[: len(groups)] = groups
    group = cv2.LUT(layer, table)
    pieces, parent = np.empty(layer.shape, np.int32), np.empty(layer.size + 1, np.int32)
    n = _connect(group, pieces, parent)
    area, group_of = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.uint8)
    _measure(group, pieces, area, group_of)
    number = np.where(area >= least, np.arange(n + 1), 0).astype(np.int32)
    solid = (number > 0) & (group_of != groups[-1])
    pairs = np.empty(2 * layer.size, np.int64)
    contacts, times = np.unique(pairs[: _touch(pieces, solid, pairs)], return_counts=True)
    order = np.argsort(times, kind="stable")  # the longest contact has the last word
    for contact in contacts[order].tolist():
        number[contact // (n + 1)] = contact % (n + 1)
    return number[pieces]
