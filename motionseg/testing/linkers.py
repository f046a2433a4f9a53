"""Conformance checks of linkers: what all of them promise."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError, StateError
from motionseg.core.types import Regions, Tracks, TrackState
from motionseg.testing._common import check_parameters, raises, require, same_arrays
from motionseg.track.base import RegionLinker

__all__ = ["LINKER_CHECKS", "check_linker"]


def check_linker(linker: RegionLinker) -> None:
    """Run every check of `LINKER_CHECKS` on clones of `linker`.

    Raises
    ------
    AssertionError
        The first check that fails, with what was expected.

    Examples
    --------
    >>> from motionseg.track import KalmanIoU
    >>> check_linker(KalmanIoU())
    """
    for check in LINKER_CHECKS:
        check(linker)


def _walk(n: int, *, seed: int = 0) -> list[tuple[float, Regions]]:
    """`n` times and the regions of three objects on lanes of their own, unseen now and then, in random order."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(n):
        lanes = rng.permutation(3)[: 3 - (i % 11 == 10)]
        corner = np.stack([20 + (lanes + 1) * 2 * i, 60 * lanes + 10], axis=1) + rng.normal(0, 0.5, (len(lanes), 2))
        boxes = np.concatenate([corner, corner + np.array([30, 40])], axis=1).astype(np.float32)
        centroids = (boxes[:, :2] + boxes[:, 2:]) / 2
        colors = np.stack([lanes * 80] * 3, axis=1).astype(np.float32)
        columns = np.full(len(lanes), 1200), centroids, np.full(len(lanes), 0.9, np.float32), colors
        frames.append((i / 25, Regions(boxes, *columns)))
    return frames


def _follow(linker: RegionLinker, walk: Sequence[tuple[float, Regions]]) -> list[Tracks]:
    return [linker.update(regions, time) for time, regions in walk]


def _require_same_tracks(linker: RegionLinker, a: Sequence[Tracks], b: Sequence[Tracks], promise: str) -> None:
    same = all(x.time == y.time and same_arrays(_columns(x), _columns(y)) for x, y in zip(a, b, strict=True))
    require(same, linker, promise)


def _columns(tracks: Tracks | Regions) -> dict[str, npt.NDArray[Any]]:
    return {name: column for name, column in vars(tracks).items() if name != "time"}


def _check_tracks_contract(linker: RegionLinker) -> None:
    """Columns have the promised dtypes and lengths; ids are unique, start at 1 and never come back."""
    linker, gone, alive = linker.clone(), set[int](), set[int]()
    for time, regions in [*_walk(60), *((3 + i / 25, Regions()) for i in range(200)), *_later(_walk(30), 20)]:
        tracks, empty = linker.update(regions, time), Tracks()
        require(tracks.time == time, linker, "tracks carry the time they were asked for")
        for name, column in _columns(tracks).items():
            born = _columns(empty)[name]
            require(column.dtype == born.dtype, linker, f"{name} is {born.dtype}, not {column.dtype}")
            require(column.shape == (len(tracks), *born.shape[1:]), linker, f"{name} has a row per track")
        ids = set(tracks.ids.tolist())
        require(len(ids) == len(tracks) and min(ids, default=1) >= 1, linker, "ids are unique and start at 1")
        gone |= alive - ids
        require(not ids & gone, linker, "an id is never used twice")
        alive = ids
        seen = tracks.labels[tracks.labels > 0]
        require(len(set(seen.tolist())) == len(seen), linker, "a region belongs to one track at most")
        require(seen.max(initial=0) <= len(regions), linker, "labels are those of the regions")
        require(np.isfinite(tracks.boxes).all(), linker, "boxes are finite")
        require(np.isin(tracks.states, [int(s) for s in TrackState]).all(), linker, "states are codes of TrackState")
        occluded = tracks.states == TrackState.OCCLUDED
        require(not (occluded & (tracks.labels > 0)).any(), linker, "an occluded track has no region")
    require(gone, linker, "tracks that are never seen again end")


def _later(walk: Sequence[tuple[float, Regions]], seconds: float) -> list[tuple[float, Regions]]:
    return [(time + seconds, regions) for time, regions in walk]


def _check_ids_last(linker: RegionLinker) -> None:
    """Objects that keep apart keep their ids, though regions come in any order and are missed now and then."""
    linker, owners = linker.clone(), {}
    for time, regions in _walk(60):
        tracks = linker.update(regions, time).visible
        for track_id, label in zip(tracks.ids.tolist(), tracks.labels.tolist(), strict=True):
            lane = round(float(regions.colors[label - 1, 0]))
            require(owners.setdefault(track_id, lane) == lane, linker, "an object keeps its id")
    require(len(owners) == 3, linker, f"three objects give three confirmed tracks, not {len(owners)}")


def _check_regions_left_alone(linker: RegionLinker) -> None:
    """Regions are neither changed nor kept; tracks are the caller's."""
    walk, rude, answers = _walk(40), linker.clone(), []
    expected = _follow(linker.clone(), walk)
    for time, regions in walk:
        lent = Regions(**{name: column.copy() for name, column in _columns(regions).items()})
        tracks = rude.update(lent, time)
        require(same_arrays(_columns(lent), _columns(regions)), linker, "update() leaves the regions unchanged")
        answers.append(Tracks(tracks.time, **{name: column.copy() for name, column in _columns(tracks).items()}))
        for column in (*_columns(lent).values(), *_columns(tracks).values(), *rude.state().values()):
            column.fill(3)
    _require_same_tracks(linker, expected, answers, "regions are not kept, and tracks and states are copies")


def _check_linker_state(linker: RegionLinker) -> None:
    """A state, taken in mid-stream, continues bit for bit, ids too; bad ones are refused."""
    linker, walk = linker.clone(), [*_walk(40), *_later(_walk(20, seed=1), 5)]  # the later objects are new ones
    for n in (0, 33):
        linker.reset()
        _follow(linker, walk[:n])
        heir = linker.clone()
        heir.load_state(linker.state())
        with tempfile.TemporaryDirectory() as folder:
            linker.save(Path(folder) / "linker.npz")
            reader = type(linker).load(Path(folder) / "linker.npz")
        expected = _follow(linker, walk[n:])
        for other, way in ((heir, "load_state()"), (reader, "load()")):
            answers = _follow(other, walk[n:])
            _require_same_tracks(linker, expected, answers, f"it continues bit for bit after {way}")
    state = linker.state()
    for name in state:
        broken = {k: v for k, v in state.items() if k != name}
        require(raises(StateError, linker.load_state, broken), linker, f"a state without {name!r} is refused")
    require(same_arrays(state, linker.state()), linker, "a refused state changes nothing")


def _check_linker_reset(linker: RegionLinker) -> None:
    """After ``reset()`` a linker is as good as new; two of them know nothing of each other."""
    linker, other, walk = linker.clone(), linker.clone(), _walk(40)
    expected = _follow(linker, walk)
    linker.reset()
    answers = []
    for (time, regions), (_, others) in zip(walk, _walk(40, seed=3), strict=True):
        answers.append(linker.update(regions, time))
        other.update(others, time)
    _require_same_tracks(linker, expected, answers, "after reset(), beside another object, it is as good as new")


def _check_time_increases(linker: RegionLinker) -> None:
    """A time that does not increase is refused, and changes nothing."""
    linker, walk = linker.clone(), _walk(20)
    expected = _follow(linker.clone(), walk)
    answers = _follow(linker, walk[:10])
    for bad in (walk[9][0], 0.0, float("nan"), float("inf"), None):
        require(raises(ParameterError, linker.update, walk[10][1], bad), linker, f"time {bad} raises ParameterError")
    answers += _follow(linker, walk[10:])
    _require_same_tracks(linker, expected, answers, "a refused time leaves no trace")


def _check_camera_is_taken_off(linker: RegionLinker) -> None:
    """A camera that moves and zooms changes nobody's id, nor the velocity of what stands; a bad matrix is refused."""
    linker, rng = linker.clone(), np.random.default_rng(0)
    place = np.array([[50.0, 60], [150, 70], [250, 200]])
    owners: dict[int, int] = {}
    total = np.eye(3)
    for i in range(50):
        step = np.eye(3)
        if i:
            step[:2, :2] *= np.exp(rng.normal(0, 0.02))
            step[:2, 2] = rng.normal(0, 45, 2)
        total, order = step @ total, rng.permutation(3)
        corner = (place[order] @ total[:2, :2].T + total[:2, 2]).repeat(2, axis=0).reshape(-1, 2, 2)
        corner[:, 1] += np.array([30, 40]) * total[0, 0]
        boxes = corner.reshape(-1, 4).astype(np.float32)
        columns = np.full(3, 1200), corner.mean(axis=1).astype(np.float32), np.full(3, 0.9, np.float32)
        regions = Regions(boxes, *columns, np.zeros((3, 3), np.float32))
        bad = raises(ParameterError, lambda r=regions, t=i: linker.update(r, t / 25, camera=np.zeros((3, 3))))
        require(bad, linker, "a camera that cannot be inverted raises ParameterError")
        tracks = linker.update(regions, i / 25, camera=step).visible
        for track_id, label in zip(tracks.ids.tolist(), tracks.labels.tolist(), strict=True):
            owner = int(order[label - 1])
            require(owners.setdefault(track_id, owner) == owner, linker, "an object keeps its id when the camera moves")
    require(len(owners) == 3, linker, f"three objects give three tracks before a moving camera, not {len(owners)}")
    require(bool((np.abs(tracks.velocities) < 60).all()), linker, "what stands has no speed, though the camera moves")


def _drawn(walk: Sequence[tuple[float, Regions]]) -> list[tuple[float, Regions, dict[str, npt.NDArray[Any]]]]:
    """A walk with all that a linker may be given: labels, picture, flow, the motion of a camera that stands."""
    frames = []
    for time, regions in walk:
        labels, frame = np.zeros((200, 240), np.int32), np.full((200, 240, 3), 90, np.uint8)
        boxes = np.rint(regions.boxes).astype(int)
        for row, (x0, y0, x1, y1) in enumerate(boxes):
            labels[y0:y1, x0:x1], frame[y0:y1, x0:x1] = row + 1, regions.colors[row]
        features = np.eye(3, dtype=np.float32)[np.rint(regions.colors[:, 0] / 80).astype(int)]
        columns = {**_columns(regions), "boxes": boxes.astype(np.float32), "features": features}
        flow = np.zeros((200, 240, 2), np.float32)
        flow[..., 0] = 2 * np.repeat([1, 2, 3, 3], 60)[:200, None]
        more: dict[str, npt.NDArray[Any]] = {"labels": labels, "frame": frame, "flow": flow, "camera": np.eye(3)}
        frames.append((time, Regions(**columns), more))
    return frames


def _check_pixels(linker: RegionLinker) -> None:
    """All that it is given goes together; whose a pixel is agrees with the tracks; a state continues with pixels."""
    linker, owners, frames = linker.clone(), dict[int, int](), _drawn(_walk(28))
    for i, (time, regions, more) in enumerate(frames):
        lent = {name: array.copy() for name, array in more.items()}
        tracks = linker.update(regions, time, **lent)
        require(same_arrays(lent, more), linker, "update() leaves labels, frame, flow and camera unchanged")
        for track_id, label in zip(tracks.visible.ids.tolist(), tracks.visible.labels.tolist(), strict=True):
            lane = round(float(regions.colors[label - 1, 0]))
            require(owners.setdefault(track_id, lane) == lane, linker, "an object keeps its id, pixels or not")
        ids, labels = linker.identities(), more["labels"]
        if ids is not None:
            require(ids.shape == labels.shape and ids.dtype == np.int32, linker, "identities are int32, as labels are")
            alive = {0, *tracks.visible.ids.tolist()}
            require(set(np.unique(ids).tolist()) <= alive, linker, "identities are ids of tracks that are seen")
            require(not ids[labels == 0].any(), linker, "no pixel beside the regions belongs to a track")
        known = linker.known_foreground()
        fits = known is None or (known.dtype == np.bool_ and known.shape == labels.shape)
        require(fits, linker, "known_foreground() is None or bool, of the labels' shape")
        require(isinstance(linker.needs_background, bool), linker, "needs_background is a bool")
        if i == 14:
            heir = linker.clone()
            heir.load_state(linker.state())
    require(len(owners) == 3, linker, f"three objects give three confirmed tracks, not {len(owners)}")
    answers = [heir.update(regions, time, **more) for time, regions, more in frames[15:]]
    _require_same_tracks(linker, [tracks], answers[-1:], "with pixels, too, it continues bit for bit")


def _check_linker_memory(linker: RegionLinker) -> None:
    """Tracks that have ended leave nothing behind."""
    linker, sizes = linker.clone(), []
    for lap in range(40):
        _follow(linker, _later(_walk(20, seed=lap), 30 * lap))
        sizes.append(sum(array.nbytes for array in linker.state().values()))
    require(max(sizes[20:]) <= 2 * max(sizes[:5]), linker, f"its state is bounded, but grew from {sizes[0]} bytes")


LINKER_CHECKS: tuple[Callable[[RegionLinker], None], ...] = (
    _check_tracks_contract,
    check_parameters,
    _check_ids_last,
    _check_regions_left_alone,
    _check_linker_state,
    _check_linker_reset,
    _check_time_increases,
    _check_camera_is_taken_off,
    _check_pixels,
    _check_linker_memory,
)
"""The promises of linkers."""
