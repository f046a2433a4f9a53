"""Conformance checks of background models: what `Guarded` gives to each of them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._guarded import Guarded
from motionseg.background.base import BackgroundModel
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Mask
from motionseg.testing._common import require
from motionseg.testing._films import SHAPE, block, can, play, scene

__all__ = ["check_ghosts", "check_light", "check_shadows"]

_FULL, _DIM, _DIM_AND_RED = (1.0, 1.0, 1.0), (0.65, 0.65, 0.65), (0.5, 0.6, 0.7)


def _guarded(model: BackgroundModel) -> Guarded | None:
    if not (can(model, "background") and can(model, "reset")):
        return None
    return Guarded(model.clone(), ghosts=can(model, "restart"))


def _share(mask: Mask, where: object) -> float:
    return float(np.mean(mask[where] == FOREGROUND))  # type: ignore[index]


def _lit(frame: Frame, light: tuple[float, float, float]) -> Frame:
    return np.asarray((frame * light).clip(0, 255), np.uint8)


def _pixels(where: tuple[slice, slice]) -> npt.NDArray[np.bool_]:
    pixels = np.zeros(SHAPE[:2], bool)
    pixels[where] = True
    return pixels


def check_light(model: BackgroundModel) -> None:
    """`Guarded`, it sees no more than what moves ten frames after the light was switched, and large things always."""
    frames, quiet = scene(70, block_from=50), scene(70, block_from=99)
    for before, after in ((_FULL, _DIM_AND_RED), (_DIM, _FULL)):
        guarded = _guarded(model)
        if guarded is None:
            return
        play(guarded, [_lit(frame, before) for frame in frames[:50]])
        for i in range(50, 62):
            mask = guarded.apply(_lit(frames[i], after))
            require(guarded.verdict == "switch" or i > 58, model, "guarded, it calls a switched light by its name")
        jumped = guarded.apply(_lit(frames[66], after))
        require(_share(jumped, block(SHAPE, 66)) > 0.3, model, "guarded, it finds what moves in a new light")
        trail = np.logical_or.reduce([_pixels(block(SHAPE, i)) for i in range(50, 62)])
        trail = cv2.dilate(np.uint8(trail), np.ones((7, 7))) > 0  # outlines may be smoothed
        require(_share(mask, ~trail) < 0.03, model, "guarded, it takes a new light for no motion")
    guarded = _guarded(model)
    play(guarded, quiet[:50])
    near = quiet[50].copy()
    near[:, : 6 * SHAPE[1] // 10] = scene(1, seed=9, block_from=99)[0][::-1, : 6 * SHAPE[1] // 10] // 3
    mask = guarded.apply(near)
    require(_share(mask, (slice(None), slice(0, SHAPE[1] // 2))) > 0.5, model, "guarded, it sees what fills the frame")
    require(guarded.verdict == "none", model, "guarded, it takes a large thing for no light")


def check_ghosts(model: BackgroundModel) -> None:
    """`Guarded`, a thing that was there from the first frame on and leaves is forgotten after 25 frames."""
    frames, place = scene(140, block_from=999), (slice(14, 34), slice(20, 44))
    guarded, plain = _guarded(model), model.clone()
    if guarded is None or not can(model, "restart"):
        return
    for frame in frames[:30]:
        frame[place] = (250, 200, 240)
    play(guarded, frames[:55])
    seen = frames[55].copy()
    mask = guarded.apply(seen)
    require(_share(mask, ...) < 0.03, model, "guarded, it forgets the ghost of what stood in the first frame")
    plain.bootstrap(frames[60:100])
    guarded.bootstrap(frames[60:100])
    for frame in frames[100:115]:
        frame[place] = (250, 200, 240)
        expected, mask = plain.apply(frame), guarded.apply(frame)
    require(
        _share(mask, place) >= _share(expected, place) - 0.2, model, "guarded, it takes what has stopped for no ghost"
    )


def check_shadows(model: BackgroundModel) -> None:
    """`Guarded`, it tells shadows from dark things."""
    frames, shaded = scene(51, block_from=99), (slice(10, 38), slice(6, 18))
    thing = (slice(8, 40), slice(36, 58))
    guarded, plain = _guarded(model), model.clone()
    if guarded is None:
        return
    play(guarded, frames[:50])
    play(plain, frames[:50])
    frame = frames[50]
    frame[shaded] = 0.6 * frame[shaded]
    frame[thing] = 0.6 * frame[thing][::-1, ::-1]
    mask = guarded.apply(frame)
    require(_share(mask, shaded) < 0.3, model, "guarded, it takes a shadow for no foreground")
    require(_share(mask, thing) > 0.4, model, "guarded, it takes a dark thing for no shadow")
    found = plain.apply(frame)[shaded] == FOREGROUND
    require(np.sum(mask[shaded][found] == SHADOW) >= np.sum(found) / 2, model, "guarded, it labels shadows")
