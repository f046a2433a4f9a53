"""When things meet and part, and whether they are known again: for tracking.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from motionseg.core.geometry import label_overlaps

Labels = np.ndarray
Meeting = dict[int, tuple[int, int]]
"""Of each who is in it, the first and the last frame in one component with others."""
BEFORE, AFTER = 10, 15  # frames that each is by itself
_SETTLED = 5  # frames after the parting, from which on the new id counts
_LEAST = 5  # frames that a meeting lasts


def meetings_in(frames: Sequence[tuple[Labels, Labels]]) -> list[Meeting]:
    """All meetings of a scene, from the true ids of its pixels and the connected components, int (H, W) each.

    Two meet while pixels of both are in one component; whoever meets within `AFTER` frames is in the same meeting.
    Counted are meetings of five frames and more, before and after which every one is seen and by itself, for `BEFORE`
    and `AFTER` frames.
    """
    alone: set[tuple[int, int]] = set()
    met: list[Meeting] = []
    for frame, (truth, components) in enumerate(frames):
        for group in _groups(truth, components):
            if len(group) == 1:
                alone.add((group[0], frame))
                continue
            now: Meeting = dict.fromkeys(group, (frame, frame))
            joined = [m for m in met if any(k in m and frame - m[k][1] <= AFTER for k in group)]
            met = [m for m in met if not any(m is j for j in joined)]
            for k, (first, last) in (item for m in joined for item in m.items()):
                a, b = now.get(k, (first, last))
                now[k] = min(a, first), max(b, last)
            met.append(now)
    return [m for m in met if _whole(m, alone)]


def kept_meetings(met: Sequence[Meeting], truth: Sequence[Labels], known: Sequence[Labels]) -> list[bool]:
    """Of each meeting, whether all who were in it have the ids that they had before.

    A thing's id is that of most of its pixels, in the 10 frames before and in frames 5 to 15 after; no two have one.
    """
    kept = []
    for meeting in met:
        before, after = [], []
        for k, (first, last) in meeting.items():
            before.append(_id_of(k, range(first - BEFORE, first), truth, known))
            after.append(_id_of(k, range(last + _SETTLED, last + AFTER + 1), truth, known))
        kept.append(before == after and 0 not in before and len(set(before)) == len(before))
    return kept


def _groups(truth: Labels, components: Labels) -> list[list[int]]:
    """The ids of a frame, those together that share a component."""
    shares = label_overlaps(truth, components)[:, 1:] > 0
    seen = np.flatnonzero(shares.any(axis=1))
    seen = seen[seen > 0]
    n, group = connected_components(csr_array(shares[seen].astype(int) @ shares[seen].astype(int).T), directed=False)
    return [seen[group == g].tolist() for g in range(n)]


def _whole(meeting: Meeting, alone: set[tuple[int, int]]) -> bool:
    spans = meeting.values()
    if max(last for _, last in spans) - min(first for first, _ in spans) + 1 < _LEAST:
        return False
    return all(
        (k, frame) in alone
        for k, (first, last) in meeting.items()
        for frame in (*range(first - BEFORE, first), *range(last + 1, last + AFTER + 1))
    )


def _id_of(k: int, frames: range, truth: Sequence[Labels], known: Sequence[Labels]) -> int:
    """The id that most pixels of `k` have in these frames; 0 if that is none."""
    pixels = np.concatenate([known[frame][truth[frame] == k] for frame in frames])
    return int(np.bincount(pixels).argmax()) if pixels.size else 0
