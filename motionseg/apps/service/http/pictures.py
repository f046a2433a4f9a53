"""A camera's newest frame as a JPEG, with what was found drawn over it; nothing is drawn unless somebody looks."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from motionseg.apps.service.http.answers import Refusal
from motionseg.core.types import Frame, Segmentation
from motionseg.viz.evidence import draw_evidence
from motionseg.viz.overlay import draw_overlay
from motionseg.viz.zones import draw_zones

__all__ = ["LAYERS", "MAX_WIDTH", "Pictures", "draw_layers", "encode"]

LAYERS = ("frame", "mask", "tracks", "zones")
MAX_WIDTH = 1920  # pixels
_QUALITY = 80  # of JPEG, in 0..100
_KEPT = 64  # pictures


def draw_layers(frame: Frame, segmentation: Segmentation, places: Any, layers: frozenset[str]) -> Frame:
    """The layers, one over the other.

    Parameters
    ----------
    frame : uint8 (H, W) or (H, W, 3)
        Not changed.
    segmentation : Segmentation
        Of this frame.
    places : sequence of Zone and Line
    layers : set of str
        Of :data:`LAYERS`. Without ``"frame"``, the mask is white on black, its shadows grey.

    Returns
    -------
    uint8 (H, W, 3)
        BGR.
    """
    tracks = segmentation if "tracks" in layers else replace(segmentation, tracks=None, identities=None)
    if "frame" in layers:
        tinted = "mask" in layers
        picture = draw_overlay(frame, tracks, alpha=0.4 if tinted else 0.0, contours=tinted)
    else:
        mask = segmentation.mask if "mask" in layers else np.zeros_like(segmentation.mask)
        picture = draw_overlay(mask, tracks, alpha=0.0, contours=False)
    return draw_zones(picture, places) if "zones" in layers and places else picture


def encode(picture: Frame, width: int | None) -> bytes:
    """`picture` as a JPEG, at most `width` pixels wide."""
    if width is not None and width < picture.shape[1]:
        size = width, max(1, round(picture.shape[0] * width / picture.shape[1]))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError("the picture cannot be encoded")
    return data.tobytes()


class Pictures:
    """Draws and encodes pictures, one at a time, and gives the same one to all who ask for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, frozenset[str], int | None], tuple[tuple[Any, ...], bytes]] = {}
        """By camera, layers and width: of which frame and places, and the JPEG. No frame is held by it."""

    def of(self, lookout: Any, layers: frozenset[str], width: int | None) -> tuple[Any, bytes]:
        """The `Latest` of a camera and its JPEG. Raises Refusal (503) where there is none yet."""
        latest = lookout.latest()
        if latest is None:
            raise Refusal(503, f"camera {lookout.name} has shown no picture yet", headers={"Retry-After": "1"})
        key, places = (lookout.name, layers, width), tuple(lookout.places())
        shown = (latest.number, latest.wall, *places)
        with self._lock:
            known = self._made.pop(key, None)
            if known is None or known[0] != shown:
                drawn = draw_layers(latest.frame, latest.segmentation, places, layers)
                known = (shown, encode(drawn, width))
            self._made[key] = known
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
        return latest, known[1]

    def evidence(self, lookout: Any) -> bytes:
        """What each cue says of each pixel of the newest frame. Raises Refusal where there is nothing to show."""
        latest = lookout.latest()
        if latest is None or not latest.segmentation.evidence:
            raise Refusal(503, f"camera {lookout.name} has shown no evidence yet", headers={"Retry-After": "1"})
        with self._lock:
            return encode(draw_evidence(latest.frame, latest.segmentation), None)
