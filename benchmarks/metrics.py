"""How fast the measures are, as ratios against the official tools' way, in turns in one run.

    python benchmarks/metrics.py --data DIR --out benchmarks/results/metrics.json

J and F against the official DAVIS rule in straightforward numpy and cv2; HOTA, CLEAR and IDF1 against trackeval (pip
install --no-deps trackeval tabulate; its own requirement opencv-python would overwrite the contrib wheel), on the same
pairs. Each pair of figures is also compared: both sides must say the same.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _shared import Row, in_turns, missing, say, timed, write_rows

from motionseg.datasets import DAVIS2016
from motionseg.io import read_mot
from motionseg.metrics import (
    Trajectories,
    contour_accuracy,
    count_clear,
    count_hota,
    count_identity,
    pair_boxes,
    region_similarity,
)

Mask = np.ndarray


def plain_region_similarity(mask: Mask, truth: Mask) -> float:
    """J as its formula says."""
    union = np.sum(mask | truth)
    return float(np.sum(mask & truth) / union) if union else 1.0


def plain_contour_accuracy(mask: Mask, truth: Mask) -> float:
    """F as its rule says: boundary maps, dilated by a disk, counted."""
    radius = int(np.ceil(0.008 * np.hypot(*mask.shape)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    a, b = _boundary(mask), _boundary(truth)
    near_a, near_b = (cv2.dilate(edge.astype(np.uint8), disk) > 0 for edge in (a, b))
    n_a, n_b = int(a.sum()), int(b.sum())
    if not n_a or not n_b:
        return float(n_a == n_b)
    precision, recall = (a & near_b).sum() / n_a, (b & near_a).sum() / n_b
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _boundary(mask: Mask) -> Mask:
    east, south, corner = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    east[:, :-1], south[:-1], corner[:-1, :-1] = mask[:, 1:], mask[1:], mask[1:, 1:]
    edge = (mask ^ east) | (mask ^ south) | (mask ^ corner)
    edge[-1], edge[:, -1] = mask[-1] ^ east[-1], mask[:, -1] ^ south[:, -1]
    edge[-1, -1] = False
    return edge


def davis(args: argparse.Namespace) -> Iterable[Row]:
    """J and F on DAVIS masks, each frame's against the same moved by (-4, 3) pixels and against the first frame's."""
    root = Path(args.data) / "DAVIS"
    if not root.is_dir():
        yield from missing("davis", "DAVIS below --data")
        return
    for name in ("boat", "dog-agility", "motorbike", "flamingo"):
        sequence = DAVIS2016(root)[name]
        masks = [sequence.truth[i] > 0 for i in sequence.judged[::6]]
        for kind in ("moved", "first frame"):
            pairs = [(np.roll(m, (3, -4), (0, 1)) if kind == "moved" else masks[0], m) for m in masks]
            for what, ours, theirs in (
                ("J", region_similarity, plain_region_similarity),
                ("F", contour_accuracy, plain_contour_accuracy),
            ):
                assert all(abs(ours(a, b) - theirs(a, b)) < 1e-12 for a, b in pairs)
                a, b = in_turns(_over(ours, pairs), _over(theirs, pairs), args.rounds)
                facts = {"what": f"{what} / official rule in numpy", "masks": f"{name}, {kind}", "size": "854x480"}
                yield say({**facts, "ours_us": 1e6 * a / len(pairs), "theirs_us": 1e6 * b / len(pairs), "ratio": b / a})


def _over(measure: Callable[[Mask, Mask], float], pairs: list[tuple[Mask, Mask]]) -> Callable[[], None]:
    def run() -> None:
        for a, b in pairs:
            measure(a, b)

    return run


def crowd(n_frames: int = 600, n_tracks: int = 60, seed: int = 0) -> tuple[Trajectories, Trajectories]:
    """Boxes that walk about, and a tracker's: jittered, a tenth missing, ids that break now and then, false alarms."""
    rng, size = np.random.default_rng(seed), np.array([30, 70])
    start, step = rng.uniform(0, 900, (n_tracks, 2)), rng.uniform(-2, 2, (n_tracks, 2))
    frames, ids = (grid.ravel() for grid in np.mgrid[:n_frames, :n_tracks])
    corner = (start[ids] + frames[:, None] * step[ids]) % 1000
    boxes = np.hstack([corner, corner + size])
    found_ids = ids + n_tracks * (frames // 150 + (rng.random(n_tracks) * 4).astype(int)[ids])
    jitter = np.repeat(rng.normal(0, 3, (len(ids), 2)), 2, axis=0).reshape(-1, 4)
    kept = rng.random(len(ids)) < 0.9
    n_false = n_frames * 5
    places = rng.uniform(0, 1000, (n_false, 2))
    found = Trajectories(
        np.concatenate([frames[kept], np.arange(n_false) % n_frames]),
        np.concatenate([found_ids[kept], 10_000 + np.arange(n_false)]),
        np.concatenate([(boxes + jitter)[kept], np.hstack([places, places + size])]),
    )
    return Trajectories(frames, ids, boxes), found


def tracking(args: argparse.Namespace) -> Iterable[Row]:
    """HOTA, CLEAR and IDF1 together, from similarities that both sides are given."""
    try:
        import trackeval
    except ImportError:
        yield from missing("tracking", "trackeval")
        return
    quiet = {"PRINT_CONFIG": False}
    official = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(dict(quiet)), trackeval.metrics.Identity(dict(quiet))]
    for name, truth, found in _box_data(args):
        pairs, data = pair_boxes(truth, found), _for_trackeval(truth, found)

        def ours(pairs: Any = pairs) -> tuple[Any, ...]:
            return count_hota(pairs), count_clear(pairs), count_identity(pairs)

        def theirs(data: Any = data) -> list[Any]:
            return [metric.eval_sequence(data) for metric in official]

        mine, other = ours(), theirs()
        assert abs(mine[0].hota - other[0]["HOTA"].mean()) < 1e-6
        assert abs(mine[1].mota - other[1]["MOTA"]) < 1e-6
        assert abs(mine[2].idf1 - other[2]["IDF1"]) < 1e-6
        a, b = in_turns(ours, theirs, args.rounds)
        row = {"what": "HOTA + CLEAR + IDF1 / trackeval", "tracks": name, "ours_ms": 1e3 * a, "theirs_ms": 1e3 * b}
        pairing = min(timed(partial(pair_boxes, truth, found)) for _ in range(3))
        yield say({**row, "ratio": b / a, "pairing_ms": 1e3 * pairing})


def _box_data(args: argparse.Namespace) -> Iterable[tuple[str, Trajectories, Trajectories]]:
    for name in ("TUD-Campus", "TUD-Stadtmitte"):
        folder = Path(args.data) / "MOT" / name
        if folder.is_dir():
            tables = (read_mot(folder / f"{file}.txt") for file in ("gt", "test"))
            yield name, *(Trajectories(t.frames, t.ids, t.boxes) for t in tables)
    yield "crowd, 600 frames of 60", *crowd()


def _for_trackeval(truth: Trajectories, found: Trajectories) -> dict[str, Any]:
    """The plain form that trackeval's metrics take: ids from 0 and a matrix of IoU for each frame."""
    numbers = range(int(max(truth.frames.max(), found.frames.max())) + 1)
    truth_ids, found_ids = (np.unique(t.ids, return_inverse=True)[1] for t in (truth, found))
    data: dict[str, Any] = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    for number in numbers:
        a, b = truth.frames == number, found.frames == number
        data["gt_ids"].append(truth_ids[a])
        data["tracker_ids"].append(found_ids[b])
        data["similarity_scores"].append(_iou(np.asarray(truth.boxes)[a], np.asarray(found.boxes)[b]))
    data |= {"num_gt_ids": len(np.unique(truth.ids)), "num_tracker_ids": len(np.unique(found.ids))}
    return data | {"num_gt_dets": len(truth), "num_tracker_dets": len(found), "num_timesteps": len(numbers)}


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64)[:, None], b.astype(np.float64)[None]
    size = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    common = size[..., 0] * size[..., 1]
    areas = [(c[..., 2] - c[..., 0]) * (c[..., 3] - c[..., 1]) for c in (a, b)]
    return common / (areas[0] + areas[1] - common)


def main() -> None:
    """Measure both; print rows as they come; write them all to --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("MOTIONSEG_DATA", "."), help="folder of the datasets")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args()
    rows = [*davis(args), *tracking(args)]
    if args.out:
        write_rows(args.out, rows)


if __name__ == "__main__":
    main()
