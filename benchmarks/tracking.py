"""How well and how fast the linkers follow things: true and degraded boxes, crowds, meetings, speed, memory.

    python benchmarks/tracking.py all --data DIR --peer-python PYTHON --out benchmarks/results/tracking.json
    python benchmarks/tracking.py crowd meetings --linkers overlap,byte --scenes 1,2

Every linker of the catalogue takes part with its default parameters, and with --peer-python ByteTrack and OC-SORT of
the PyPI package `trackers` with theirs, on the same boxes in the same run; all are judged by motionseg.metrics.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from _meetings import kept_meetings, meetings_in
from _shared import Row, missing, say, write_rows

import motionseg
from motionseg import MotionSegmenter
from motionseg.background import Adaptive, Guarded
from motionseg.core import catalog
from motionseg.core.types import FOREGROUND, Regions, Tracks
from motionseg.datasets import MOT, Crowds
from motionseg.metrics import (
    Trajectories,
    count_clear,
    count_hota,
    count_identity,
    pair_boxes,
    pair_labels,
)
from motionseg.pipeline import Refined
from motionseg.regions import find_regions, measure_labels
from motionseg.track import RegionLinker

Labels = np.ndarray
PEERS = ("ByteTrack", "OC-SORT")


def linkers(args: argparse.Namespace) -> dict[str, RegionLinker]:
    """Those that take part, by their names in the catalogue."""
    return {name: catalog.find("track", name)() for name in args.linkers or catalog.names("track")}


def measures(pairs: Sequence[Any], n_runs: int = 1) -> Row:
    """HOTA, DetA, AssA, IDF1, MOTA and changes of identity (per run) of several sequences together."""
    hota, clear, identity = (reduce(add, map(count, pairs)) for count in (count_hota, count_clear, count_identity))
    parts = {name: hota.metrics()[name] for name in ("HOTA", "DetA", "AssA")}
    return {**parts, "IDF1": identity.idf1, "MOTA": clear.mota, "IDSW": clear.id_switches / n_runs}


# --- boxes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clip:
    """The boxes that are to be linked, frame by frame from 0, and what is true."""

    name: str
    truth: Trajectories
    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    n_frames: int
    fps: float

    def regions(self) -> Iterator[Regions]:
        """Of each frame."""
        for frame in range(self.n_frames):
            own = slice(*self.frames.searchsorted([frame, frame + 1]))
            boxes, scores = self.boxes[own].astype(np.float32), self.scores[own].astype(np.float32)
            areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).astype(np.int64)
            yield Regions(
                boxes, areas, (boxes[:, :2] + boxes[:, 2:]) / 2, scores, np.zeros((len(boxes), 3), np.float32)
            )


def degraded(clip: Clip, seed: int) -> Clip:
    """A detector's boxes: a fifth is missing, 5 % off in place and size, and every other frame has a false one."""
    rng = np.random.default_rng(seed)
    boxes, frames = clip.boxes.astype(float), clip.frames
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    seen = rng.random(len(boxes)) >= 0.2
    sizes = boxes[:, 2:] - boxes[:, :2]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 + 0.05 * sizes * rng.standard_normal((len(boxes), 2))
    noisy = sizes * (1 + 0.05 * rng.standard_normal((len(boxes), 2)))
    false = np.repeat(np.arange(clip.n_frames), rng.poisson(0.5, clip.n_frames))
    false_sizes, places = sizes[rng.integers(0, len(sizes), len(false))], rng.uniform(low, high, (len(false), 2))
    middles, noisy = np.concatenate([middles[seen], places]), np.concatenate([noisy[seen], false_sizes])
    scores = np.concatenate([rng.uniform(0.6, 0.95, seen.sum()), rng.uniform(0.3, 0.7, len(false))])
    frames = np.concatenate([frames[seen], false])
    order = np.argsort(frames, kind="stable")
    found = np.hstack([middles - noisy / 2, middles + noisy / 2]).astype(np.float32)
    return Clip(clip.name, clip.truth, frames[order], found[order], scores[order], clip.n_frames, clip.fps)


def link(linker: RegionLinker, clip: Clip) -> tuple[Trajectories, list[float]]:
    """What the linker makes of the boxes, and the seconds of every frame."""
    linker, rows, seconds = linker.clone(), [], []
    for frame, regions in enumerate(clip.regions()):
        began = time.perf_counter()
        tracks = linker.update(regions, frame / clip.fps)
        seconds.append(time.perf_counter() - began)
        seen = tracks.visible
        rows.append((np.full(len(seen), frame), seen.ids, seen.boxes))
    return Trajectories(*(np.concatenate(column) for column in zip(*rows, strict=True))), seconds


class Peers:
    """The trackers of `trackers`, in a process of their own."""

    def __init__(self, python: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        worker = str(Path(__file__).with_name("peer_tracks.py"))
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        self._process = subprocess.Popen([python, worker], text=True, env=environment, **pipes)

    def track(self, tracker: str, clip: Clip) -> tuple[Trajectories, list[float]]:
        """What one of them makes of the boxes, and the seconds of every frame."""
        given, taken = (str(Path(self._folder.name) / name) for name in ("given.npz", "taken.npz"))
        columns = {name: getattr(clip, name) for name in ("frames", "boxes", "scores", "n_frames", "fps")}
        np.savez(given, **columns)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tracker": tracker, "input": given, "output": taken}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("seconds "):
                with np.load(taken) as rows:
                    return Trajectories(rows["frames"], rows["ids"], rows["boxes"]), json.loads(line[8:])
        raise RuntimeError("the process of the peers ended")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


Method = Callable[[Clip], tuple[Trajectories, list[float]]]


def methods(args: argparse.Namespace) -> tuple[dict[str, Method], Callable[[], None]]:
    """Ours and the peers', by name, and what is to be called at the end."""
    found: dict[str, Method] = {
        name: lambda clip, linker=linker: link(linker, clip) for name, linker in linkers(args).items()
    }
    if not args.peer_python:
        return found, lambda: None
    peers = Peers(args.peer_python)
    return found | {p: lambda clip, p=p: peers.track(p, clip) for p in PEERS}, peers.close


def boxes(args: argparse.Namespace) -> Iterable[Row]:
    """HOTA, IDF1, MOTA, IDSW and microseconds a frame on the boxes of TUD-Campus and TUD-Stadtmitte."""
    if not (Path(args.data) / "MOT").is_dir():
        yield from missing("boxes", "MOT below --data")
        return
    clips = [_true_boxes(MOT(Path(args.data) / "MOT")[name]) for name in ("TUD-Campus", "TUD-Stadtmitte")]
    found, close = methods(args)
    for method in found.values():
        method(clips[0])  # kernels are compiled, both sides have seen their first boxes
    for kind, versions in (
        ("true", [lambda clip: clip]),
        ("degraded", [lambda clip, seed=seed: degraded(clip, seed) for seed in range(args.seeds)]),
    ):
        pairs: dict[tuple[str, str], list[Any]] = defaultdict(list)
        seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        for clip, version in itertools.product(clips, versions):
            given = version(clip)
            for name, method in found.items():
                tracks, times = method(given)
                for key in ((clip.name, name), ("both", name)):
                    pairs[key].append(pair_boxes(clip.truth, tracks, n_frames=clip.n_frames))
                    seconds[key] += times
        for sequence, name in sorted(pairs, key=lambda key: key[0]):
            row = {"what": "boxes", "boxes": kind, "sequence": sequence, "method": name}
            microseconds = 1e6 * statistics.median(seconds[sequence, name])
            yield say({**row, **measures(pairs[sequence, name], len(versions)), "us_per_frame": microseconds})
    close()


def _true_boxes(sequence: Any) -> Clip:
    columns: list[Any] = [(np.full(len(t.ids), i), t.ids, t.boxes) for i, t in sequence.truth.items()]
    frames, ids, found = (np.concatenate(column) for column in zip(*columns, strict=True))
    n, fps = len(sequence.truth), sequence.fps
    return Clip(sequence.name, Trajectories(frames, ids, found), frames, found, np.ones(len(frames)), n, fps)


# --- crowds and meetings --------------------------------------------------------------------------


class Shown(NamedTuple):
    """One frame: the true ids of pixels (uint8), the regions' numbers (uint8), and what is known of the regions."""

    truth: Labels
    labels: Labels
    regions: Regions
    frame: np.ndarray | None = None


def scenes(args: argparse.Namespace, category: str) -> Iterator[Any]:
    """The sequences of that category and the frames that are judged."""
    for number in args.scenes:
        sequence = Crowds()[f"{category}_{number}"]
        yield sequence, sequence.judged[: args.frames]


def exact(frame: np.ndarray, truth: Labels, rng: np.random.Generator) -> Shown:
    """Every visible mask is a region; their order says nothing."""
    ids = np.unique(truth)
    ids = ids[ids > 0]
    table = np.zeros(256, np.uint8)
    table[rng.permutation(ids)] = np.arange(1, len(ids) + 1)
    labels = table[truth]
    return Shown(truth.astype(np.uint8), labels, measure_labels(labels.astype(np.int32), frame=frame), frame)


def blobs(frame: np.ndarray, truth: Labels, background: np.ndarray) -> Shown:
    """Every connected component of all that is there is a region."""
    labels, regions = find_regions(np.where(truth > 0, 255, 0).astype(np.uint8), frame=frame, background=background)
    return Shown(truth.astype(np.uint8), labels.astype(np.uint8), regions, frame)


def followed(linker: RegionLinker, shown: Sequence[Shown], fps: float, seconds: list[float]) -> Iterator[Labels]:
    """Ids of pixels as the linker says, frame by frame; `seconds` get what each took."""
    linker = linker.clone()
    for i, (_, labels, regions, frame) in enumerate(shown):
        labels = labels.astype(np.int32)
        began = time.perf_counter()
        tracks = linker.update(regions, i / fps, labels=labels, frame=frame)
        seconds.append(time.perf_counter() - began)
        known = linker.identities()
        yield named(labels, tracks) if known is None else known


def named(labels: Labels, tracks: Tracks) -> Labels:
    """The id of the track that has each region."""
    ids, seen = np.zeros(int(labels.max(initial=0)) + 1, np.int32), tracks.visible
    ids[seen.labels] = seen.ids
    ids[0] = 0
    return ids[labels]


def crowd(args: argparse.Namespace) -> Iterable[Row]:
    """HOTA and IDF1 of masks, and milliseconds a frame, from exact masks of crowds."""
    pairs: dict[str, list[Any]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    for sequence, judged in scenes(args, "crowd"):
        rng = np.random.default_rng(0)
        shown = [exact(sequence.frames[i], sequence.truth[i], rng) for i in judged]
        for name, linker in linkers(args).items():
            times: list[float] = []
            found = pair_labels((s.truth for s in shown), followed(linker, shown, sequence.fps, times))
            pairs[name].append(found)
            seconds[name] += times
            say({"scene": sequence.name, "method": name, **measures([found])})
    for name, found in pairs.items():
        milliseconds = 1e3 * statistics.median(seconds[name])
        yield say({"what": "crowd", "method": name, **measures(found, len(found)), "ms_per_frame": milliseconds})


def meetings(args: argparse.Namespace) -> Iterable[Row]:
    """Share of meetings after which all have their ids of before, and HOTA; regions are blobs of who touch."""
    totals: dict[str, list[Any]] = defaultdict(list)
    for sequence, judged in scenes(args, "meeting"):
        shown = [blobs(sequence.frames[i], sequence.truth[i], sequence.background[i]) for i in judged]
        met = meetings_in([(s.truth, s.labels) for s in shown])
        for name, linker in linkers(args).items():
            known = [ids.astype(np.uint16) for ids in followed(linker, shown, sequence.fps, [])]
            kept = kept_meetings(met, [s.truth for s in shown], known)
            pairs = pair_labels((s.truth for s in shown), known)
            totals[name].append((sum(kept), len(kept), pairs))
            say({"scene": sequence.name, "method": name, "kept": sum(kept), "of": len(kept), **measures([pairs])})
    for name, parts in totals.items():
        kept, of, pairs = (list(column) for column in zip(*parts, strict=True))
        row = {"what": "meetings", "method": name, "kept": sum(kept), "of": sum(of)}
        yield say({**row, "share": sum(kept) / max(1, sum(of)), **measures(pairs, len(pairs))})


def segmented(args: argparse.Namespace) -> Iterable[Row]:
    """HOTA and IDF1 of the pixels that MotionSegmenter itself finds in the noisy frames; share of meetings kept.

    `ceiling` is the HOTA of the same pixels with true ids: what the best linker could reach. `refined`: with the masks
    of the refiner.
    """
    chosen: dict[str, Callable[[], MotionSegmenter]] = {
        "default": MotionSegmenter,
        "refined": lambda: MotionSegmenter(background=Refined(Guarded(Adaptive()))),
    }
    for name, linker in linkers(args).items() if args.linkers else ():
        chosen[name] = partial(_with, linker)
    for name, category in itertools.product(chosen, ("crowd", "meeting")):
        pairs, ceilings, kept = [], [], []
        for sequence, judged in scenes(args, category):
            segmenter = chosen[name]()
            truth, known, best, components = [], [], [], []
            for i in range(judged[-1] + 1):
                found = segmenter.step(sequence.frames[i], i / sequence.fps)
                if i >= judged[0]:
                    truth.append(sequence.truth[i].astype(np.uint8))
                    known.append(found.track_labels().astype(np.uint16))
                    best.append(with_true_ids(found.mask == FOREGROUND, truth[-1]))
                    components.append(find_regions(np.where(truth[-1] > 0, 255, 0).astype(np.uint8))[0])
            pairs.append(pair_labels(truth, known))
            ceilings.append(pair_labels(truth, best))
            own = kept_meetings(meetings_in(list(zip(truth, components, strict=True))), truth, known)
            kept += own
            scene = {"scene": sequence.name, "method": name, "kept": sum(own), "of": len(own)}
            say({**scene, **measures(pairs[-1:]), "ceiling": measures(ceilings[-1:])["HOTA"]})
        row = {"what": "segmented", "method": name, "scenes": category, **measures(pairs, len(pairs))}
        row["ceiling"] = measures(ceilings)["HOTA"]
        yield say({**row, "kept": sum(kept), "of": len(kept)})


def _with(linker: RegionLinker) -> MotionSegmenter:
    return MotionSegmenter(linker=linker.clone())


def with_true_ids(mask: np.ndarray, truth: Labels) -> Labels:
    """Every pixel of the mask with the true id that is nearest."""
    if not truth.any():
        return np.zeros_like(truth)
    free = (truth == 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    owner = np.zeros(int(nearest.max()) + 1, truth.dtype)
    owner[nearest[truth > 0]] = truth[truth > 0]
    return np.where(mask, owner[nearest], 0)


# --- speed and memory -----------------------------------------------------------------------------


def drawn(n: int, n_frames: int, size: tuple[int, int] = (1280, 720)) -> tuple[Clip, list[Shown]]:
    """`n` ellipses and rectangles that go about; nearer ones hide others, and one in twenty is missed each frame."""
    rng, width, height = np.random.default_rng(n), *size
    sides = rng.uniform(14, 40, (n, 2))
    middles, steps = rng.uniform((0, 0), size, (n, 2)), rng.uniform(-4, 4, (n, 2))
    colors = rng.integers(20, 236, (n + 1, 3)).astype(np.uint8)
    columns: list[Any] = []
    shown = []
    for frame in range(n_frames):
        picture = np.zeros((height, width), np.int32)
        for k in np.flatnonzero(rng.random(n) >= 0.05).tolist():
            (x, y), (a, b) = middles[k].tolist(), (sides[k] / 2).tolist()
            if k % 2:
                cv2.ellipse(picture, ((x, y), (2 * a, 2 * b), 0), k + 1, -1)
            else:
                cv2.rectangle(picture, (int(x - a), int(y - b)), (int(x + a), int(y + b)), k + 1, -1)
        steps = np.where((middles < 0) | (middles > size), np.sign(np.array(size) / 2 - middles) * np.abs(steps), steps)
        middles = middles + steps
        ids = np.unique(picture)[1:]
        labels = np.searchsorted(ids, picture) + 1
        labels[picture == 0] = 0
        regions = measure_labels(labels.astype(np.int32), frame=colors[picture])
        columns.append((np.full(len(ids), frame), ids, regions.boxes))
        shown.append(Shown(picture, labels.astype(np.int16), regions))
    frames, numbers, found = (np.concatenate(column) for column in zip(*columns, strict=True))
    truth = Trajectories(frames, numbers, found)
    return Clip(f"{n} drawn", truth, frames, found, np.full(len(frames), 0.9), n_frames, 25.0), shown


def speed(args: argparse.Namespace) -> Iterable[Row]:
    """Milliseconds of an update at 10 to 500 regions a frame, one thread: from labels, and from boxes alone.

    The peers take boxes; ratios are OC-SORT's time to that of the method, above 1: the method is faster.
    """
    motionseg.set_num_threads(1)
    cv2.setNumThreads(1)
    n_frames = args.frames or 40
    settled = min(10, n_frames // 2)  # from here on tracks are believed
    from_boxes, close = methods(args)
    for n in args.regions:
        clip, shown = drawn(n, n_frames)
        times: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"ms": [], "boxes_ms": []})
        for turn in range(args.rounds + 1):  # the first is not timed
            for name, linker in linkers(args).items():
                seconds: list[float] = []
                for _ in followed(linker, shown, clip.fps, seconds):
                    pass
                times[name]["ms"] += seconds[settled:] if turn else []
            for name, method in from_boxes.items():
                times[name]["boxes_ms"] += method(clip)[1][settled:] if turn else []
        medians = {
            name: {kind: 1e3 * statistics.median(seconds) for kind, seconds in kinds.items() if seconds}
            for name, kinds in times.items()
        }
        for name, found in medians.items():
            row = {"what": "speed", "regions": n, "method": name, **found}
            if args.peer_python:
                peer = medians["OC-SORT"]["boxes_ms"]
                row |= {kind.replace("ms", "ocsort_ratio"): peer / taken for kind, taken in found.items()}
            yield say(row)
    close()


def memory(args: argparse.Namespace) -> Iterable[Row]:
    """Bytes of the state and of the process after 1,000, 10,000 and 100,000 frames with births and deaths."""
    counts = [count for count in (1_000, 10_000, 100_000) if count <= (args.frames or 100_000)] or [args.frames]
    for name in linkers(args):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            for row in process.submit(_remembered, name, counts).result():
                yield say(row)


def _remembered(name: str, counts: list[int]) -> list[Row]:
    """The rows of one linker, in a process of its own."""
    linker, rng, rows = catalog.find("track", name)(), np.random.default_rng(0), []
    width, height, n = 160, 120, 8
    places, steps, looks = np.full((n, 2), np.nan), np.zeros((n, 2)), np.zeros((n, 8), np.float32)
    last = 0
    for frame in range(1, counts[-1] + 1):
        gone = ~((places > -10) & (places < (width, height))).all(axis=1)  # NaN too
        places[gone], steps[gone] = (
            rng.uniform((0, 0), (width, height), (gone.sum(), 2)),
            rng.normal(0, 2, (gone.sum(), 2)),
        )
        looks[gone] = rng.random((gone.sum(), 8))
        labels, corners = np.zeros((height, width), np.int32), np.rint(places).astype(int)
        for k, (x, y) in enumerate(corners.tolist()):
            if rng.random() > 0.05:
                labels[max(y, 0) : max(y + 18, 0), max(x, 0) : max(x + 10, 0)] = k + 1
        ids = np.unique(labels)[1:]
        labels = (np.searchsorted(ids, labels) + 1).astype(np.int32) * (labels > 0)
        measured = measure_labels(labels)
        features = looks[ids - 1] / np.linalg.norm(looks[ids - 1], axis=1, keepdims=True)
        columns = measured.boxes, measured.areas, measured.centroids, measured.scores, measured.colors
        tracks = linker.update(Regions(*columns, features.astype(np.float32)), frame / 25, labels=labels)
        last = max(last, int(tracks.ids.max(initial=0)))
        places += steps
        if frame in counts:
            state = sum(array.nbytes for array in linker.state().values())
            row = {"what": "memory", "method": name, "frames": frame, "ids": last, "state_bytes": state}
            rows.append({**row, "rss_bytes": _resident()})
    return rows


def _resident() -> int:
    """Bytes of this process in memory; where the system does not say, the most there ever were."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


FIGURES: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {
    f.__name__: f for f in (boxes, crowd, meetings, segmented, speed, memory)
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; print rows as they come; write them all to --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(word) for word in text.split(",")]  # noqa: E731
    parser.add_argument("figures", nargs="+", choices=[*FIGURES, "all"])
    parser.add_argument("--linkers", type=lambda text: text.split(","), help="names; default: all of the catalogue")
    parser.add_argument("--scenes", default="1,2,3,4", type=numbers, help="of crowds and of meetings")
    parser.add_argument("--frames", type=int, help="at most so many of a scene or clip")
    parser.add_argument("--seeds", type=int, default=5, help="of degraded boxes")
    parser.add_argument("--regions", default="10,50,200,500", type=numbers, help="a frame, of `speed`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default=os.environ.get("MOTIONSEG_DATA", "."), help="folder of the datasets")
    parser.add_argument("--peer-python", help="a Python in which `import trackers` works")
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in FIGURES if "all" in args.figures else args.figures:
        rows += FIGURES[name](args)
        if args.out:
            write_rows(args.out, rows)


if __name__ == "__main__":
    main()
