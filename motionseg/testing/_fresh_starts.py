"""Conformance checks of background models: fresh starts of pixels, moved cameras, a start from many frames."""

from __future__ import annotations

import numpy as np

from motionseg.background.base import BackgroundModel
from motionseg.core.errors import FrameError, ParameterError, StateError, UnsupportedError
from motionseg.core.types import FOREGROUND, Mask
from motionseg.testing._common import raises, require, same_arrays
from motionseg.testing._films import SHAPE, block, can, play, scene

__all__ = ["check_bootstrap", "check_restart", "check_warp"]

_BRIGHT = (250, 200, 240)


def _share(mask: Mask, where: object = ...) -> float:
    return float(np.mean(mask[where] == FOREGROUND))  # type: ignore[index]


def check_restart(model: BackgroundModel) -> None:
    """Restarted pixels know the frame they are given and nothing else; the others go on as before."""
    model, frames = model.clone(), scene(43, block_from=99)
    everywhere = np.ones(SHAPE[:2], bool)
    if not can(model, "restart"):
        play(model, frames[:1])
        refused = raises(UnsupportedError, model.restart, frames[0], everywhere)
        require(refused, model, "restart() raises UnsupportedError")
        return
    require(raises(StateError, model.restart, frames[0], everywhere), model, "an unborn model cannot restart pixels")
    play(model, frames[:40])
    before = model.state()
    model.restart(frames[40], ~everywhere)
    require(raises(FrameError, model.restart, frames[40][1:], everywhere), model, "frames of another size are refused")
    require(raises(FrameError, model.restart, frames[40], everywhere[1:]), model, "pixels of another size are refused")
    require(same_arrays(before, model.state()), model, "restarting no pixel, or a refused one, changes nothing")
    restarted, other = np.zeros(SHAPE[:2], bool), np.zeros(SHAPE[:2], bool)
    restarted[8:40, 8:28], other[8:40, 40:60] = True, True
    for frame in frames[40:]:
        frame[restarted | other] = _BRIGHT
    lent = frames[40].copy()
    model.restart(lent, restarted)
    require(np.array_equal(lent, frames[40]), model, "restart() leaves the frame unchanged")
    if can(model, "background"):
        distance = np.abs(model.background()[restarted].astype(int) - _BRIGHT)
        require(np.median(distance) < 20, model, "the background of restarted pixels is the frame they were given")
    lent[:] = 0
    mask = model.apply(frames[41])
    require(_share(mask, restarted) < 0.1, model, "restarted pixels take the frame they were given for background")
    require(_share(mask, other) > 0.5, model, "pixels that were not restarted go on as before")
    require(_share(mask, ~restarted & ~other) < 0.1, model, "what lies beside restarted pixels stays background")


def check_warp(model: BackgroundModel) -> None:
    """What was learned moves with the camera; what comes into sight is reported, and starts anew."""
    dx, dy = 8, -6
    film = scene(43, (SHAPE[0] + 16, SHAPE[1] + 16, 3), block_from=42)
    before = [frame[8:-8, 8:-8] for frame in film]
    after = [frame[8 - dy : 8 - dy + SHAPE[0], 8 - dx : 8 - dx + SHAPE[1]] for frame in film]
    shift = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], float)
    model = model.clone()
    if not can(model, "restart"):
        play(model, before[:1])
        require(raises(UnsupportedError, model.warp, shift, after[1]), model, "warp() raises UnsupportedError")
        return
    require(raises(StateError, model.warp, shift, after[0]), model, "an unborn model cannot follow a camera")
    play(model, before[:40])
    known = model.state()
    for bad in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2), "no matrix"):
        require(raises(ParameterError, model.warp, bad, after[40]), model, f"the transform {bad!r} is refused")
    require(raises(FrameError, model.warp, shift, after[40][1:]), model, "frames of another size are refused")
    require(not model.warp(np.eye(3), after[40]).any(), model, "a camera that stands still uncovers nothing")
    require(same_arrays(known, model.state()), model, "a camera that stands still, or a refused one, changes nothing")
    expected = np.ones(SHAPE[:2], bool)
    expected[:dy, dx:] = False
    picture = model.background() if can(model, "background") else None
    new = after[40].copy()
    new[expected] = _BRIGHT
    uncovered = model.warp(shift, new)
    exact = uncovered.dtype == np.bool_ and np.array_equal(uncovered, expected)
    require(exact, model, "warp() returns the pixels that come from outside the old frame")
    if picture is not None:
        moved = model.background()
        same = np.abs(moved[:dy, dx:].astype(int) - picture[-dy:, :-dx])[2:-2, 2:-2]  # models may smooth their rims
        require(same.max() <= 1, model, "the background moves with the camera")
        distance = np.abs(moved[expected].astype(int) - _BRIGHT)
        require(np.median(distance) < 20, model, "uncovered pixels start anew")
    seen = after[41].copy()
    seen[expected] = _BRIGHT
    mask = model.apply(seen)
    require(_share(mask, ~expected) < 0.1, model, "what moved with the camera is known")
    require(_share(mask, expected) < 0.1, model, "uncovered pixels take the given frame for background")
    rows, columns = block(film[0].shape, 42)
    there = (slice(rows.start - 8 + dy, rows.stop - 8 + dy), slice(columns.start - 8 + dx, columns.stop - 8 + dx))
    after[42][expected] = _BRIGHT
    require(_share(model.apply(after[42]), there) > 0.5, model, "after the camera has moved a new object is found")


def check_bootstrap(model: BackgroundModel) -> None:
    """A start from many frames knows the empty scene, though an object is in each of them."""
    frames = scene(100, block_from=0)
    later = scene(140, block_from=139)
    model = model.clone()
    play(model, scene(2, (20, 30)))
    if not can(model, "reset"):
        return
    refused = raises(FrameError, model.bootstrap, []) and raises(FrameError, model.bootstrap, [frames[0], later[0][1:]])
    require(refused, model, "no frames, and frames of different sizes, are refused")
    require(not raises(FrameError, model.apply, scene(1, (20, 30))[0]), model, "a refused start changes nothing")
    given = [frame.copy() for frame in frames]
    require(model.bootstrap(frames) is model, model, "bootstrap() returns the model")
    require(all(np.array_equal(a, b) for a, b in zip(given, frames, strict=True)), model, "frames are left unchanged")
    require(raises(StateError, model.score), model, "score() after bootstrap() raises StateError")
    masks = [model.apply(frame) for frame in later[100:]]
    require(_share(masks[0]) < 0.02, model, "after bootstrap() the empty scene is background at once")
    require(_share(masks[-1], block(SHAPE, 139)) > 0.5, model, "after bootstrap() a new object is found")
