"""Small films, and how models are played to and compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.types import Frame
from motionseg.testing._common import require

__all__ = ["SHAPE", "block", "can", "play", "require_same", "scene"]

SHAPE = (48, 64, 3)
Answer = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def scene(n: int, shape: tuple[int, ...] = SHAPE, *, seed: int = 0, block_from: int | None = None) -> list[Frame]:
    """`n` noisy frames of a textured wall; from frame `block_from` (default: the middle) on, a block moves over it."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 160, (-(-shape[0] // 4), -(-shape[1] // 4), *shape[2:]))
    wall = coarse.repeat(4, axis=0).repeat(4, axis=1)[: shape[0], : shape[1]]
    frames = []
    for i in range(n):
        frame = wall + rng.normal(0, 2, shape)
        if i >= (n // 2 if block_from is None else block_from):
            frame[block(shape, i)] = 250 if frame.ndim == 2 else (250, 200, 240)
        frames.append(frame.clip(0, 255).astype(np.uint8))
    return frames


def block(shape: tuple[int, ...], i: int) -> tuple[slice, slice]:
    h, w = shape[0] // 3, shape[1] // 4
    x = (3 * i) % (shape[1] - w)
    return slice(h, 2 * h), slice(x, x + w)


def play(model: BackgroundModel, frames: Sequence[Frame], **arguments: Any) -> list[Answer]:
    return [(model.apply(frame, **arguments), model.score()) for frame in frames]


def can(model: BackgroundModel, ability: str) -> bool:
    return ability not in model._unsupported


def require_same(model: BackgroundModel, a: Sequence[Answer], b: Sequence[Answer], promise: str) -> None:
    # A wrapped library that draws from a random source we cannot seed can only be alike, not the same.
    share = 1.0 if can(model, "determinism") else 0.9
    same = [np.mean(x[0] == y[0]) >= share and np.mean(x[1] == y[1]) >= share for x, y in zip(a, b, strict=True)]
    require(all(same), model, f"{promise}; first differs in frame {same.index(False) if False in same else None}")
