"""How fast motionseg segments before a camera that moves: frames a second, and where the time goes.

    python benchmarks/moving.py all --out benchmarks/results/moving.json
    python benchmarks/moving.py methods --data DIR --threads 1,2

Every figure is a median over the steps of a clip that is played to and fro; methods take turns at each step, and all
have seen the clip before. With --data the clip is DAVIS car-turn, else one that the script draws.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _shared import Row, say, timed, write_rows

import motionseg
from motionseg.background.base import BackgroundModel
from motionseg.camera import fit_flow
from motionseg.cluster import LabelIdentity, QuadraticLayers
from motionseg.flow import FlowEstimator, OpenCVDIS
from motionseg.pipeline import Clustered, FlowFused, NaiveFlow

Frames = list[np.ndarray]


def footage(width: int, height: int, n: int, seed: int = 0) -> Frames:
    """`n` BGR frames of a textured world before a camera that pans, turns and zooms, and two things in it."""
    rng = np.random.default_rng(seed)

    def texture(*size: int) -> np.ndarray:
        noise = rng.normal(0, 1, (*size, 3)).astype(np.float32)
        coarse = cv2.GaussianBlur(cv2.resize(noise, None, fx=0.25, fy=0.25), (0, 0), 2)
        fine = cv2.GaussianBlur(noise, (0, 0), 1)
        return 128 + 120 * fine + 400 * cv2.resize(coarse, noise.shape[1::-1], interpolation=cv2.INTER_CUBIC)

    world = texture(2 * height, 2 * width)
    things = texture(height // 3, height // 3), texture(height // 4, height // 2)
    frames = []
    for i in range(n):
        turn = cv2.getRotationMatrix2D((width, height), 0.2 * i, 1 + 0.003 * i)
        turn[:, 2] += -0.5 * width + 3 * i, -0.5 * height + i
        frame = cv2.warpAffine(world, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        places = ((0.3 * width - 4 * i, 0.15 * height), (0.6 * width - 3 * i, 0.6 * height - i))
        for thing, (x, y) in zip(things, places, strict=True):
            shift = np.array([[1, 0, x], [0, 1, y]])
            there = cv2.warpAffine(np.ones(thing.shape[:2], np.uint8), shift, (width, height), flags=cv2.INTER_NEAREST)
            frame[there > 0] = cv2.warpAffine(thing, shift, (width, height))[there > 0]
        frames.append((frame + 2 * rng.standard_normal(frame.shape, np.float32)).clip(0, 255).astype(np.uint8))
    return frames


def clips(args: argparse.Namespace) -> Iterator[tuple[str, Frames]]:
    """What is segmented, by name."""
    if args.data:
        with motionseg.open_video(Path(args.data) / "DAVIS/JPEGImages/480p/car-turn") as video:
            yield "DAVIS car-turn", [frame for _, _, frame in itertools.islice(video, args.frames)]
        return
    for width, height in args.sizes:
        yield "drawn", footage(width, height, args.frames)


def to_and_fro(frames: Frames) -> Frames:
    """The frames, and back again, so that they can be played for ever."""
    return [*frames, *frames[-2:0:-1]]


class Known(FlowEstimator):
    """An estimator whose answers are kept, so that all but the flow can be timed."""

    def __init__(self) -> None:
        self._kept: dict[bytes, np.ndarray] = {}

    def estimate(self, previous: np.ndarray, current: np.ndarray) -> np.ndarray:
        """As OpenCVDIS says."""
        key = previous[::16, ::16].tobytes() + current[::16, ::16].tobytes()
        if key not in self._kept:
            self._kept[key] = OpenCVDIS().estimate(previous, current)
        return self._kept[key]

    def _estimate(self, previous: np.ndarray, current: np.ndarray) -> np.ndarray:
        raise AssertionError("unreachable")


def set_threads(n: int) -> None:
    """Ours and OpenCV's."""
    motionseg.set_num_threads(n)
    cv2.setNumThreads(n)


def medians(steps: Sequence[Any], works: dict[str, Callable[[Any], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each of the `works` on a step; all take turns at each, after a round that is not timed."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for i in range(rounds + 1):
        for step in steps:
            for name, work in works.items():
                seconds = timed(lambda work=work, step=step: work(step))
                times[name] += [seconds] if i else []
    return {name: 1e3 * statistics.median(seconds) for name, seconds in times.items()}


def methods(args: argparse.Namespace) -> Iterable[Row]:
    """Milliseconds and frames a second of whole methods; `rest_ms` is without the flow."""
    for (name, frames), n in itertools.product(clips(args), args.threads):
        set_threads(n)
        known = Known()
        models: dict[str, Callable[[FlowEstimator], BackgroundModel]] = {
            "flow, camera, quadratic layers, labels": lambda flow: Clustered(QuadraticLayers(), estimator=flow),
            "flow_fused": lambda flow: FlowFused(estimator=flow),
            "naive_flow": lambda flow: NaiveFlow(estimator=flow),
        }
        works = {what: made(OpenCVDIS()).apply for what, made in models.items()}
        works |= {f"{what} rest": made(known).apply for what, made in models.items()}
        found = medians(to_and_fro(frames), works, args.rounds)
        for what in models:
            size = f"{frames[0].shape[1]}x{frames[0].shape[0]}"
            row = {"what": what, "clip": name, "size": size, "threads": n, "ms": found[what]}
            yield say({**row, "frames_per_s": 1e3 / found[what], "rest_ms": found[f"{what} rest"]})


def stages(args: argparse.Namespace) -> Iterable[Row]:
    """Milliseconds of the stages, each by itself."""
    estimator, clusterer = OpenCVDIS(), QuadraticLayers()
    for (name, frames), n in itertools.product(clips(args), args.threads):
        set_threads(n)
        steps, identity = [], LabelIdentity()
        for new, last in itertools.pairwise(to_and_fro(frames)):
            flow = estimator.estimate(new, last)
            camera = fit_flow(flow).flow(flow.shape)
            steps.append((new, last, flow, camera, clusterer.segment(flow, camera=camera, frame=new)))
        works: dict[str, Callable[[Any], Any]] = {
            "flow": lambda step: estimator.estimate(*step[:2]),
            "camera": lambda step: fit_flow(step[2]).flow(step[2].shape),
            "clustering": lambda step: clusterer.segment(step[2], camera=step[3], frame=step[0]),
            "labels": lambda step, identity=identity: identity.update(step[4], step[2]),
        }
        found = medians(steps, works, args.rounds)
        for what, milliseconds in found.items():
            size = f"{frames[0].shape[1]}x{frames[0].shape[0]}"
            yield say({"what": f"stage: {what}", "clip": name, "size": size, "threads": n, "ms": milliseconds})


FIGURES: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {f.__name__: f for f in (methods, stages)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; print rows as they come; write them all to --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", choices=[*FIGURES, "all"])
    sizes = lambda text: [tuple(int(n) for n in size.split("x")) for size in text.split(",")]  # noqa: E731
    parser.add_argument("--sizes", default="854x480", type=sizes)
    parser.add_argument("--threads", default="1,2", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--frames", type=int, default=12, help="frames of the clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default=os.environ.get("MOTIONSEG_DATA"), help="folder of the real sequences")
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in FIGURES if "all" in args.figures else args.figures:
        rows += FIGURES[name](args)
        if args.out:
            write_rows(args.out, rows)


if __name__ == "__main__":
    main()
