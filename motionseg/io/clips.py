"""Pieces of a video as it came: packets kept for a while, cut at a key frame, written without encoding them again."""

from __future__ import annotations

import logging
import mmap
import os
import threading
from collections import deque
from collections.abc import Iterable
from itertools import chain, groupby, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2

from motionseg.core.checks import check_frame, check_integer, check_number
from motionseg.core.errors import OutputError, SourceError
from motionseg.core.types import Frame
from motionseg.io._clip_file import JUMP, ClipFacts, encode_source, write_clip
from motionseg.io._container import TOLERANT
from motionseg.io._packets import RAW, Head, Packet, parameter_sets
from motionseg.io.video import open_video

__all__ = ["ClipFacts", "PacketRing", "copy_clip"]

_LOG = logging.getLogger(__name__)
_SLAB = 256 << 10  # bytes of packets that are moved together
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}  # but on Windows


class _Group(NamedTuple):
    """A key frame and what follows up to the next."""

    head: Head
    packets: list[Packet]


class PacketRing:
    """The last seconds of a stream as it came, to cut clips from without encoding anything again.

    Parameters
    ----------
    seconds : float, above 0
        How far back clips reach. The key frame before that and all from there on is kept, too.
    max_bytes : int, at least 1
        More is never kept; where that is too little for `seconds`, a warning is logged once.

    Notes
    -----
    For use by several threads at once. Sound is left out. JPEG streams, as of many webcams, are kept as they are
    and encoded (H.264) when a clip is cut; raw video is refused by :meth:`add`, its frames may go through
    :meth:`add_picture`. A stream that changes (another camera, size or codec) begins anew: no clip goes across.
    Streams of H.264 with length prefixes (RTMP) are taken not to change.

    Examples
    --------
    >>> ring = PacketRing(30)
    >>> with open_video("rtsp://camera/1", on_packet=ring.add) as video:   # doctest: +SKIP
    ...     for index, time, frame in video:
    ...         if index == 500:
    ...             ring.save("clip.mp4", time - 5, time)
    """

    def __init__(self, seconds: float, *, max_bytes: int = 128 << 20) -> None:
        self.seconds = check_number("seconds", seconds, 0, above=True)
        self.max_bytes = check_integer("max_bytes", max_bytes, 1)
        self._groups: deque[_Group] = deque()
        self._n_bytes = self._n_loose = 0
        self._last = -float("inf")
        self._stream: Any = None
        self._head: Head | None = None
        self._lock = threading.Lock()
        self._has_warned = False

    @property
    def n_bytes(self) -> int:
        """What the packets take."""
        return self._n_bytes

    @property
    def span(self) -> tuple[float, float] | None:
        """Times of the first and the last packet kept; None while there is none."""
        with self._lock:
            return (self._groups[0].packets[0].time, self._last) if self._groups else None

    def add(self, packet: Any, time: float | None = None) -> bool:
        """Keep a packet of a video stream.

        Parameters
        ----------
        packet : av.Packet
            As the demuxer gives it, in its order. It is not changed, nor kept itself.
        time : float, optional
            Seconds at which it is decoded, in whatever count clips are to be asked for; None: by the stream's time
            stamps, as `open_video` counts.

        Returns
        -------
        bool
            False if packets of this kind are not kept (raw video, or no container holds it).
        """
        stream, unit = packet.stream, float(packet.time_base or 0)
        codec = stream.codec_context.codec.canonical_name
        if codec in RAW:
            return False
        if not packet.is_keyframe and stream is not self._stream:
            return True  # of a source that was joined on its way: it needs a key frame first
        begin = stream.start_time or 0
        pts, dts = (None if stamp is None else (stamp - begin) * unit for stamp in (packet.pts, packet.dts))
        if time is None:
            time = next((stamp for stamp in (dts, pts) if stamp is not None), max(0.0, self._last + 0.04))
        kept = Packet(bytes(packet), time, dts, pts, bool(packet.is_keyframe))
        if kept.is_key:
            try:
                head = self._head_of(stream, codec, kept.data)
            except (ValueError, av.FFmpegError):
                return False
            self._keep(kept, head)
        else:
            self._keep(kept, self._head)
        return True

    def add_picture(self, frame: Frame, time: float) -> None:
        """Keep a picture, uint8 (H, W) or (H, W, 3) BGR, as a JPEG: for sources that have no packets to keep."""
        done, data = cv2.imencode(".jpg", check_frame(frame), [cv2.IMWRITE_JPEG_QUALITY, 90])
        if done:
            head = self._head if self._head and self._head.template is None else Head("mjpeg", b"")
            self._keep(Packet(data.tobytes(), time, None, None, True), head)

    def _head_of(self, stream: Any, codec: str, data: bytes) -> Head | None:
        """The last head if it serves this key frame, too, else a new one; None: it cannot be decoded by itself."""
        own = stream.codec_context.extradata or b""
        sets = b"" if own[:1] == b"\1" else parameter_sets(codec, data)
        head, self._stream, is_same = self._head, stream, stream is self._stream
        extradata = sets or (head.extradata if head is not None and is_same else own)
        if not extradata and codec in ("h264", "hevc"):
            return None
        if head is None or (head.codec, head.extradata) != (codec, extradata):
            head = Head(codec, extradata, stream)
        return head

    def _keep(self, packet: Packet, head: Head | None) -> None:
        with self._lock:
            if packet.time < self._last - JUMP:
                self._clear()
            packet = packet._replace(time=max(packet.time, self._last))
            if packet.is_key:
                self._head = head
            if head is None or not (packet.is_key or self._groups):
                return
            if packet.is_key:
                if self._n_loose >= _SLAB:
                    self._settle()
                self._groups.append(_Group(head, []))
            self._groups[-1].packets.append(packet)
            self._n_bytes += len(packet.data)
            self._n_loose += len(packet.data)
            self._last = packet.time
            while len(self._groups) > 1 and self._groups[1].packets[0].time <= self._last - self.seconds:
                self._drop()
            while self._n_bytes > self.max_bytes:
                self._warn()
                self._drop()

    def _settle(self) -> None:
        """Move what has come since the last time out of the heap, into a mapping of its own.

        Small blocks that are kept for a minute between large ones that live for a moment keep these from being used
        again: a service would grow by megabytes a minute.
        """
        self._n_loose = 0
        loose = [group.packets for group in takewhile(_is_loose, reversed(self._groups))]
        try:
            slab = memoryview(mmap.mmap(-1, sum(len(packet.data) for packet in chain(*loose)), **_PRIVATE))
        except (OSError, ValueError):  # there are no more mappings, or no bytes: they stay where they are
            return
        begin = 0
        for packets in loose:
            for k, packet in enumerate(packets):
                end = begin + len(packet.data)
                slab[begin:end] = packet.data
                packets[k], begin = packet._replace(data=slab[begin:end]), end

    def _drop(self) -> None:
        self._n_bytes -= sum(len(packet.data) for packet in self._groups.popleft().packets)

    def _clear(self) -> None:
        self._groups.clear()
        self._n_bytes, self._n_loose, self._last = 0, 0, -float("inf")

    def _warn(self) -> None:
        if not self._has_warned:
            kept = self._last - self._groups[0].packets[0].time
            _LOG.warning("clips reach back %.1f s, not %g: more is over %d bytes", kept, self.seconds, self.max_bytes)
        self._has_warned = True

    def save(self, path: str | os.PathLike[str], start: float, end: float) -> ClipFacts:
        """Write what is kept of `start` to `end` (s), from the key frame at or before `start`.

        Parameters
        ----------
        path : path
            Ends in .mp4 or .mkv; its folder is made, an old file stays until the new one is whole. Where .mp4 cannot
            hold the codec, .mkv is written instead.
        start, end : float
            As the packets' times. What is no longer or not yet there is left out; of a stream that changed in
            between, the longer part is written.

        Raises
        ------
        OutputError
            The file cannot be written, or nothing is kept of that time.
        ParameterError
            `end` is before `start`.
        """
        check_number("end", end, check_number("start", start))
        best = self._best(start, end)
        if best is None:
            raise OutputError(f"{path}: nothing is kept of {start:.2f} to {end:.2f} s")
        return write_clip(Path(path), *best)

    def holds(self, start: float, end: float) -> bool:
        """Whether there is anything of `start` to `end` (s) to save."""
        return self._best(start, end) is not None

    def _best(self, start: float, end: float) -> tuple[Head, list[Packet]] | None:
        with self._lock:
            groups = [_Group(head, packets[:]) for head, packets in self._groups]
        best: tuple[Head, list[Packet]] | None = None
        for _, same in groupby(groups, lambda group: id(group.head)):
            run = list(same)
            packets = _cut((packet for group in run for packet in group.packets), start, end)
            if packets and (best is None or _length(packets, start) > _length(best[1], start)):
                best = run[0].head, packets
        return best


def copy_clip(source: str | os.PathLike[str], path: str | os.PathLike[str], start: float, end: float) -> ClipFacts:
    """Copy a piece of a video file without encoding it again, from the key frame at or before `start`.

    Parameters
    ----------
    source : path
        A video file. Folders and patterns of images, JPEG and raw video are encoded (H.264).
    path : path
        Ends in .mp4 or .mkv; its folder is made, an old file stays until the new one is whole. Where .mp4 cannot
        hold the codec, .mkv is written instead.
    start, end : float, at least 0
        Seconds of the file, as `open_video` counts.

    Raises
    ------
    SourceError
        `source` cannot be read, or has nothing between `start` and `end`.
    OutputError
        The clip cannot be written.
    ParameterError
        `end` is not after `start`.

    Notes
    -----
    The piece goes through memory, up to 1 GiB of it. Sound is left out. Where time stamps within the file jump,
    `open_video` counts on and this does not.
    """
    end = check_number("end", end, check_number("start", start, 0), above=True)
    seen: list[Any] = []
    with open_video(source, prefetch=0, on_packet=seen.append):  # says what is wrong with it, if anything
        ring = PacketRing(end - start + 1, max_bytes=1 << 30)
        is_copied = bool(seen) and ring.add(seen[0])
        index = seen[0].stream_index if seen else 0
    if not is_copied:
        return encode_source(source, Path(path), start, end)
    for back in (0.0, 10.0, 60.0, start):  # an index may lead to where there is no key frame, or there is none
        ring = PacketRing(end - start + 1, max_bytes=1 << 30)
        try:
            _fill(ring, os.fsdecode(source), index, max(0.0, start - back), end)
        except av.FFmpegError as error:
            if back == start:
                raise SourceError(error.strerror or str(error), source=os.fsdecode(source)) from error
        if ring.span is not None and ring.span[0] <= start:
            break
    if not ring.holds(start, end):
        raise SourceError(f"nothing between {start:g} and {end:g} s", source=os.fsdecode(source))
    return ring.save(path, start, end)


def _fill(ring: PacketRing, source: str, index: int, start: float, end: float) -> None:
    with av.open(f"file:{source}", **TOLERANT) as container:
        stream = container.streams[index]
        if start:
            container.seek(round(start / stream.time_base) + (stream.start_time or 0), stream=stream)
        for packet in container.demux(stream):
            if packet.size:
                ring.add(packet)
                if ring.span is not None and ring.span[1] > end:
                    break


def _cut(packets: Iterable[Packet], start: float, end: float) -> list[Packet]:
    """Packets from the last key frame at or before `start` to what is shown at `end`, in whole."""
    cut: list[Packet] = []
    n, latest = 0, end
    for packet in packets:
        if packet.time > latest:
            break
        if packet.is_key and packet.shown <= start:
            cut, n = [], 0
        cut.append(packet)
        if packet.shown <= latest:  # and all before it, of which it may be made
            latest = max(latest, max(p.shown for p in cut[n:]))
            n = len(cut)
    return cut[:n] if n and cut[n - 1].shown >= start else []


def _is_loose(group: _Group) -> bool:
    return not isinstance(group.packets[0].data, memoryview)


def _length(packets: list[Packet], start: float) -> float:
    return packets[-1].time - max(start, packets[0].time)
