"""Four cameras before `motionseg serve` for a while: memory, dropped frames, latency, processor time.

    python benchmarks/soak.py --data DIR --minutes 10 --out benchmarks/results/soak.json
    python benchmarks/soak.py --minutes 1 --cameras 2

`--data` is the folder in which clips/ has traffic_camera.mp4 and vtest.avi; without it, scenes are drawn. Each camera
is a loop of 1280x720 at 10 frames/s, which the service plays in real time. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import itertools
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from _served import FaultError, Served
from _shared import Row, say, write_rows

import motionseg
from motionseg.datasets import street

SIZE, FPS, SECONDS = (1280, 720), 10, 20
CLIPS = ("traffic_camera.mp4", "vtest.avi")
WARM = 60.0  # seconds after which memory is not to grow any more
WINDOW = 10.0  # seconds at either end whose median is taken

# Packets of the longest clip are kept, and 10 s more: within the first minute all of that memory is taken.
RECORDINGS = """
[recordings]
max_length = 40.0
"""
CAMERA = """
[[camera]]
name = "{name}"
source = "{path}"
loop = true
[[camera.zone]]
name = "middle"
points = [[0.1, 0.3], [0.9, 0.3], [0.9, 1.0], [0.1, 1.0]]
relative = true
[[camera.rule]]
kind = "enter"
name = "enter"
zones = ["middle"]
[[camera.rule]]
kind = "any_motion"
name = "any_motion"
"""


# --- what the cameras see ----------------------------------------------------------------------


def recorded(path: Path) -> Iterator[Any]:
    """Frames of a clip, at `FPS` and in `SIZE`."""
    due = 0.0
    with motionseg.open_video(path) as video:
        for _, moment, frame in video:
            if moment >= due - 1e-3:
                due += 1 / FPS
                yield cv2.resize(frame, SIZE, interpolation=cv2.INTER_LINEAR)


def drawn(seed: int) -> Iterator[Any]:
    """Frames of a drawn street."""
    for shot in street(width=SIZE[0] // 2, height=SIZE[1] // 2, n_frames=SECONDS * FPS, fps=FPS, seed=seed):
        yield cv2.resize(shot.frame, SIZE, interpolation=cv2.INTER_LINEAR)


def write_clip(path: Path, frames: Iterable[Any]) -> None:
    """H.264 as cameras send it: a key frame a second, none that look ahead."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}
        )
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = FPS
        for frame in itertools.islice(frames, SECONDS * FPS):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        out.mux(stream.encode(None))


def write_clips(data: Path | None, folder: Path, n: int) -> list[Path]:
    """A clip for each of `n` cameras, two to share one."""
    sources = [data / "clips" / name for name in CLIPS] if data else []
    clips = []
    for number in range(min(n, 2)):
        clips.append(folder / f"clip{number}.mp4")
        write_clip(clips[-1], recorded(sources[number]) if data else drawn(number))
    return [clips[number % len(clips)] for number in range(n)]


# --- measuring ---------------------------------------------------------------------------------


def sample(served: Served, began: float) -> Row:
    """What process and cameras say now."""
    resident, used = served.usage()
    cameras = served.cameras()
    return {"time": time.monotonic() - began, "resident": resident, "used": used, "cameras": cameras}


def watch(served: Served, seconds: float) -> list[Row]:
    """A sample a second."""
    began, samples = time.monotonic(), []
    while time.monotonic() - began < seconds:
        served.check_alive()
        samples.append(sample(served, began))
        if len(samples) % 60 == 0:
            last = samples[-1]
            print(f"  {last['time']:.0f} s: {last['resident']:.0f} MB", file=sys.stderr, flush=True)
        time.sleep(max(0.0, began + len(samples) - time.monotonic()))
    return samples


def growth(samples: Sequence[Row]) -> Row:
    """Of memory after the first minute (a fifth of a run that is shorter than five): MB, and MB/h by a fitted line."""
    warm = min(WARM, samples[-1]["time"] / 5)
    times, sizes = np.array([(s["time"], s["resident"]) for s in samples if s["time"] >= warm]).T
    first, last = sizes[times <= times[0] + WINDOW], sizes[times >= times[-1] - WINDOW]
    slope = float(np.polyfit(times, sizes, 1)[0]) if len(times) > 2 else float("nan")
    return {
        "memory_mb": float(np.median(last)),
        "growth_mb": float(np.median(last) - np.median(first)),
        "growth_mb_per_hour": 3600 * slope,
    }


def dropped_by(sample: Row) -> int:
    """Frames that were dropped until then, of all cameras."""
    return sum(camera["frames_dropped"] for camera in sample["cameras"].values())


def of_cameras(samples: Sequence[Row]) -> Iterator[Row]:
    """A row for each camera, of what it has done between the first sample and the last."""
    first, last = samples[0], samples[-1]
    seconds = last["time"] - first["time"]
    for name, end in last["cameras"].items():
        begin = first["cameras"][name]
        done = {key: end[key] - begin[key] for key in ("frames_read", "frames_dropped", "frames_processed")}
        yield {
            "what": "camera",
            "camera": name,
            **done,
            "frames_skipped": end["frames_skipped"] - begin["frames_skipped"],
            "frames_failed": end["frames_failed"] - begin["frames_failed"],
            "dropped_share": done["frames_dropped"] / max(done["frames_read"], 1),
            "fps": done["frames_processed"] / seconds,
            "latency_ms": _median(samples, name, "latency_ms", "p50"),
            "latency_p95_ms": _median(samples, name, "latency_ms", "p95"),
            "event_latency_ms": _median(samples, name, "event_latency_ms", "p50"),
            "event_latency_p95_ms": _median(samples, name, "event_latency_ms", "p95"),
            "reconnects": end["reconnects"] - begin["reconnects"],
        }


def _median(samples: Sequence[Row], name: str, key: str, part: str) -> float | None:
    """Over time, of what a camera says; None where it never did."""
    values = [(s["cameras"][name].get(key) or {}).get(part) for s in samples]
    told = [value for value in values if value is not None]
    return statistics.median(told) if told else None


def whole(samples: Sequence[Row], cameras: Sequence[Row]) -> Row:
    """The row of the service."""
    seconds = samples[-1]["time"] - samples[0]["time"]
    latencies = [row["event_latency_ms"] for row in cameras if row["event_latency_ms"] is not None]
    read = sum(row["frames_read"] for row in cameras)
    return {
        "what": "service",
        "seconds": seconds,
        **growth(samples),
        "cores": (samples[-1]["used"] - samples[0]["used"]) / seconds,
        "frames_read": read,
        "dropped_share": sum(row["frames_dropped"] for row in cameras) / max(read, 1),
        "latency_ms": statistics.median(row["latency_ms"] or float("nan") for row in cameras),
        "event_latency_ms": statistics.median(latencies) if latencies else None,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Let the service run, print rows, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with clips/; default: drawn streets")
    parser.add_argument("--out", type=Path, help="JSON file for the rows, and memory and drops over time")
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the service is ended
    with tempfile.TemporaryDirectory(prefix="motionseg-soak-") as name:
        folder = Path(name)
        clips = write_clips(args.data, folder, args.cameras)
        config = "".join(CAMERA.format(name=f"camera{k}", path=clip) for k, clip in enumerate(clips, 1))
        served = Served(folder, RECORDINGS + config, state_every=60.0)
        try:
            served.start()
            samples = watch(served, 60 * args.minutes)
            cameras = list(of_cameras(samples))
            events = int(served.metric("motionseg_events_total"))
            served.stop()
        except FaultError as error:
            print(f"broken off: {error}", file=sys.stderr)
            return 1
        finally:
            served.end()
    rows = [*cameras, {**whole(samples, cameras), "events": events}]
    for row in rows:
        say(row)
    if args.out:
        memory = [[round(s["time"]), s["resident"]] for s in samples[::10]]
        dropped = [[round(s["time"]), dropped_by(s)] for s in samples[::10]]
        write_rows(args.out, rows, memory_mb=memory, frames_dropped=dropped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
