"""Flow segmentation of a whole clip, in both directions of time."""

from __future__ import annotations

import tempfile
import weakref
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionseg.core.types import Flow, Frame
from motionseg.fuse.base import Fusion
from motionseg.fuse.cues import prior_cue
from motionseg.pipeline.flow_fused import FlowFused, carried, reduced

__all__ = ["FlowOffline", "fingerprint"]

Values = npt.NDArray[np.float32]

_CHUNK, _RUN_UP = 100, 25  # frames: done together; and seen beyond them, for the pass back in time to get going
_APPEARANCE, _PRIOR = 0.5, 0.43  # how much of these cues counts, behind two passes that have used them already
_STEPS = 8.0  # kept log-odds are integers of one byte, so many to one


def fingerprint(frame: Frame) -> int:
    """A number that tells frames of a clip apart."""
    return zlib.crc32(frame.tobytes())


@dataclass(eq=False)
class _Item:
    """What is kept of a frame until it is done."""

    key: int
    small: Frame
    back: npt.NDArray[np.float16] | None
    """Flow to the frame before."""
    ahead: npt.NDArray[np.float16] | None = None
    """Flow to the frame behind."""
    forward: Values | None = None
    backward: Values | None = None
    """Log-odds of the pass forward, and of the one back in time."""


class FlowOffline:
    """Sees the frames of a clip once, in their order, and then knows the fused score of each.

    Frames are done in groups of 100, with 25 more on both sides, so memory does not grow with the clip; results wait in
    a temporary file, compressed: about 50 kB a frame.
    """

    def __init__(self, model: FlowFused) -> None:
        self._model = model
        self._forward: FlowFused | None = None
        self._items: list[_Item] = []
        self._last: Frame | None = None
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the object
        weakref.finalize(self, self._file.close)
        self._kept: dict[int, tuple[int, int, tuple[int, ...], list[str]]] = {}

    def __len__(self) -> int:
        """Frames that are done."""
        return len(self._kept)

    def __contains__(self, frame: Frame) -> bool:
        """Whether it is done."""
        return fingerprint(frame) in self._kept

    def push(self, frame: Frame) -> None:
        """The next frame of the clip."""
        frame = frame.copy()
        small = reduced(frame)  # the same, if it is small already
        if self._forward is None:
            self._forward = self._model.clone()
            self._forward.begin(small.shape)
        item = _Item(fingerprint(frame), small, None)
        if self._last is not None:
            before = self._items[-1]
            before.ahead = self._model.flow_between(self._last, frame).astype(np.float16)
            back = self._model.flow_between(frame, self._last)
            item.forward = prior_cue(self._forward.advance(small, before.small, back).score)
            item.back = back.astype(np.float16)
        self._last = frame
        self._items.append(item)
        if len(self._items) >= _CHUNK + 2 * _RUN_UP:
            self._do(_CHUNK)

    def finish(self) -> None:
        """There are no more frames, or the next one is not of this shot."""
        if len(self._items) > 1:
            self._do(len(self._items))
        self._items, self._last, self._forward = [], None, None

    def look_up(self, frame: Frame) -> Fusion | None:
        """What was found in a frame; None if it was not among those that are done."""
        kept = self._kept.get(fingerprint(frame))
        if kept is None:
            return None
        start, length, shape, names = kept
        self._file.seek(start)
        data = zlib.decompress(self._file.read(length))
        shares = np.frombuffer(data, np.int8).reshape(shape).astype(np.float32) / np.float32(_STEPS)
        return Fusion(1 / (1 + np.exp(-shares.sum(axis=0))), dict(zip(names, shares, strict=True)))

    def _do(self, n: int) -> None:
        """Keep the results of the first `n` items, and forget these but the last of them."""
        self._pass_back()
        colours = self._model.appearance.clone(memory=0.0)
        counts = np.zeros_like(colours.state()["counts"])
        for item in self._items:
            colours.update(item.small, np.float32(1) / (np.float32(1) + np.exp(-_both(item))))
            counts = counts + colours.state()["counts"]
        colours.load_state({"counts": counts, "n_frames": np.array(len(self._items))})
        for i in range(n):
            item = self._items[i]
            if item.key in self._kept:  # the last item of the group before
                continue
            near = [(self._items[i - 1], item.back)] if i > 0 else []
            near += [(self._items[i + 1], item.ahead)] if i + 1 < len(self._items) else []
            prior = sum(carried(_both(other), _wide(flow)) for other, flow in near)
            cues: dict[str, Values] = {
                "forward": _both(item) if item.forward is None else item.forward,
                "backward": _both(item) if item.backward is None else item.backward,
                "prior": np.float32(_PRIOR) * np.asarray(prior, np.float32),
                "appearance": np.float32(_APPEARANCE) * colours.log_odds(item.small),
            }
            self._keep(item.key, self._model.fuser.fuse(cues, frame=item.small))
        self._items = self._items[n - 1 :]

    def _pass_back(self) -> None:
        """Go through the items from the last to the first."""
        model = self._model.clone()
        model.begin(self._items[0].small.shape)
        for item, behind in zip(self._items[-2::-1], self._items[:0:-1], strict=True):
            item.backward = prior_cue(model.advance(item.small, behind.small, _wide(item.ahead)).score)
        self._items[-1].backward = None

    def _keep(self, key: int, fusion: Fusion) -> None:
        names = list(fusion.evidence)
        shares = np.rint(np.stack(list(fusion.evidence.values())) * np.float32(_STEPS))
        field = np.rint(np.log(fusion.score / (1 - fusion.score)) * np.float32(_STEPS))
        shares[-1] = field - shares[:-1].sum(axis=0)  # so that roundings do not add up
        data = zlib.compress(np.clip(shares, -128, 127).astype(np.int8).tobytes(), 1)
        start = self._file.seek(0, 2)
        self._file.write(data)
        self._kept[key] = start, len(data), shares.shape, names


def _wide(flow: npt.NDArray[np.float16] | None) -> Flow:
    assert flow is not None  # of all items but the first and the last
    return flow.astype(np.float32)


def _both(item: _Item) -> Values:
    """The mean log-odds of both passes; of one, where there is but one."""
    passes = [way for way in (item.forward, item.backward) if way is not None]
    return np.asarray(np.mean(passes, axis=0, dtype=np.float32))
