"""How fast motionseg is, as ratios against its peers, measured in turns in one run.

    python benchmarks/speed.py all --data DIR --peer-python PYTHON --out benchmarks/results/speed.json
    python benchmarks/speed.py mixture --sizes 640x480 --threads 1,2

Every figure is a median over rounds in which both sides take turns on the same frames. What needs
the real sequences (--data) or bgslibrary (--peer-python) is left out, and named, where they are not given.
README.md beside this file says how each figure is taken.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _shared import Row, in_turns, missing, say, timed, write_rows

import motionseg
from motionseg.background import KNN, Adaptive, FrameDifference, GaussianMixture, Guarded
from motionseg.core import catalog

Frames = list[np.ndarray]
KINDS = ("quiet", "busy", "swaying")
SIZES = "320x240,640x480,1280x720,1920x1080"


# --- footage -----------------------------------------------------------------------------------


def footage(kind: str, width: int, height: int, n: int, seed: int = 0) -> Frames:
    """`n` BGR frames of one kind.

    'quiet': sensor noise of 1.5 grey levels and one walker. 'busy': noise of 6, and two fifths of the picture
    covered by things that move. 'swaying': noise of 3, and a finely textured background that never holds still.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 200, (height // 16 + 2, width // 16 + 2, 3)).astype(np.float32)
    wall = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    objects, sigma, share = {"quiet": (1, 1.5, 16), "busy": (24, 6.0, 8), "swaying": (1, 3.0, 16)}[kind]
    side = width // share
    if kind == "swaying":
        wall += cv2.GaussianBlur(rng.normal(0, 90, wall.shape).astype(np.float32), (0, 0), 1.5)
    places, steps = rng.uniform(0, 1, (objects, 2)), rng.uniform(-0.02, 0.02, (objects, 2))
    skins = rng.uniform(0, 255, (objects, side, side, 3)).astype(np.float32)
    frames = []
    for i in range(n):
        frame = np.roll(wall, round(2.5 * np.sin(i)), axis=1) if kind == "swaying" else wall.copy()
        for place, step, skin in zip(places, steps, skins, strict=True):
            x, y = ((place + i * step) % 1 * (width - side, height - side)).astype(int)
            frame[y : y + side, x : x + side] = skin
        noise = rng.standard_normal(frame.shape, np.float32)
        frames.append((frame + sigma * noise).clip(0, 255).astype(np.uint8))
    return frames


def sizes_of(text: str) -> list[tuple[int, int]]:
    """``"640x480,1280x720"`` as pairs of numbers."""
    return [(int(w), int(h)) for w, h in (part.split("x") for part in text.split(","))]


# --- measuring ---------------------------------------------------------------------------------


def through(model: Any, frames: Frames) -> Callable[[], None]:
    """A call that applies `model` to all `frames`."""

    def run() -> None:
        for frame in frames:
            model.apply(frame)

    return run


def set_threads(n: int) -> None:
    """Both sides on `n` threads."""
    motionseg.set_num_threads(n)
    cv2.setNumThreads(n)


def compare(name: str, ours: Any, theirs: Any, frames: Frames, rounds: int, **facts: Any) -> Row:
    """A row of milliseconds per frame of two models on the same frames; both have seen them before."""
    run_ours, run_theirs = through(ours, frames), through(theirs, frames)
    for _ in range(2):
        run_ours()
        run_theirs()
    a, b = in_turns(run_ours, run_theirs, rounds)
    row = {"what": name, **facts, "ours_ms": 1e3 * a / len(frames), "theirs_ms": 1e3 * b / len(frames), "ratio": b / a}
    return say(row)


# --- the figures -------------------------------------------------------------------------------


class _Difference:
    """What one writes with cv2 instead of FrameDifference."""

    def __init__(self) -> None:
        self.previous: np.ndarray | None = None

    def apply(self, frame: np.ndarray) -> np.ndarray:
        previous, self.previous = frame if self.previous is None else self.previous, frame.copy()
        grey = cv2.cvtColor(cv2.absdiff(frame, previous), cv2.COLOR_BGR2GRAY)
        return cv2.threshold(grey, 25, 255, cv2.THRESH_BINARY)[1]


def mixture(args: argparse.Namespace) -> Iterable[Row]:
    """GaussianMixture against cv2 MOG2 with the same parameters."""
    return _against_cv2(args, "gaussian_mixture / cv2 MOG2", GaussianMixture, cv2.createBackgroundSubtractorMOG2, KINDS)


def knn(args: argparse.Namespace) -> Iterable[Row]:
    """KNN against cv2 KNN with the same parameters."""
    return _against_cv2(args, "knn / cv2 KNN", KNN, cv2.createBackgroundSubtractorKNN, KINDS)


def frame_difference(args: argparse.Namespace) -> Iterable[Row]:
    """FrameDifference against cv2.absdiff, cvtColor and threshold."""
    return _against_cv2(args, "frame_difference / cv2", FrameDifference, _Difference, ("busy",))


def _against_cv2(
    args: argparse.Namespace, name: str, ours: Callable[[], Any], theirs: Callable[[], Any], kinds: Iterable[str]
) -> Iterable[Row]:
    for width, height in sizes_of(args.sizes):
        for kind in kinds:
            frames = footage(kind, width, height, args.frames)
            for n in args.threads:
                set_threads(n)
                facts = {"size": f"{width}x{height}", "footage": kind, "threads": n}
                yield compare(name, ours(), theirs(), frames, args.rounds, **facts)


class _Peer:
    """A bgslibrary algorithm in a Python of its own: it slows others in its process, and prints."""

    def __init__(self, python: str, algorithm: str, frames: Frames) -> None:
        self._folder = tempfile.TemporaryDirectory()
        np.save(Path(self._folder.name) / "frames.npy", np.stack(frames))
        worker = str(Path(__file__).with_name("pybgs_worker.py"))
        command = [python, worker, algorithm, "frames.npy"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, cwd=self._folder.name, text=True, **pipes)

    def seconds(self, n: int) -> float:
        """One pass over the first `n` frames."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{n}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        raise RuntimeError("the bgslibrary process ended")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


BGSLIBRARY = {
    "sigma_delta": "SigmaDelta",
    "sample_consensus": "ViBe",
    "pbas": "PixelBasedAdaptiveSegmenter",
    "lobster": "LOBSTER",
    "subsense": "SuBSENSE",
    "pawcs": "PAWCS",
    "codebook": "CodeBook",
    "kernel_density": "KDE",
    "self_organizing": "LBAdaptiveSOM",
}
_LONGEST_ROUND = 2.0  # seconds: a slow peer gets fewer frames


def bgslibrary(args: argparse.Namespace) -> Iterable[Row]:
    """Our models against bgslibrary's, which have one thread and a process of their own; three channels."""
    if not args.peer_python:
        return missing("bgslibrary", "--peer-python")
    return _bgslibrary(args)


def _bgslibrary(args: argparse.Namespace) -> Iterable[Row]:
    for width, height in sizes_of(args.sizes):
        for kind in ("real",) if args.data else ("quiet", "busy"):
            frames = real_footage(args.data, width, height, args.frames) if args.data else None
            frames = frames or footage(kind, width, height, args.frames)
            for name, algorithm in BGSLIBRARY.items():
                if args.models and name not in args.models:
                    continue
                peer, facts = _Peer(args.peer_python, algorithm, frames), {"size": f"{width}x{height}", "footage": kind}
                for row in _beside(catalog.find("background", name), peer, frames, args):
                    yield say({"what": f"{name} / pybgs {algorithm}", **facts, **row})
                peer.close()


def _beside(model: type[Any], peer: _Peer, frames: Frames, args: argparse.Namespace) -> Iterable[Row]:
    """A row for each number of threads of ours; both sides have seen the frames before they are timed."""
    peer.seconds(2)
    n = max(2, min(len(frames), int(_LONGEST_ROUND / peer.seconds(2) * 2)))
    peer.seconds(n)
    models = {threads: model() for threads in args.threads}
    times: dict[Any, list[float]] = {"peer": [], **{threads: [] for threads in models}}
    for i in range(args.rounds + 2):
        for threads, ours in models.items():
            set_threads(threads)
            seconds = timed(through(ours, frames[:n]))
            times[threads] += [seconds] if i > 1 else []
        seconds = peer.seconds(n)
        times["peer"] += [seconds] if i > 1 else []
    theirs = 1e3 * statistics.median(times["peer"]) / n
    for threads in models:
        mine = 1e3 * statistics.median(times[threads]) / n
        yield {"threads": threads, "ours_ms": mine, "theirs_ms": theirs, "ratio": theirs / mine}


def real_footage(data: str, width: int, height: int, n: int) -> Frames:
    """`n` frames of CDnet highway in that size, with a camera's noise (a standard deviation of 2 levels)."""
    rng, frames = np.random.default_rng(0), []
    with motionseg.open_video(Path(data) / "CDnet2014/dataset/baseline/highway/input", start=40) as video:
        for _, _, frame in video:
            large = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
            noisy = large + 2 * rng.standard_normal(large.shape, np.float32)
            frames.append(noisy.clip(0, 255).astype(np.uint8))
            if len(frames) == n:
                return frames
    return frames


def contrib(args: argparse.Namespace) -> Iterable[Row]:
    """CountStability and GSOC against cv2.bgsegm's, as many threads on both sides."""
    pairs = {
        "count_stability": ("CNT", cv2.bgsegm.createBackgroundSubtractorCNT),
        "gsoc": ("GSOC", cv2.bgsegm.createBackgroundSubtractorGSOC),
    }
    for width, height in sizes_of(args.sizes):
        frames = real_footage(args.data, width, height, args.frames) if args.data else None
        facts = {"size": f"{width}x{height}", "footage": "real" if frames else "busy"}
        frames = frames or footage("busy", width, height, args.frames)
        for name, (theirs, create) in pairs.items():
            for n in args.threads if not args.models or name in args.models else ():
                set_threads(n)
                ours, what = catalog.find("background", name)(), f"{name} / cv2 {theirs}"
                yield compare(what, ours, create(), frames, args.rounds, **facts, threads=n)


def alone(args: argparse.Namespace) -> Iterable[Row]:
    """Every model of ours by itself, milliseconds a frame."""
    for width, height in sizes_of(args.sizes):
        frames = real_footage(args.data, width, height, args.frames) if args.data else None
        facts = {"size": f"{width}x{height}", "footage": "real" if frames else "busy"}
        frames = frames or footage("busy", width, height, args.frames)
        for name in catalog.names("background"):
            if name.startswith("opencv_") or (args.models and name not in args.models):
                continue
            model: Any = catalog.find("background", name)()
            both = {name: model, f"{name}+guard": Guarded(model)} if name == "adaptive" else {name: model}
            for words, n in ((words, n) for words in both for n in args.threads):
                set_threads(n)
                run = through(both[words].clone(), frames)
                seconds = [timed(run) for _ in range(args.rounds + 1)][1:]
                mine = 1e3 * statistics.median(seconds) / len(frames)
                yield say({"what": words, **facts, "threads": n, "ours_ms": mine, "fps": 1e3 / mine})


def equality(args: argparse.Namespace) -> Iterable[Row]:
    """Share of pixels where GaussianMixture and cv2 MOG2 say the same, over 500 frames of CDnet highway."""
    if not args.data:
        return missing("equality", "--data")
    return _equality(args)


def _equality(args: argparse.Namespace) -> Iterable[Row]:
    ours, theirs = GaussianMixture(), cv2.createBackgroundSubtractorMOG2()
    same, foreground, total = 0, 0, 0
    with motionseg.open_video(Path(args.data) / "CDnet2014/dataset/baseline/highway/input") as video:
        for index, _, frame in video:
            if index == 500:
                break
            a, b = ours.apply(frame), theirs.apply(frame)
            same, foreground, total = same + int((a == b).sum()), foreground + int((b > 0).sum()), total + a.size
    row = {"what": "gaussian_mixture = cv2 MOG2, pixels", "footage": "CDnet highway, 500 frames"}
    yield say({**row, "share": same / total, "foreground_or_shadow": foreground / total})


def loop(args: argparse.Namespace) -> Iterable[Row]:
    """The whole segment loop, nothing written, against decoding and cv2 MOG2 alone."""
    if not args.data:
        return missing("loop", "--data")
    return _loop(args)


def _loop(args: argparse.Namespace) -> Iterable[Row]:
    clip = Path(args.data) / "clips/vtest.avi"
    n_frames = 795

    def segment(background: Any) -> Callable[[], None]:
        def run() -> None:
            segmenter = motionseg.MotionSegmenter(background=background.clone())
            assert sum(1 for _ in motionseg.segment(clip, segmenter=segmenter)) == n_frames

        return run

    def same_reader() -> None:
        model = cv2.createBackgroundSubtractorMOG2()
        with motionseg.open_video(clip) as video:
            for _, _, frame in video:
                model.apply(frame)

    def cv2_reader() -> None:
        model, capture = cv2.createBackgroundSubtractorMOG2(), cv2.VideoCapture(str(clip))
        while True:
            there, frame = capture.read()
            if not there:
                return
            model.apply(frame)

    backgrounds = {"gaussian_mixture": GaussianMixture(), "adaptive+guard": Guarded(Adaptive())}
    peers = (("our reader", same_reader), ("cv2.VideoCapture", cv2_reader))
    for n, (word, background) in itertools.product(args.threads, backgrounds.items()):
        set_threads(n)
        ours = segment(background)
        ours()
        for name, theirs in peers:
            a, b = in_turns(ours, theirs, max(3, args.rounds // 3))
            row = {"what": f"segment loop, {word} / {name} + cv2 MOG2", "footage": "vtest.avi", "threads": n}
            yield say({**row, "ours_ms": 1e3 * a / n_frames, "theirs_ms": 1e3 * b / n_frames, "cost": a / b})


_FIRST_MASK = """
import numpy as np
from motionseg.background import GaussianMixture
rng, model = np.random.default_rng(0), GaussianMixture()
for _ in range(2):
    mask = model.apply(rng.integers(0, 256, (480, 640, 3), np.uint8))
assert mask.any()
"""


def start(args: argparse.Namespace) -> Iterable[Row]:
    """Seconds of `import motionseg`, and from the start of Python to the first mask, warm and cold."""

    def python(code: str, **environment: str) -> Callable[[], Any]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **environment})

    bare, light = python("pass"), python("import motionseg")
    light()
    a, b = in_turns(light, bare, 2 * args.rounds)
    yield say({"what": "import motionseg", "seconds": a - b, "python_alone": b})
    python(_FIRST_MASK)()
    warm = statistics.median(timed(python(_FIRST_MASK)) for _ in range(args.rounds))
    yield say({"what": "first mask, warm kernel cache", "seconds": warm})
    cold = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(timed(python(_FIRST_MASK, NUMBA_CACHE_DIR=folder)))
    yield say({"what": "first mask, cold", "seconds": statistics.median(cold)})


FIGURES: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {
    f.__name__: f for f in (start, equality, mixture, knn, frame_difference, bgslibrary, contrib, alone, loop)
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; print rows as they come; write them all to --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", choices=[*FIGURES, "all"])
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--threads", default="1,2", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--frames", type=int, default=40, help="frames of a round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--models", type=lambda text: text.split(","), help="only these (bgslibrary, contrib, alone)")
    parser.add_argument("--data", default=os.environ.get("MOTIONSEG_DATA"), help="folder of the real sequences")
    parser.add_argument("--peer-python", help="a Python in which `import pybgs` works")
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in FIGURES if "all" in args.figures else args.figures:
        rows += FIGURES[name](args)
        if args.out:
            write_rows(args.out, rows)


if __name__ == "__main__":
    main()
