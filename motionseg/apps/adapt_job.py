"""A network fits itself to one camera: what several models agree on in a clip of it teaches it for a few minutes."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionseg.apps.config import build_segmenter
from motionseg.apps.stop import Stop
from motionseg.core.errors import MissingExtraError, OutputError, ParameterError
from motionseg.core.state import write_state
from motionseg.core.types import FOREGROUND
from motionseg.io.video import open_video
from motionseg.pipeline.adaptation import sample_unlabelled

__all__ = ["adapt_to_clip"]

_WIDTH = 640  # pixels: wider frames are shrunk
_HELD_OUT = 0.2  # of the samples: the clip's end
_LEAST_GAIN = 1e-3  # of IoU
_LEAST_MOTION = 30  # pixels of a sample


def adapt_to_clip(
    clip: str,
    output: Path,
    *,
    weights: str = "small",
    model: str = "auto",
    n_frames: int = 400,
    steps: int = 300,
    learning_rate: float = 3e-4,
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
    on_pass: Callable[[int], None] = lambda done: None,
    on_step: Callable[[int, float], None] = lambda done, loss: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Fine-tune weights on a clip without labels, and write them if they got better on its end.

    Parameters
    ----------
    clip : str
        Anything that `open_video` opens; its first `n_frames` frames are used.
    output : Path
        A safetensors file.
    weights : str
        To start from: a name, or a file.
    model : str
        Whose masks are to be refined, as for `motionseg segment --model`.
    n_frames, steps : int
        At least 20; at least 1, of 8 samples each.
    learning_rate : float
    device : str
    seed : int
    overwrite : bool
        Replace a file that is there.
    on_pass, on_step : callable
        Told how many of the five passes over the clip are done, and how many steps.
    stop : Stop, optional
        Ends it; nothing is written then.

    Returns
    -------
    dict
        ``kept``; ``iou_before``, ``iou_after`` (on the last fifth of the clip, which was not learned); ``steps``,
        ``frames``, ``complete``.

    Raises
    ------
    MissingExtraError
        torch, kornia, tensorboardX or safetensors is not installed.
    OutputError
        The file is there already, or cannot be written.
    ParameterError
        A number is out of range; the clip is too short; the models agree on too little motion in it.
    SourceError, StateError
        The clip or the weights cannot be read.
    """
    try:
        from motionseg.refine._engine import chosen_device
        from motionseg.refine._samples import SampleSet
        from motionseg.refine._training import Trainer, mask_quality
        from motionseg.refine._weights import read_weights, weights_path, write_weights
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in {"torch", "kornia", "safetensors", "tensorboardX"}:
            raise
        raise MissingExtraError("adaptation", "pip install motionseg[refine]") from error
    if output.exists() and not overwrite:
        raise OutputError(f"{output} is there already; --overwrite replaces it")
    try:  # now, and not when the work is done
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise OutputError(f"{output}: {error}") from error
    place = chosen_device(device)
    network, name, facts = read_weights(weights_path(weights))
    if facts.get("n_classes", 1) != 1:
        raise ParameterError(f"{weights}: tells classes apart, and what moves is no class")
    stop = stop or Stop()

    def passed(done: int) -> None:
        on_pass(done)
        if stop.asked:
            raise KeyboardInterrupt

    def stepped(done: int, loss: float) -> None:
        on_step(done, loss)
        if stop.asked:
            raise KeyboardInterrupt

    summary: dict[str, Any] = {"complete": False, "kept": False}
    with stop.listening(), tempfile.TemporaryDirectory(prefix="motionseg-adapt-") as folder:
        try:
            frames = _read(clip, n_frames)
            prior = build_segmenter(model).background
            arrays = sample_unlabelled(frames, prior, seed=seed, on_pass=passed)
            n = len(arrays["knows"])
            cut = n - max(1, round(_HELD_OUT * n))
            files = [Path(folder) / "learn.npz", Path(folder) / "judge.npz"]
            for file, rows in zip(files, (slice(cut), slice(cut, n)), strict=True):
                write_state(file, {key: value[rows] for key, value in arrays.items()}, {})
            learn, judge = (SampleSet([file]) for file in files)
            motion = (arrays["truth"][:, -1] == FOREGROUND).sum(axis=(1, 2)) >= _LEAST_MOTION
            if not motion[:cut].any() or not motion[cut:].any():
                raise ParameterError(
                    f"{clip}: the models agree on too little motion in its {len(frames)} frames to learn from, or "
                    "in the last fifth of them to judge by"
                )
            before = mask_quality(network.to(place), judge, 8, place)
            trainer = Trainer(
                Path(folder) / "run",
                learn,
                judge,
                network=name,
                steps=steps,
                batch=8,
                learning_rate=learning_rate,
                seed=seed,
                device=place,
                every=max(1, steps // 4),
                initial=network.state_dict(),
            )
            trainer.run(stepped)
            best, _, learned = read_weights(Path(folder) / "run" / "best.safetensors")
            after = mask_quality(best.to(place), judge, 8, place)
            summary |= {
                "complete": True,
                "iou_before": round(before["iou"], 4),
                "iou_after": round(after["iou"], 4),
                "steps": trainer.step,
                "frames": len(frames),
                "kept": after["iou"] > before["iou"] + _LEAST_GAIN,
            }
            if summary["kept"]:
                write_weights(output, best, name, {**facts, "adapted": {"clip": Path(clip).name, **learned}})
        except KeyboardInterrupt:
            pass
    return summary


def _read(clip: str, n_frames: int) -> list[Any]:
    with open_video(clip) as video:
        first = next(iter(video)).frame
    width = _WIDTH if first.shape[1] > _WIDTH else None
    with open_video(clip, width=width) as video:
        return [np.ascontiguousarray(shot.frame) for shot in itertools.islice(video, n_frames)]
