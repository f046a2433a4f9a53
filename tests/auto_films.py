"""Films of cameras that rest, shake, pan and turn, for the tests of `Auto`."""

import cv2
import numpy as np
import pytest

from motionseg.camera import SparseCorners
from motionseg.pipeline import FlowFused
from motionseg.pipeline._camera_watch import CameraWatch
from motionseg.pipeline.auto import BEHAVIOURS, WAYS

SHAPE = (120, 160)
take_over = FlowFused.take_over


def texture(shape, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    coarse, fine = (cv2.GaussianBlur(noise, (0, 0), s).astype(float) - 128 for s in (6, 1.2))
    return (128 + 6 * coarse + 0.8 * fine).clip(20, 235).astype(np.float32)


WORLD, OTHER = texture((280, 480), 0), texture((280, 480), 7)
THING = texture((44, 28), 1) * np.float32([0.3, 0.5, 1.05])
REST = (40.0, 40.0)  # what the camera has at its corner


def seen(world, x, y, zoom=1.0):
    """What a frame shows of a picture whose pixel (x, y) is at its corner."""
    centre = np.array([SHAPE[1] / 2, SHAPE[0] / 2])
    shift = np.column_stack([zoom * np.eye(2), centre - zoom * np.add(centre, (x, y))])
    return cv2.warpAffine(world, shift, SHAPE[::-1], flags=cv2.INTER_CUBIC)


def noisy(picture, i):
    return (picture + np.random.default_rng(i).normal(0, 2, picture.shape)).clip(0, 255).astype(np.uint8)


def film(places, *, first=0, world=WORLD, speed=2.5):
    """Frames of a camera at these places, and where a walker is, who goes to and fro from frame `first` on."""
    frames, truths = [], []
    for i, (x, y) in enumerate(places):
        picture, truth = seen(world, x, y), np.zeros(SHAPE, bool)
        if i >= first:
            phase = speed * (i - first) % 240
            left = round(10 + (phase if phase < 120 else 240 - phase))
            truth[40:84, left : left + 28] = True
            picture[truth] = THING.reshape(-1, 3)
        frames.append(noisy(picture, i))
        truths.append(truth)
    return frames, truths


def resting(n):
    return [REST] * n


def shaken(n, size=1.5):
    return [(REST[0] + dx, REST[1] + dy) for dx, dy in np.random.default_rng(3).normal(0, size, (n, 2))]


def panned(n, step=4.0, start=REST):
    return [(start[0] + step * (k + 1), start[1]) for k in range(n)]


def turned(rest, pan, then):
    """At rest, a pan, and at rest elsewhere."""
    places = resting(rest) + panned(pan)
    return places + [places[-1]] * then


WAYS_OF_CAMERAS = {"still": resting(10), "shaking": shaken(34), "panning": turned(7, 7, 2)}
# After so many frames: while the background is learned, relied upon, taken over from, and learned again.
STOPS = {"still": (1, 8), "shaking": (2, 10, 32), "panning": (6, 8, 10, 14)}
CAMERAS = ["still", "panning", pytest.param("shaking", marks=pytest.mark.slow)]


def overlap(mask, truth):
    found = mask == 255
    return np.count_nonzero(found & truth) / max(1, np.count_nonzero(found | truth))


def wrong(mask, truth):
    return np.mean((mask == 255) & ~truth)


def run(model, frames):
    """Masks, and behaviours and ways."""
    masks, words = [], []
    for frame in frames:
        masks.append(model.apply(frame))
        words.append((model.behaviour, model.way))
        assert model.behaviour in BEHAVIOURS
        assert model.way in WAYS
    return masks, words


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def assert_masks_of(expected, model, frames):
    for frame in frames:
        np.testing.assert_array_equal(model.apply(frame), expected.apply(frame))
        np.testing.assert_array_equal(model.score(), expected.score())


def watched(places, zooms=None):
    """The verdicts of a watch over these places."""
    zooms = [1.0] * len(places) if zooms is None else zooms
    frames = [noisy(seen(WORLD, *place, zoom), i) for i, (place, zoom) in enumerate(zip(places, zooms, strict=True))]
    watch = CameraWatch(SparseCorners(), frames[0])
    verdicts = [watch.verdict]
    for frame in frames[1:]:
        assert watch.update(frame)
        verdicts.append(watch.verdict)
    return verdicts
