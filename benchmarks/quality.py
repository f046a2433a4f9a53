"""How right motionseg is on the standard datasets, and its peers in the same tables.

    python benchmarks/quality.py --data DIR --out DIR                        # the small preset
    python benchmarks/quality.py --data DIR --out DIR --preset full --peers --peer-python PYTHON

Every figure is made by `motionseg bench` and `motionseg score`: one process for each method and sequence, its record
on disk as soon as it is done. Killed and started again, it goes on where it was. Datasets that are not below --data are
left out, and named. At the end `motionseg report` makes one page of it all. README.md beside this file says more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _shared import machine, write_rows

from motionseg import Segmentation
from motionseg.datasets import SBI2015, CDnet, Dataset, ResultWriter, Sequence

_SPEED = Path(__file__).with_name("results") / "speed_models.json"
_SIZE = "320x240"  # of the frames/s that `motionseg models` shows

OURS = (
    "auto,adaptive,subsense,lobster,pawcs,pbas,sample_consensus,gsoc,kernel_density,self_organizing,codebook,"
    "gaussian_mixture,knn,count_stability,two_rate,consensus,eigenbackground,flux,running_gaussian,sigma_delta,"
    "temporal_median,running_average,frame_difference"
)
OFFLINE = "auto,adaptive,subsense,gaussian_mixture,temporal_median"
MOVING = "auto,flow_fused,naive_flow,flow.quadratic_layers,flow.residual_threshold,gaussian_mixture"
FLOW = "opencv_dis,opencv_farneback,tvl1,horn_schunck,lucas_kanade"
CONTRIB_FLOW = "opencv_deepflow,opencv_pcaflow,opencv_rlof"
OPENCV = "opencv_mog2,opencv_knn,opencv_cnt,opencv_gsoc,opencv_lsbp,opencv_mog,opencv_gmg"
BGSLIBRARY = (
    *("SuBSENSE", "PAWCS", "LOBSTER", "PixelBasedAdaptiveSegmenter", "ViBe", "KDE", "CodeBook", "LBAdaptiveSOM"),
    *("SigmaDelta", "TwoPoints", "WeightedMovingVariance"),
)


@dataclass(frozen=True)
class Part:
    """One dataset of a preset."""

    key: str
    folder: str
    """Below --data."""
    methods: str = OURS
    peers: str = OPENCV
    sequences: str | None = None
    bgslibrary: tuple[str, ...] = ()
    offline: bool = False
    """Models know the whole clip before they say anything."""

    @property
    def name(self) -> str:
        return f"{self.key}-offline" if self.offline else self.key


FULL = (
    Part("cdnet", "CDnet2014", bgslibrary=BGSLIBRARY),
    Part("sbi2015", "SBI2015", bgslibrary=BGSLIBRARY),
    Part("cdnet", "CDnet2014", OFFLINE, "", offline=True),
    Part("sbi2015", "SBI2015", OFFLINE, "", offline=True),
    Part("synthetic", ""),
    Part("davis2016", "DAVIS", MOVING, "opencv_mog2"),
    Part("davis2016", "DAVIS", "auto", "", offline=True),
    Part("davis2017", "DAVIS2017", methods="auto", peers=""),
    Part("moseg", "moseg", MOVING, "opencv_mog2"),
    Part("moseg", "moseg", "auto", "", offline=True),
    Part("mot", "MOT", methods="kalman_iou", peers=""),
    Part("flow", "flow", FLOW, CONTRIB_FLOW),
)
_FEW = "auto,adaptive,gaussian_mixture,knn,sigma_delta,frame_difference"
_FIRSTS = "baseline_1,shadow_1,illumination_1,light_switch_1,jitter_1,waving_1,camouflage_1,stop_and_go_1,noise_1"
SMALL = (
    Part("cdnet", "CDnet2014", _FEW, "opencv_mog2,opencv_knn,opencv_cnt", bgslibrary=("SuBSENSE", "ViBe")),
    Part("sbi2015", "SBI2015", _FEW, "opencv_mog2,opencv_knn,opencv_cnt", bgslibrary=("SuBSENSE", "ViBe")),
    Part("synthetic", "", "gaussian_mixture,auto", "opencv_mog2", sequences=_FIRSTS),
    Part("davis2016", "DAVIS", "auto,naive_flow", "", sequences="dog-agility,motorbike,rollerblade"),
    Part("moseg", "moseg", "auto", ""),
    Part("mot", "MOT", "kalman_iou", ""),
    Part("flow", "flow", "opencv_dis,opencv_farneback", ""),
)
PRESETS = {"small": SMALL, "full": FULL}


def run_motionseg(*words: str) -> int:
    """Run the command line; progress and failures go to the terminal. Returns 0, or 3 where sequences failed."""
    done = subprocess.run([sys.executable, "-m", "motionseg", *words], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 3):
        sys.exit(done.returncode)
    return done.returncode


# --- bgslibrary --------------------------------------------------------------------------------


class Peer:
    """A bgslibrary algorithm in a Python of its own, where its OpenCV and its ./config do no harm."""

    def __init__(self, python: str, algorithm: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        worker = str(Path(__file__).resolve().with_name("pybgs_masks.py"))
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._said}
        self._process = subprocess.Popen([python, worker, algorithm], cwd=self._folder.name, **pipes)
        self.seconds = 0.0

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """The mask of the next frame; the library's own time is added to `seconds`."""
        try:
            self._process.stdin.write(struct.pack("3i", *frame.shape) + frame.tobytes())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        self.seconds += struct.unpack("d", self._read(8))[0]
        return np.frombuffer(self._read(frame.shape[0] * frame.shape[1]), np.uint8).reshape(frame.shape[:2])

    def close(self) -> float:
        """End the process; return its peak memory, MB."""
        self._process.stdin.close()
        peak = struct.unpack("d", self._read(8))[0]
        self._process.wait()
        self._said.close()
        self._folder.cleanup()
        return peak

    def _read(self, n: int) -> bytes:
        data = self._process.stdout.read(n)
        if len(data) < n:
            raise self._died()
        return data

    def _died(self) -> RuntimeError:
        self._said.seek(0)
        return RuntimeError(f"its process ended: {self._said.read().strip().rpartition(chr(10))[2]}")


def run_bgslibrary(python: str, algorithm: str, dataset: Dataset, key: str, root: str, out: Path) -> Path | None:
    """Run an algorithm on every sequence and score its masks; return the folder of records, None if it cannot run."""
    name = f"pybgs_{algorithm.lower()}"
    folder, results = out / f"{key}-{name}", out / "pybgs" / key / name
    if (folder / "summary.json").exists():
        return folder
    timing = {}
    for sequence in dataset:
        print(f"{name} on {sequence.full_name}", file=sys.stderr, flush=True)
        try:
            timing[sequence.full_name] = _run_sequence(python, algorithm, dataset, sequence, results)
        except RuntimeError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            return None
    (results / "timing.json").write_text(json.dumps(timing), encoding="utf-8")
    run_motionseg("score", key, root, str(results), "-o", str(folder), "--overwrite", "--name", name)
    return folder


def _run_sequence(
    python: str, algorithm: str, dataset: Dataset, sequence: Sequence, results: Path
) -> dict[str, float | None]:
    peer, n = Peer(python, algorithm), min(len(sequence.frames), sequence.range.stop)
    with ResultWriter(dataset, sequence, results) as writer:
        for index in range(n):
            mask = peer.apply(sequence.frames[index])
            if index == 0:
                peer.seconds = 0.0  # as for all others, the first frame does not count
            writer.write(index, Segmentation(index, index / sequence.fps, mask))
    seconds = peer.seconds
    return {"fps": (n - 1) / seconds if seconds else None, "peak_memory_mb": round(peer.close(), 1)}


def bgslibrary_works(python: str | None) -> bool:
    """Whether `python` can import pybgs."""
    if not python:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run([python, "-c", "import pybgs"], cwd=folder, capture_output=True, check=False)
    return tried.returncode == 0


# --- the run -----------------------------------------------------------------------------------


def measure(args: argparse.Namespace) -> Iterator[Path]:
    """Run every part of the preset; yield each folder of records."""
    with_pybgs = args.peers and bgslibrary_works(args.peer_python)
    if args.peers and not with_pybgs:
        print("bgslibrary is left out: --peer-python is no Python that can import pybgs", file=sys.stderr)
    for part in PRESETS[args.preset]:
        if args.datasets and part.key not in args.datasets:
            continue
        root = args.data / part.folder if part.folder else None
        if root is not None and not root.is_dir():
            print(f"{part.key} is left out: there is no {part.folder} below --data", file=sys.stderr)
            continue
        methods = ",".join(text for text in (part.methods, part.peers if args.peers else "") if text)
        place = [str(root)] if root else []
        chosen = ["--sequences", part.sequences] if part.sequences else []
        print(f"== {part.name}: {methods}", file=sys.stderr, flush=True)
        folder = args.out / part.name
        words = [
            part.key,
            *place,
            "-o",
            str(folder),
            "--methods",
            methods,
            *chosen,
            *(["--offline"] if part.offline else []),
            "--jobs",
            str(args.jobs),
            "--resume",
        ]
        run_motionseg("bench", *words)
        yield folder
        for algorithm in part.bgslibrary if with_pybgs else ():
            dataset = {"cdnet": CDnet, "sbi2015": SBI2015}[part.key](root)
            scored = run_bgslibrary(args.peer_python, algorithm, dataset, part.key, str(root), args.out)
            if scored is not None:
                yield scored


def write_measured(path: Path, rows: list[dict[str, Any]], speed: Path) -> None:
    """Write what `motionseg models` shows: mean F on CDnet's and SBI2015's sequences, frames/s of `speed.py alone`."""
    judged = [r for r in rows if r["dataset"] in ("cdnet", "sbi2015") and not (r["offline"] or r["error"])]
    alone = [
        r for r in json.loads(speed.read_text(encoding="utf-8"))["rows"] if r.get("fps") and r.get("size") == _SIZE
    ]
    threads = max(row["threads"] for row in alone)
    fps = {row["what"]: round(row["fps"]) for row in alone if row["threads"] == threads}
    models: dict[str, dict[str, float]] = {}
    for name in sorted({row["method"] for row in judged if not row["method"].startswith("pybgs_")}):
        mean = statistics.mean(row["F"] for row in judged if row["method"] == name)
        models[name] = {"F": round(mean, 4)} | ({"fps": fps[name]} if name in fps else {})
    sequences = sorted({row["sequence"] for row in judged})
    text = f"mean F of {', '.join(sequences)}; frames/s at {_SIZE} on {threads} threads"
    facts = {"what": text, "date": time.strftime("%Y-%m-%d"), "processor": machine()["processor"], "models": models}
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure the preset, collect the tables in --json, make the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOTIONSEG_DATA"), help="folder of the datasets")
    parser.add_argument("--out", type=Path, required=True, help="folder for records, pictures and the report")
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--datasets", type=lambda text: text.split(","), help="only these of the preset")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time; more than 1 spoils frames/s")
    parser.add_argument("--peers", action="store_true", help="add OpenCV's and bgslibrary's models")
    parser.add_argument("--peer-python", help="a Python in which `import pybgs` works")
    parser.add_argument("--json", type=Path, help="file for all rows and means")
    parser.add_argument("--measured", type=Path, help="file for what `motionseg models` shows (apps/measured.json)")
    parser.add_argument("--speed", type=Path, default=_SPEED, help="results of speed.py, for its frames/s")
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data, or set MOTIONSEG_DATA")
    args.data = Path(args.data)
    began, folders = time.monotonic(), list(measure(args))
    run_motionseg("report", *map(str, folders), "-o", str(args.out))
    print(f"{(time.monotonic() - began) / 60:.1f} minutes; the report is {args.out / 'report.html'}", file=sys.stderr)
    tables = [json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in folders]
    rows = [{**row, "offline": table.get("offline", False)} for table in tables for row in table["rows"]]
    if args.json:
        facts = ("dataset", "offline", "means")
        means = [{name: table.get(name, False) for name in facts} for table in tables]
        write_rows(args.json, rows, means=means)
    if args.measured:
        write_measured(args.measured, rows, args.speed)


if __name__ == "__main__":
    main()
