"""ByteTrack and OC-SORT of the PyPI package `trackers` as linkers, for rows beside ours in `motionseg bench mot`.

    cd benchmarks
    export MOTIONSEG_PEER_PYTHON=peers/bin/python
    motionseg bench mot ROOT -o OUT --methods linker,byte,peer_linkers:ByteTrack,peer_linkers:OCSORT

They run in an environment of their own (`trackers` brings opencv-python, which would overwrite the contrib wheel), a
frame at a time through a pipe, which their frames/s pay for: speed is compared by tracking.py.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.errors import ParameterError, UnsupportedError
from motionseg.core.types import Regions, Tracks, TrackState
from motionseg.track import RegionLinker

_FPS = 25.0  # that of TUD; `trackers` measures its patience in frames of 1/30 s


class _Peer(RegionLinker):
    """One of them; says only what it sees."""

    info = ModelInfo(paper="roboflow/trackers", speed="fast", good_at="boxes of detectors")
    _name: ClassVar[str]

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._time = -np.inf

    def update(self, regions: Regions, time: float, **ignored: Any) -> Tracks:
        time = check_number("time", time)
        if time <= self._time:
            raise ParameterError(f"time increases from call to call: {time} s after {self._time} s")
        self._time = time
        found = self._ask({"boxes": regions.boxes.tolist(), "scores": regions.scores.tolist()})
        boxes = np.array(found["boxes"], np.float32).reshape(-1, 4)
        n = len(boxes)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).astype(np.int64)
        states = np.full(n, TrackState.CONFIRMED, np.uint8)
        ids = np.array(found["ids"], np.int64) + 1
        nothing = np.zeros(n, np.int32), areas, np.ones(n, np.float32), np.zeros((n, 2), np.float32)
        return Tracks(time, ids, boxes, *nothing, states)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            python = os.environ.get("MOTIONSEG_PEER_PYTHON")
            if not python:
                raise ParameterError("MOTIONSEG_PEER_PYTHON is a Python in which `import trackers` works")
            worker = str(Path(__file__).with_name("peer_tracks.py"))
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._process = subprocess.Popen([python, worker], text=True, env={**os.environ, "PYTHONPATH": ""}, **pipes)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tracker": self._name, "fps": _FPS, **order}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("tracks "):
                return dict(json.loads(line[7:]))
        raise RuntimeError("the process of the peers ended")

    def reset(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process, self._time = None, -np.inf

    def __del__(self) -> None:
        self.reset()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        raise UnsupportedError("trackers does not tell its state")

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        raise UnsupportedError("trackers does not tell its state")


class ByteTrack(_Peer):
    """Zhang 2022, as `trackers` has it, with its defaults."""

    _name = "ByteTrack"


class OCSORT(_Peer):
    """Cao 2023, as `trackers` has it, with its defaults."""

    _name = "OC-SORT"
