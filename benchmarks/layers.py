"""How fast motionseg's layers of motion are, against scikit-learn's GaussianMixture on the same points.

    python benchmarks/layers.py all --out benchmarks/results/layers.json
    python benchmarks/layers.py clusterers --sizes 854x480 --threads 1,2

Every figure is a median over rounds in which both sides take turns on the same flow. What is measured of ours against
scikit-learn is sampling the flow, the first guess and the fit; scikit-learn is handed its points (x, y, u, v) ready.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _shared import Row, in_turns, say, timed, write_rows

import motionseg
from motionseg.cluster import AffineLayers, QuadraticLayers
from motionseg.cluster._layers import Grid, Mixture
from motionseg.core.geometry import transform_flow

CAMERA = np.array([[1.012, -0.01, 5.0], [0.01, 1.006, -3.0], [2e-5, -3e-5, 1]])


def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Flow before a turning camera of three things that move by themselves, with noise and blurred outlines."""
    rng = np.random.default_rng(seed)
    flow = np.zeros((height, width, 2), np.float32)
    for x, y, radius, u, v in ((0.3, 0.4, 0.15, 6, 2), (0.7, 0.6, 0.2, -5, -4), (0.55, 0.2, 0.1, 0, 8)):
        cv2.circle(flow, (round(x * width), round(y * height)), round(radius * height), (u, v), -1)
    noise = cv2.GaussianBlur(rng.normal(0, 2, flow.shape).astype(np.float32), (0, 0), 4)
    return cv2.GaussianBlur(flow, (0, 0), 2) + noise + transform_flow(CAMERA, flow.shape)


def mixture(args: argparse.Namespace) -> Iterable[Row]:
    """Our mixture against scikit-learn's: as many components, as many rounds, and both until they settle."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    warnings.simplefilter("ignore", ConvergenceWarning)  # as many rounds as ours took, not as it would like
    motionseg.set_num_threads(max(args.threads))
    clusterer = QuadraticLayers(layers=args.layers)
    for width, height in args.sizes:
        flow, valid = scene(width, height), np.ones((height, width), bool)
        for points in (16_000, valid.size):
            facts: dict[str, Any] = {}

            def ours(points: int = points, flow: Any = flow, valid: Any = valid, facts: Any = facts) -> None:
                fitted = Mixture(Grid(flow, valid, points), clusterer._terms(), 0.7, 0.2, 1.0)
                fitted.start(args.layers, 0.0)
                facts.update(points=fitted.grid.n, components=len(fitted.motions) + 1)
                facts["rounds"] = fitted.fit(0.0)

            ours()
            grid = Grid(flow, valid, points)
            places = np.broadcast_to(grid.x, grid.shape), np.broadcast_to(grid.y[:, None], grid.shape)
            features = np.stack([*places, *grid.flow], axis=-1).reshape(-1, 4).astype(np.float64)
            features /= features.std(axis=0)
            large = points > 16_000  # seconds a fit: as many rounds, twice
            for until in ("as many rounds",) if large else ("as many rounds", "settled"):
                more: dict[str, Any] = {"init_params": "random_from_data", "max_iter": facts["rounds"], "tol": 0.0}
                if until == "settled":
                    more = {"max_iter": 100}
                theirs = GaussianMixture(facts["components"], random_state=0, **more)
                fit = functools.partial(theirs.fit, features)
                a, b = in_turns(ours, fit, 2 if large else args.rounds)
                row = {"what": "mixture", "size": f"{width}x{height}", **facts, "until": until}
                row |= {"their_rounds": int(theirs.n_iter_), "threads": max(args.threads)}
                yield say({**row, "ours_ms": 1e3 * a, "sklearn_ms": 1e3 * b, "ratio": b / a})


def clusterers(args: argparse.Namespace) -> Iterable[Row]:
    """Milliseconds of `segment` per frame, with and without a camera."""
    ours = {
        "affine_layers": AffineLayers(layers=args.layers),
        "quadratic_layers": QuadraticLayers(layers=args.layers),
        "quadratic_layers, full": QuadraticLayers(layers=args.layers, model="full"),
    }
    for width, height in args.sizes:
        flow = scene(width, height)
        for threads in args.threads:
            motionseg.set_num_threads(threads)
            cv2.setNumThreads(threads)
            for name, clusterer in ours.items():
                for camera in (None, CAMERA):
                    clusterer.segment(flow, camera=camera)
                    times = [timed(lambda c=clusterer, f=flow, m=camera: c.segment(f, camera=m)) for _ in range(20)]
                    row = {"what": name, "size": f"{width}x{height}", "threads": threads, "camera": camera is not None}
                    yield say({**row, "ms": 1e3 * statistics.median(times)})


FIGURES: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {f.__name__: f for f in (mixture, clusterers)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; print rows as they come; write them all to --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", choices=[*FIGURES, "all"])
    sizes = lambda text: [tuple(int(n) for n in size.split("x")) for size in text.split(",")]  # noqa: E731
    parser.add_argument("--sizes", default="854x480", type=sizes)
    parser.add_argument("--threads", default="1,2", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in FIGURES if "all" in args.figures else args.figures:
        rows += FIGURES[name](args)
        if args.out:
            write_rows(args.out, rows)


if __name__ == "__main__":
    main()
