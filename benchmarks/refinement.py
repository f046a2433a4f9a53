"""What the refinement network gains and costs, and whether its embeddings know things again that met behind another.

    python benchmarks/refinement.py all --data DIR --sequences DIR --out benchmarks/results/refinement.json
    python benchmarks/refinement.py accuracy --sequences DIR --priors gaussian_mixture,adaptive+guard:offline
    python benchmarks/refinement.py speed --threads 1,2

`--data` is a folder with photos/ and pictures with outlines (as `motionseg train --root`), `--sequences` one with
CDnet2014, SBI2015 and DAVIS; what of these is not there is left out.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from _shared import Row, missing, say, timed, write_rows

import motionseg
from motionseg.apps.config import build_dataset, build_method
from motionseg.datasets import Material
from motionseg.datasets import Sequence as VideoSequence
from motionseg.flow import OpenCVDIS
from motionseg.metrics import contour_accuracy
from motionseg.pipeline import Run, evaluate
from motionseg.refine import Refiner

PRIORS = "adaptive+guard,adaptive+guard:offline,gaussian_mixture"
MOVING_PRIORS = "auto,auto:offline"
OUTSIDE, UNKNOWN, MOTION = 85, 170, 255  # CDnet's codes
SIZE = (320, 240)  # of a crossing, pixels
FRAMES, BEFORE, AFTER = 41, (6, 8, 10), (30, 32, 34)  # frames of a crossing; in which its things are looked at


def views(width: int, height: int) -> dict[str, Any]:
    """Everything a refiner can be given, of one frame."""
    rng = np.random.default_rng(0)
    background = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), np.uint8), (0, 0), 3)
    frame = background.copy()
    frame[height // 4 : height // 2, width // 4 : width // 2] = (40, 90, 220)
    score = (np.abs(frame.astype(np.float32) - background).max(axis=2) / 255).clip(0, 1)
    flow = rng.normal(0, 1, (height // 2, width // 2, 2)).astype(np.float32)
    mask = np.where(score > 0.2, 255, 0).astype(np.uint8)
    return {"frame": frame, "background": background, "score": score, "mask": mask, "flow_back": flow}


def speed(args: argparse.Namespace) -> Iterable[Row]:
    """Milliseconds of `Refiner.refine`, packing and cues included."""
    for weights in args.weights:
        for dtype in ("auto", "float32"):
            refiner = Refiner(weights=weights, dtype=dtype, device=args.device)
            told = str(refiner._engine.dtype).removeprefix("torch.")
            for width, height in args.sizes:
                given = views(width, height)
                for threads in args.threads:
                    motionseg.set_num_threads(threads)
                    cv2.setNumThreads(threads)
                    torch.set_num_threads(threads)
                    for _ in range(3):
                        refiner.refine(**given)
                    ms = 1e3 * statistics.median(timed(lambda r=refiner, g=given: r.refine(**g)) for _ in range(30))
                    row = {"what": "speed", "weights": Path(weights).stem, "dtype": dtype, "computes_in": told}
                    yield say({**row, "size": f"{width}x{height}", "threads": threads, "ms": ms, "fps": 1e3 / ms})


def accuracy(args: argparse.Namespace) -> Iterable[Row]:
    """Each prior without and with refinement, in the same run: by the official rule, and at the contours."""
    if args.sequences is None:
        yield from missing("accuracy", "--sequences DIR")
        return
    for key, folder, priors in (
        ("cdnet", "CDnet2014", args.priors),
        ("sbi2015", "SBI2015", args.priors),
        ("davis2016", "DAVIS", args.moving_priors),
    ):
        if not (args.sequences / folder).exists():
            yield from missing(f"accuracy {key}", f"{folder} below --sequences")
            continue
        dataset = build_dataset(key, str(args.sequences / folder))
        for weights in args.weights:
            for prior, _, when in (prior.partition(":") for prior in priors):
                rows = []
                for sequence in dataset.sequences():
                    kinds = {"prior": prior, "refined": f"{prior}+refine"}
                    row: Row = {"what": "accuracy", "weights": Path(weights).stem, "dataset": key, "prior": prior}
                    row |= {"offline": when == "offline", "sequence": sequence.name}
                    for kind, name in kinds.items():
                        settings = {"refine.weights": weights} if kind == "refined" else {}
                        run = Run(
                            sequence,
                            build_method(dataset.task, name, settings),
                            task=dataset.task,
                            offline=when == "offline",
                        )
                        row |= {f"{kind}_{what}": value for what, value in judged(sequence, run, dataset.task).items()}
                    rows.append(say(row))
                    yield row
                means = {what: float(np.mean([row[what] for row in rows])) for what in rows[0] if "_" in what}
                yield say({**rows[0], "sequence": "mean", **means})


def judged(sequence: VideoSequence, run: Run, task: str) -> dict[str, float]:
    """The benchmark's region measure, and contour F (8 pixels at 480 rows, frames with something in them)."""
    contours = []

    def look(index: int, result: Any) -> None:
        if index not in sequence.judged:
            return
        truth = sequence.truth[index]
        void = np.isin(truth, (OUTSIDE, UNKNOWN)) if task == "change" else truth < 0
        there = truth == MOTION if task == "change" else truth > 0
        if there.any():
            tolerance = max(1.0, 8 * min(truth.shape) / 480)
            contours.append(contour_accuracy(result.mask == 255, there, tolerance=tolerance, void=void))

    measures = evaluate(sequence, run, task=task, keep_worst=0, on_result=look).metrics
    region = measures["F" if task == "change" else "J"]
    return {"region": region, "contour": float(np.mean(contours))}


def agreement(args: argparse.Namespace) -> Iterable[Row]:
    """Share of pixels whose mask differs between bfloat16 and float32, over the frames of crossings."""
    for weights in args.weights:
        pair = [Refiner(weights=weights, dtype=dtype, device=args.device) for dtype in ("bfloat16", "float32")]
        differs = []
        for seed in range(20):
            frames, _, _, background = crossing(Material(args.data), seed)
            for frame in frames[::8]:
                a, b = (refiner.refine(frame, background) > 0.5 for refiner in pair)
                differs.append(float((a != b).mean()))
        yield say(
            {"what": "agreement", "weights": Path(weights).stem, "differs_percent": 100 * float(np.mean(differs))}
        )


def crossing(material: Material, seed: int) -> tuple[list[Any], list[Any], bool, Any]:
    """Two things meet behind a third and go on, or turn back: frames, labels, whether they turned, the empty scene."""
    rng = np.random.default_rng((seed, 5))
    width, height = SIZE
    background = material.photo(rng, height, width)
    tall = rng.uniform(50, 110)
    things = [material.cutout(rng, tall * rng.uniform(0.8, 1.2)) for _ in range(2)]
    wall = material.photo(rng, height, round(1.3 * max(thing.shape[1] for thing in things)) + 30)
    left = (width - wall.shape[1]) // 2
    background[:, left : left + wall.shape[1]] = wall
    turns = bool(rng.random() < 0.5)
    feet = height * rng.uniform(0.7, 0.95) + rng.uniform(-8, 8, 2)
    half = (FRAMES - 1) / 2
    reach = 0.42 * width
    frames, labels = [], []
    for t in range(FRAMES):
        frame, label = background.copy(), np.zeros((height, width), np.int32)
        share = (t - half) / half  # -1 .. 1
        for k, (thing, side) in enumerate(zip(things, (1, -1), strict=True)):
            way = -abs(share) if turns else share
            x = width / 2 + side * way * reach - thing.shape[1] / 2
            pose = np.array([[1, 0, x], [0, 1, feet[k] - thing.shape[0] + 3 * np.sin(t)]])
            placed = cv2.warpAffine(thing, pose, (width, height))
            alpha = placed[..., 3:] / 255
            frame = (frame * (1 - alpha) + placed[..., :3]).astype(np.uint8)
            label[placed[..., 3] > 127] = k + 1
        frame[:, left : left + wall.shape[1]], label[:, left : left + wall.shape[1]] = wall, 0
        noisy = frame + rng.normal(0, 3, frame.shape)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
        labels.append(label)
    return frames, labels, turns, background


def crossings(args: argparse.Namespace) -> Iterable[Row]:
    """Share of crossings after which both things are known again: by embedding, by colours, by motion alone."""
    material = Material(args.data)
    for weights in args.weights:
        refiner, estimator = Refiner(weights=weights, device=args.device), OpenCVDIS()
        right: dict[str, list[bool]] = {"embedding": [], "colours": [], "motion": []}
        seed = n = 0
        while n < args.crossings:
            seed += 1
            frames, labels, _, background = crossing(material, seed)
            if not all((labels[t] == k).sum() > 100 for t in (*BEFORE, *AFTER) for k in (1, 2)):
                continue
            n += 1
            refiner.reset()
            told: dict[str, dict[int, list[Any]]] = {"embedding": {0: [], 1: []}, "colours": {0: [], 1: []}}
            for t, frame in enumerate(frames):
                flow = estimator.estimate(frame, frames[max(t - 1, 0)])
                refiner.refine(frame, background, flow_back=flow)
                for side, times in enumerate((BEFORE, AFTER)):
                    if t in times:
                        told["embedding"][side].append(refiner.embed(labels[t]))
                        told["colours"][side].append(histograms(frame, labels[t]))
            for name, parts in told.items():
                first, second = (np.mean(parts[side], axis=0) for side in (0, 1))
                likeness = first @ second.T
                right[name].append(bool(np.trace(likeness) > likeness[0, 1] + likeness[1, 0]))
            right["motion"].append(motion_is_right(labels))
        shares = {name: float(np.mean(hits)) for name, hits in right.items()}
        yield say({"what": "crossings", "weights": Path(weights).stem, "crossings": n, **shares})


def histograms(frame: Any, labels: Any) -> Any:
    """Square roots of the shares of 64 colours in each of two regions (2, 64): products are Bhattacharyya's."""
    codes = (frame // 64).astype(np.int64) @ np.array([16, 4, 1])
    counts = [np.bincount(codes[labels == k], minlength=64) for k in (1, 2)]
    return np.sqrt([count / max(count.sum(), 1) for count in counts])


def motion_is_right(labels: Sequence[Any]) -> bool:
    """Whether constant velocity before the meeting says rightly which is which after it."""
    times = {t: [np.argwhere(labels[t] == k).mean(axis=0) for k in (1, 2)] for t in (BEFORE[0], BEFORE[-1], AFTER[1])}
    speed = [(times[BEFORE[-1]][k] - times[BEFORE[0]][k]) / (BEFORE[-1] - BEFORE[0]) for k in (0, 1)]
    expected = [times[BEFORE[-1]][k] + speed[k] * (AFTER[1] - BEFORE[-1]) for k in (0, 1)]
    distance = [[np.linalg.norm(expected[a] - times[AFTER[1]][b]) for b in (0, 1)] for a in (0, 1)]
    return bool(distance[0][0] + distance[1][1] < distance[0][1] + distance[1][0])


FIGURES: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {
    f.__name__: f for f in (accuracy, speed, agreement, crossings)
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; print rows as they come; write them all to --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", choices=[*FIGURES, "all"])
    names = lambda text: text.split(",")  # noqa: E731
    sizes = lambda text: [tuple(int(n) for n in size.split("x")) for size in text.split(",")]  # noqa: E731
    parser.add_argument("--data", metavar="DIR", help="photographs and cut-outs; default: made-up ones")
    parser.add_argument("--sequences", metavar="DIR", type=Path, help="CDnet2014, SBI2015, DAVIS")
    parser.add_argument("--priors", default=PRIORS, type=names, help="methods, with :offline for those that see all")
    parser.add_argument("--moving-priors", default=MOVING_PRIORS, type=names, help="the same, for DAVIS")
    parser.add_argument("--weights", default="small", type=names, help="names or files")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sizes", default="640x480", type=sizes)
    parser.add_argument("--threads", default="1,2", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--crossings", type=int, default=200)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in FIGURES if "all" in args.figures else args.figures:
        rows += FIGURES[name](args)
        if args.out:
            write_rows(args.out, rows)


if __name__ == "__main__":
    main()
