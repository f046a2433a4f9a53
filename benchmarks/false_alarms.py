"""What is told where nothing happens: empty zones of real footage, while light, camera and lens are changed.

    python benchmarks/false_alarms.py --data DIR --out benchmarks/results/false_alarms.json

`--data` is the folder in which clips/ has vtest.avi and issue53_brightness_change.avi. In vtest.avi people walk all the
time, but never in the zones "house" and "lawn"; some seconds of it are changed as a switch, a cloud, a hand before the
lens and so on would change them. Rules are ``AnyMotion``, ``Enter`` and ``LeftObject`` in these zones. A row says
how many events of motion there were, and which verdicts on the whole picture were told. Exit status 1: an event of
motion was told, or not the one verdict that was to be told.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from _shared import Row, say, write_rows
from scipy.special import expit

from motionseg import MotionSegmenter, open_video
from motionseg.events import AnyMotion, Enter, EventDetector, LeftObject, Zone

WIDTH = 640  # as the service looks
BEGIN, END = 30.0, 40.0  # seconds of vtest.avi that are changed, or from BEGIN on
HOUSE = Zone("house", [(0.41, 0), (0.84, 0), (0.84, 0.18), (0.41, 0.18)], relative=True)
LAWN = Zone("lawn", [(0, 0.5), (0.05, 0.5), (0.14, 0.8), (0.14, 1), (0, 1)], relative=True)

Frame = np.ndarray
Change = Callable[[Frame, float], Frame]


def covered(frame: Frame, time: float) -> Frame:
    if not BEGIN <= time < END:
        return frame
    return np.random.default_rng(round(time * 10)).integers(6, 12, frame.shape).astype(np.uint8)


def hand(frame: Frame, time: float) -> Frame:
    """Something close before the lens: dark, and nothing sharp."""
    return np.uint8(cv2.GaussianBlur(frame, (0, 0), 60) * 0.15 + 20) if BEGIN <= time < END else frame


def signal_lost(frame: Frame, time: float) -> Frame:
    return np.full_like(frame, 128) if BEGIN <= time < END else frame


def brighter(frame: Frame, time: float) -> Frame:
    return np.uint8(np.clip(frame * 1.5 + 10, 0, 255)) if time >= BEGIN else frame


def darker(frame: Frame, time: float) -> Frame:
    return np.uint8(frame * 0.4) if time >= BEGIN else frame


def flicker(frame: Frame, time: float) -> Frame:
    """The light goes off for ten seconds and comes on again."""
    return np.uint8(frame * 0.5) if BEGIN <= time < END else frame


def cloud(frame: Frame, time: float) -> Frame:
    """It passes in a dozen seconds, and takes up to 45 % of the light."""
    return np.uint8(frame * (1 - 0.45 * np.exp(-(((time - 35) / 4) ** 2))))


def cloud_edge(frame: Frame, time: float) -> Frame:
    """Its soft edge moves over the picture from left to right."""
    x = np.linspace(0, 1, frame.shape[1], dtype=np.float32)
    rises, falls = ((time - since) / 5 - x for since in (BEGIN, END))
    shade = expit(rises / 0.08) - expit(falls / 0.08)
    return np.uint8(frame * (1 - 0.4 * shade)[None, :, None])


def defocused(frame: Frame, time: float) -> Frame:
    return cv2.GaussianBlur(frame, (0, 0), 5) if BEGIN <= time < END else frame


def knocked(frame: Frame, time: float) -> Frame:
    shift = np.float32([[1, 0, 60], [0, 1, 30]])
    size = frame.shape[1::-1]
    return cv2.warpAffine(frame, shift, size, borderMode=cv2.BORDER_REFLECT) if time >= BEGIN else frame


# Each change, and the rules of the events that are to tell of it.
CHANGES: dict[str, tuple[Change | None, tuple[str, ...]]] = {
    "nothing": (None, ()),
    "covered": (covered, ("camera_covered",)),
    "hand": (hand, ("camera_covered",)),
    "signal_lost": (signal_lost, ("camera_covered",)),
    "brighter": (brighter, ("light",)),
    "darker": (darker, ("light",)),
    "flicker": (flicker, ("light", "light")),
    "cloud": (cloud, ("light_drift",)),
    "cloud_edge": (cloud_edge, ("light_drift",)),
    "defocused": (defocused, ("camera_blurred",)),
    "knocked": (knocked, ("camera_moved",)),
}


def frames_of(path: Path, change: Change | None) -> Iterator[tuple[float, Frame]]:
    with open_video(path, width=WIDTH) as video:
        for _, time, frame in video:
            yield time, frame if change is None else change(frame, time)


def watched(frames: Iterator[tuple[float, Frame]], zones: list[Zone], wanted: tuple[str, ...], what: str) -> Row:
    """What the default segmenter and rules in `zones` tell of some frames."""
    names = tuple(zone.name for zone in zones)
    rules = [AnyMotion(zones=names), Enter(zones=names), LeftObject(zones=names)]
    segmenter, detector = MotionSegmenter.auto(), EventDetector(rules, zones)
    told, first, time = [], None, 0.0
    for time, frame in frames:
        seen = segmenter.step(frame, time)
        told += detector.update(seen.tracks, time, identities=seen.identities, verdict=seen.verdict)
        first = time if first is None else first
    told += detector.close(time)
    over = [event for event in told if event.end is not None]
    motion = [event for event in over if event.rule in ("any_motion", "enter", "left_object")]
    verdicts = [event.rule for event in over if event not in motion]
    seconds = time - (first or 0.0)
    facts = {"what": what, "seconds": round(seconds, 1), "motion_events": len(motion)}
    facts["false_alarms_per_hour"] = round(3600 * len(motion) / seconds, 1)
    facts |= {"verdicts": verdicts, "wanted": list(wanted), "right": not motion and tuple(verdicts) == wanted}
    return say(facts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", action="append", choices=[*CHANGES, "switched_light"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    clips, rows = args.data / "clips", []
    for name, (change, wanted) in CHANGES.items():
        if not args.only or name in args.only:
            zones = [HOUSE] if change is knocked else [HOUSE, LAWN]  # people come to where the lawn was
            rows.append(watched(frames_of(clips / "vtest.avi", change), zones, wanted, name))
    if not args.only or "switched_light" in args.only:
        film = clips / "issue53_brightness_change.avi"
        whole = Zone("picture", [(0, 0), (1, 0), (1, 1), (0, 1)], relative=True)
        rows.append(watched(frames_of(film, None), [whole], ("light",), "switched_light"))
    if args.out:
        write_rows(args.out, rows)
    return 0 if all(row["right"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
