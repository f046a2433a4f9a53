"""Samples in memory, and batches of them as a network takes them, changed at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import kornia.enhance
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motionseg.core.errors import ParameterError
from motionseg.core.state import read_state

__all__ = ["Batch", "SampleSet", "batch_inputs", "warped"]

_ARRAYS = ("frame", "background", "score", "mask", "truth", "labels", "cues", "flow", "knows", "kind")
_UNKNOWN, _SHADOW_TRUTH, _MOTION, _SHADOW_MASK, _FOREGROUND = 170, 50, 255, 127, 255
_VOID = 255  # of classes
_HIDDEN = 0.08  # share of a thing that something must give away, for it to be judged
_TELLS = (0.04, 0.4, 0.35)  # change against the background, score, and motion's magnitude, from which something does
_CHANCES = {"background": 0.12, "score": 0.2, "flow": 0.25}  # that a cue is missing


class SampleSet:
    """Samples of all of `files` (see `motionseg.pipeline.training_clips`), kept in memory as bytes.

    Raises
    ------
    ParameterError
        There is no file.
    StateError
        A file is none of samples.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        if not files:
            raise ParameterError("there are no samples to learn from")
        parts = [read_state(file)[0] for file in files]
        self._parts = parts
        self._index = [(p, i) for p, part in enumerate(parts) for i in range(len(part["knows"]))]

    def __len__(self) -> int:
        return len(self._index)

    def take(self, which: Sequence[int]) -> dict[str, Tensor]:
        """Some samples as one batch of each array."""
        rows = [self._index[k] for k in which]
        return {name: torch.from_numpy(np.stack([self._parts[p][name][i] for p, i in rows])) for name in _ARRAYS}


class Batch(NamedTuple):
    """A batch of N samples of T frames; lists over the T frames."""

    pixels: list[Tensor]
    """float (N, 36, H/2, W/2)."""
    cues: list[Tensor]
    """float (N, 6, H/4, W/4), of which the network's last answer is still to come."""
    truth: list[Tensor]
    """float (N, 1, H, W): 1 motion, 0 not (or a class), NaN not judged."""
    shadow: list[Tensor]
    """float (N, 1, H, W): 1 cast shadow, 0 not, NaN not judged."""
    labels: list[Tensor]
    """int64 (N, H/4, W/4): ids of things, 0 none."""
    flow: Tensor
    """float (N, 2, H/4, W/4): from the second frame back to the first, in pixels of that size."""


def batch_inputs(
    arrays: dict[str, Tensor], *, generator: torch.Generator | None, device: torch.device, n_classes: int = 1
) -> Batch:
    """What the network takes, and what it should say.

    Parameters
    ----------
    arrays : dict of str to tensor
        A batch as `SampleSet.take` gives it.
    generator : torch.Generator, optional
        Mirrors, brightens, blurs and mixes colours at random, and leaves cues out; None: nothing of it.
    device : torch.device
    n_classes : int
        More than 1: the truth is a class, 255 none, instead of CDnet's codes; nothing is known of shadows.
    """
    data = {name: value.to(device, non_blocking=True) for name, value in arrays.items()}
    n, steps = data["truth"].shape[:2]
    # (N, T, H, W, 3) BGR -> (N, T, 3, H, W) RGB
    frame = data["frame"].flip(-1).permute(0, 1, 4, 2, 3).float() / 255
    background = data["background"].flip(-1).permute(0, 1, 4, 2, 3).float() / 255
    score, cues = data["score"].float()[:, :, None] / 255, data["cues"].permute(0, 1, 4, 2, 3).float() / 255
    mask = (data["mask"] == _FOREGROUND).float()[:, :, None] + 0.5 * (data["mask"] == _SHADOW_MASK)[:, :, None]
    truth, labels = data["truth"][:, :, None], data["labels"][:, :, 2::4, 2::4].long()
    flow = data["flow"].permute(0, 3, 1, 2).float()
    has = dict(zip(_CHANCES, data["knows"].float().unbind(dim=1), strict=True))
    if generator is not None:
        frame, background = _relit(frame, background, generator)
        flips = _chance(n, 0.5, generator, device).bool()
        for planes in (frame, background, score, mask, cues, truth, labels):
            planes[flips] = planes[flips].flip(-1)
        flow[flips] = flow[flips].flip(-1) * torch.tensor([-1.0, 1.0], device=device)[:, None, None]
        lost = {name: _chance(n, chance, generator, device) for name, chance in _CHANCES.items()}
        lost["score"] = lost["score"] * (1 - lost["background"]) * has["background"]  # one of them is there
        has = {name: has[name] * (1 - lost[name]) for name in has}
    there = {name: value.view(n, 1, 1, 1, 1) for name, value in has.items()}
    background = torch.where(there["background"] > 0, background, frame)
    change = (frame - background).abs().amax(dim=2, keepdim=True)
    planes = torch.cat([frame, background, change, score * there["score"], mask * there["score"]], dim=2)
    small = cues.shape[-2:]
    known = [there[name].expand(n, steps, 1, *small) for name in ("background", "score", "flow")]
    cues = torch.cat([cues * there["flow"], torch.zeros_like(cues[:, :, :1]), *known], dim=2)
    nothing = torch.tensor(float("nan"), device=device)
    if n_classes > 1:
        wanted = torch.where(truth == _VOID, nothing, truth.float())
        shadow = torch.full_like(wanted, float("nan"))
    else:
        judged = truth != _UNKNOWN
        judged &= ~_hidden(planes[:, :, 6:8], cues[:, :, :1], labels[:, :, None])
        wanted = torch.where(judged, (truth == _MOTION).float(), nothing)
        shadow = torch.where(judged, (truth == _SHADOW_TRUTH).float(), nothing)
    return Batch(
        pixels=[F.pixel_unshuffle(planes[:, t], 2).contiguous(memory_format=torch.channels_last) for t in range(steps)],
        cues=[cues[:, t].contiguous(memory_format=torch.channels_last) for t in range(steps)],
        truth=list(wanted.unbind(dim=1)),
        shadow=list(shadow.unbind(dim=1)),
        labels=[labels[:, t] for t in range(steps)],
        flow=flow * there["flow"][:, 0],
    )


def _hidden(pixels: Tensor, magnitude: Tensor, labels: Tensor) -> Tensor:
    """bool (N, T, 1, H, W): things that nothing in the input gives away, such as those that have long stood still.

    To ask for them would teach the network to guess. `pixels` (N, T, 2, H, W): change and score; `labels` (N, T, 1,
    h, w) at the size of `magnitude`.
    """
    n, steps, _, height, width = pixels.shape
    coarse = F.avg_pool2d(pixels.flatten(0, 1), height // labels.shape[-2]).view(n, steps, 2, *labels.shape[-2:])
    told = (torch.cat([coarse, magnitude], dim=2) > pixels.new_tensor(_TELLS)[:, None, None]).any(dim=2, keepdim=True)
    frames = torch.arange(n * steps, device=labels.device).view(n, steps, 1, 1, 1)
    keys = (labels + 256 * frames).flatten()
    size = 256 * n * steps
    total = torch.bincount(keys, minlength=size)
    share = torch.bincount(keys, told.flatten().to(pixels.dtype), minlength=size) / total.clamp(min=1)
    hidden = ((share < _HIDDEN)[keys] & (labels.flatten() > 0)).view(n * steps, 1, *labels.shape[-2:])
    return F.interpolate(hidden.float(), size=(height, width)).view(n, steps, 1, height, width) > 0


def _chance(n: int, chance: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """float (n,), each 1 with that chance, else 0."""
    return (torch.rand(n, generator=generator) < chance).float().to(device)


def _relit(frame: Tensor, background: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Both in another light and other colours, mostly in the same."""
    n, device = len(frame), frame.device

    def drawn(deviation: float) -> Tensor:
        return (torch.randn(n, generator=generator) * deviation).exp().to(device)

    order = torch.arange(3).repeat(n, 1)
    mixed = torch.rand(n, generator=generator) < 0.3
    order[mixed] = torch.stack([torch.randperm(3, generator=generator) for _ in range(int(mixed.sum()))] or [order[0]])[
        : int(mixed.sum())
    ]
    gain, gamma, contrast = drawn(0.15), drawn(0.15), drawn(0.15)
    apart = 1 + _chance(n, 0.2, generator, device) * (drawn(0.08) - 1)  # the background of another hour
    relit = []
    for picture, own in ((frame, torch.ones_like(apart)), (background, apart)):
        steps = picture.shape[1]
        flat = torch.gather(picture, 2, order.to(device).view(n, 1, 3, 1, 1).expand_as(picture)).flatten(0, 1)
        each = [value.repeat_interleave(steps) for value in (gamma, contrast, gain * own)]
        flat = kornia.enhance.adjust_gamma(flat, each[0], torch.ones_like(each[0]))
        flat = kornia.enhance.adjust_contrast_with_mean_subtraction(flat, each[1])
        relit.append((flat * each[2].view(-1, 1, 1, 1)).clamp(0, 1).view_as(picture))
    return relit[0], relit[1]


def warped(planes: Tensor, flow: Tensor) -> Tensor:
    """`planes` (N, C, h, w) of the last frame where this frame has them; `flow` (N, 2, h, w) leads back, in pixels."""
    height, width = planes.shape[2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=flow.device), torch.arange(width, device=flow.device), indexing="ij"
    )
    at_x, at_y = (x + flow[:, 0]) * 2 / max(width - 1, 1) - 1, (y + flow[:, 1]) * 2 / max(height - 1, 1) - 1
    return F.grid_sample(planes, torch.stack([at_x, at_y], dim=-1), align_corners=True)
