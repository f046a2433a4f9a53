"""The picture of an event: what was seen, where it is going on, and a line about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from motionseg.core.types import Event, Frame, Segmentation
from motionseg.viz._text import text_size, write_text
from motionseg.viz.overlay import Trails, draw_overlay
from motionseg.viz.zones import Place, draw_zones

__all__ = ["draw_event"]

_INK = (235, 235, 235)


def draw_event(
    frame: Frame,
    segmentation: Segmentation,
    event: Event,
    places: Iterable[Place] = (),
    *,
    trails: Trails | None = None,
    when: str | None = None,
) -> Frame:
    """Draw mask, tracks, zones and lines over the frame in which an event was told, and write below what it is.

    Parameters
    ----------
    frame : uint8 (H, W) or (H, W, 3)
        Grey or BGR; not changed.
    segmentation : Segmentation
        Of this frame.
    event : Event
        Its zone is shown as open, also where it was a moment.
    places : iterable of Zone and Line
        As :func:`draw_zones` takes them.
    trails : Trails, optional
        As :func:`draw_overlay` takes them.
    when : str, optional
        Its time in words; default: its start in seconds.

    Returns
    -------
    uint8 (H', W, 3)
        BGR; higher than the frame by a strip for the line of text.

    Raises
    ------
    FrameError
        `frame` is no picture, or the segmentation is not of its size.

    Examples
    --------
    >>> mask = np.zeros((120, 160), np.uint8)
    >>> picture = draw_event(mask, Segmentation(0, 0.0, mask), Event("door-1-0", "door", "enter", "", (1,), 0.0))
    >>> picture.shape[0] > 120, picture.shape[1:]
    (True, (160, 3))
    """
    picture = draw_zones(draw_overlay(frame, segmentation, trails=trails), places, events=[replace(event, end=None)])
    tall = text_size(picture, "Ag")[1]
    strip = np.zeros((tall + 6, picture.shape[1], 3), np.uint8)
    ids = ", ".join(str(number) for number in event.track_ids[:8]) + (" ..." if len(event.track_ids) > 8 else "")
    words = [event.camera, f"{event.start:.2f} s" if when is None else when, event.rule, event.zone]
    write_text(strip, "  ".join([*filter(None, words), f"[{ids}]" if ids else ""]), (3, tall + 5), _INK)
    return np.ascontiguousarray(np.vstack((picture, strip)))
