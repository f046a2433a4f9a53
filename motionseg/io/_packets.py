"""Packets of a video stream, apart from FFmpeg's containers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import av

__all__ = ["IN_MP4", "RAW", "STILLS", "Head", "Packet", "parameter_sets"]

IN_MP4 = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})  # else .mkv, which holds nearly everything
STILLS = frozenset({"mjpeg", "png"})  # pictures one by one, which no browser shows as a video
RAW = frozenset({"rawvideo", "wrapped_avframe", "v210", "yuv4"})  # too large to be kept
_LONGEST_DELAY = 10.0
_START = b"\0\0\1"


class Packet(NamedTuple):
    """What is needed of a packet; FFmpeg's own belongs to a container, and muxing changes it."""

    data: bytes | memoryview
    time: float
    """Seconds, at which it is decoded."""
    dts: float | None
    """The same by the stream's own time stamps, which may jump."""
    pts: float | None
    """When it is shown, by these: what B-frames are made from goes before them."""
    is_key: bool

    @property
    def delay(self) -> float:
        """Seconds from decoding to showing."""
        delay = 0.0 if self.dts is None or self.pts is None else self.pts - self.dts
        return delay if 0 < delay < _LONGEST_DELAY else 0.0

    @property
    def shown(self) -> float:
        return self.time + self.delay


class Head:
    """What a decoder has to know before the first packet."""

    def __init__(self, codec: str, extradata: bytes, stream: Any = None) -> None:
        self.codec, self.extradata = codec, extradata
        self.template: Any = None
        if stream is not None and codec not in STILLS:
            # The stream of an output that is never written: it lives on when the source is closed.
            self._container = av.open(io.BytesIO(), "w", format="mp4" if codec in IN_MP4 else "matroska")
            self.template = self._container.add_stream_from_template(stream, opaque=True)


def parameter_sets(codec: str, data: bytes) -> bytes:
    """The parameter sets in front of the first slice of `data` (Annex B), each after a start code; b"": none.

    Examples
    --------
    >>> parameter_sets("h264", bytes.fromhex("00000001 09f0 000001 6742 00000001 68ce 000001 6588"))
    b'\\x00\\x00\\x00\\x01gB\\x00\\x00\\x00\\x01h\\xce'
    """
    if codec not in ("h264", "hevc"):
        return b""
    found = b""
    for unit in _units(data):
        kind = unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63
        if kind in ((7, 8, 13) if codec == "h264" else (32, 33, 34)):
            found += b"\0" + _START + unit
        elif kind in range(1, 6) if codec == "h264" else kind < 32:  # a slice: no look at the many bytes behind it
            break
    return found


def _units(data: bytes) -> Iterator[bytes]:
    at = data.find(_START)
    while at >= 0:
        end = data.find(_START, at + 3, at + 3 + 4096)  # parameter sets are short, slices need not be searched
        unit = data[at + 3 : end if end >= 0 else at + 3 + 4096]
        if unit:
            yield unit.rstrip(b"\0") if end >= 0 else unit
        at = end
