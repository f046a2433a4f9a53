"""Drawn scenes of which all is known: coloured things on plain ways, their regions, and what a linker makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from motionseg.core.types import Labels, Tracks, TrackState
from motionseg.regions import find_regions
from motionseg.track.base import RegionLinker

RED, BLUE, GREEN, GREY = (40, 40, 200), (200, 60, 40), (50, 180, 50), (60, 60, 60)
SHAPE = (120, 260)
FPS = 25
Way = Callable[[float], "tuple[float, float] | None"]


@dataclass(frozen=True)
class Thing:
    """A thing with its middle at `way(time)`, None where it is not there; later ones are in front."""

    way: Way
    color: tuple[int, int, int] = RED
    size: tuple[int, int] = (20, 40)
    round: bool = False
    ghost: bool = False  # in the mask, though nothing is to be seen there

    def pixels(self, time, shape=SHAPE, pan=(0, 0)):
        inside, place = np.zeros(shape, bool), self.way(time)
        if place is None:
            return inside
        (w, h), (x, y) = self.size, (round(place[0] - pan[0]), round(place[1] - pan[1]))
        if self.round:
            v, u = np.ogrid[: shape[0], : shape[1]]
            return ((u - x + 0.5) / w) ** 2 + ((v - y + 0.5) / h) ** 2 <= 0.25
        x0, y0 = x - w // 2, y - h // 2
        inside[max(y0, 0) : max(y0 + h, 0), max(x0, 0) : max(x0 + w, 0)] = True
        return inside


@dataclass(frozen=True)
class Seen:
    """One frame: `truth` has the number, from 1, of the thing in front."""

    time: float
    tracks: Tracks
    labels: Labels
    identities: Labels | None
    truth: Labels
    known: np.ndarray | None

    def owner(self, number: int) -> int:
        """The id that most of a thing's pixels have; 0 for none."""
        ids = self.identities[self.truth == number]
        return int(np.bincount(ids).argmax()) if len(ids) else 0

    def owners(self, n: int) -> list[int]:
        return [self.owner(number) for number in range(1, n + 1)]

    def state(self, identity: int) -> TrackState | None:
        """None where there is no such track."""
        states = self.tracks.states[self.tracks.ids == identity]
        return TrackState(int(states[0])) if len(states) else None

    def label(self, identity: int) -> int:
        return int(self.tracks.labels[self.tracks.ids == identity][0])


def straight(x: float, y: float, vx: float = 0.0, vy: float = 0.0, *, begin: float = 0.0, end: float = 1e9) -> Way:
    """From (x, y) at time 0 with that velocity, px/s; there from `begin` on and before `end`."""
    return lambda t: (x + vx * t, y + vy * t) if begin <= t < end else None


def through(*points: tuple[float, float, float]) -> Way:
    """By straight ways through (time, x, y); not there before and after."""
    times, xs, ys = np.array(points, float).T
    return lambda t: (np.interp(t, times, xs), np.interp(t, times, ys)) if times[0] <= t <= times[-1] else None


def wall(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """An empty scene with a soft pattern, which has no edges."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (np.stack([np.sin(x / 40), np.cos(y / 30), np.sin((x + y) / 50)], axis=2) * 20 + 140).astype(np.uint8)


def followed(
    linker: RegionLinker,
    things: Sequence[Thing],
    seconds: float,
    *,
    start: float = 0.0,
    shape: tuple[int, int] = SHAPE,
    pan: Callable[[float], tuple[float, float]] | None = None,
    grey: bool = False,
    learned: np.ndarray | None = None,
    colors: bool = True,
) -> list[Seen]:
    """What `linker` says of the things in the frames from `start` on, for so many seconds.

    `pan`: where the picture's corner is in the scene. `learned`: the background, for when the linker asks for it.
    """
    results, first = [], round(start * FPS)
    for i in range(first, first + round(seconds * FPS)):
        time = i / FPS
        at = (0.0, 0.0) if pan is None else tuple(np.round(pan(time)))
        frame, truth = wall(shape), np.zeros(shape, np.int32)
        mask = np.zeros(shape, np.uint8)
        for number, thing in enumerate(things, 1):
            inside = thing.pixels(time, shape, at)
            mask[inside], truth[inside] = 255, number
            if not thing.ghost:
                frame[inside] = thing.color
        if grey:
            frame = frame.mean(axis=2).astype(np.uint8)
        camera = None
        if pan is not None and i > 0:
            camera = np.eye(3)
            camera[:2, 2] = np.round(pan((i - 1) / FPS)) - at
        empty = learned if linker.needs_background else None
        labels, regions = find_regions(mask, frame=frame if colors else None, background=empty)
        tracks = linker.update(regions, time, labels=labels, camera=camera, frame=frame if colors else None)
        known = linker.known_foreground()
        results.append(Seen(time, tracks, labels, linker.identities(), truth, known))
    return results


def states_in_order(results: Sequence[Seen], identity: int) -> list[TrackState]:
    """The states that a track has been in, without repetitions."""
    states: list[TrackState] = []
    for seen in results:
        state = seen.state(identity)
        if state is not None and (not states or states[-1] != state):
            states.append(state)
    return states
