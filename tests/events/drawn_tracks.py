"""Tracks as the tests of events draw them: boxes by id."""

import numpy as np

from motionseg.core.types import Tracks, TrackState

SHAPE = (60, 100)


def box(x, y, w=6, h=12):
    """A box whose feet are at (x, y)."""
    return (x - w / 2, y - h, x + w / 2, y)


def tracks(time, boxes, *, states=None, velocities=None, scores=None, areas=None):
    """Tracks of `boxes`, {id: (x0, y0, x1, y1)}; the others {id: value} where they are not usual."""
    ids = list(boxes)
    n = len(ids)
    corners = np.array([boxes[i] for i in ids], np.float32).reshape(n, 4)
    state = np.array([(states or {}).get(i, TrackState.CONFIRMED) for i in ids], np.uint8)
    sizes = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    return Tracks(
        time,
        np.array(ids, np.int64),
        corners,
        np.where(state == TrackState.OCCLUDED, 0, np.arange(1, n + 1)).astype(np.int32),
        np.array(
            [(areas or {}).get(i, 0 if np.isnan(sizes[row]) else sizes[row]) for row, i in enumerate(ids)], np.int64
        ),
        np.array([(scores or {}).get(i, 0.9) for i in ids], np.float32),
        np.array([(velocities or {}).get(i, (0, 0)) for i in ids], np.float32).reshape(n, 2),
        state,
    )


def picture(boxes, shape=SHAPE):
    """The identities of boxes with whole corners; later ones lie in front."""
    ids = np.zeros(shape, np.int32)
    for number, (x0, y0, x1, y1) in boxes.items():
        ids[int(y0) : int(y1), int(x0) : int(x1)] = number
    return ids


def run(detector, frames, step=0.1, start=0.0):
    """All that a detector tells of `frames`: each is a dict of boxes, or (boxes, {keyword: value}).

    Keywords of :func:`tracks` go there, others to ``update``.
    """
    told = []
    for number, frame in enumerate(frames):
        boxes, words = frame if isinstance(frame, tuple) else (frame, {})
        time = start + number * step
        facts = {k: words[k] for k in ("states", "velocities", "scores", "areas") if k in words}
        rest = {k: v for k, v in words.items() if k not in facts}
        told += detector.update(tracks(time, boxes, **facts), time, **rest)
    return told


def begun(events):
    return [event for event in events if event.is_open]


def ended(events):
    return [event for event in events if not event.is_open]
