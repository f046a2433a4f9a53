"""Writes clips: packets copied, or pictures encoded where copying makes no sense."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from motionseg.core.errors import SourceError
from motionseg.core.state import replacing
from motionseg.core.types import Frame
from motionseg.io._container import Converter
from motionseg.io._output import naming
from motionseg.io._packets import IN_MP4, STILLS, Head, Packet
from motionseg.io.video import open_video
from motionseg.io.write import VideoWriter

__all__ = ["JUMP", "ClipFacts", "encode_source", "write_clip"]

JUMP = 2.0  # seconds by which time stamps may differ from what passed before they are not believed
_UNIT = Fraction(1, 90000)
_OPTIONS = {"movflags": "faststart", "video_track_timescale": "90000"}  # the index in front: shown while it loads


@dataclass(frozen=True)
class ClipFacts:
    """What is in a clip that was written."""

    path: Path
    """The file; ends in .mkv where .mp4 was asked for and cannot hold the codec."""
    start: float
    """Seconds, as the source counts: the first frame. A key frame, and so mostly before what was asked for."""
    end: float
    """The last frame."""
    n_frames: int
    codec: str
    """FFmpeg's name, such as "h264"."""
    width: int
    height: int
    is_copied: bool
    """The camera's own packets, not encoded again."""
    plays_in_browser: bool
    """Every browser shows it: H.264, 8 bit, 4:2:0, in .mp4. HEVC plays on some systems, MPEG-4 part 2 nowhere."""
    n_bytes: int


def write_clip(path: Path, head: Head, packets: Sequence[Packet]) -> ClipFacts:
    """Write packets that begin with a key frame; an old file stays until the new one is whole. Raises OutputError."""
    if head.codec in STILLS:
        return _encode(path, _decoded(head, packets))
    is_mp4 = head.codec in IN_MP4 and path.suffix.lower() != ".mkv"
    path = path if is_mp4 else path.with_suffix(".mkv")
    width, height, pixels = _first_picture(head, packets[0])
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            shown = _mux(file.name, "mp4" if is_mp4 else "matroska", head, (width, height), packets)
        n_bytes = path.stat().st_size
    end = max(packet.shown for packet in _filled(packets))  # the first may have come late, as a bunch with others
    return ClipFacts(
        path=path,
        start=round(end - shown[-1], 6),
        end=end,
        n_frames=len(shown),
        codec=head.codec,
        width=width,
        height=height,
        is_copied=True,
        plays_in_browser=is_mp4 and head.codec == "h264" and pixels in ("yuv420p", "yuvj420p"),
        n_bytes=n_bytes,
    )


def _first_picture(head: Head, packet: Packet) -> tuple[int, int, str | None]:
    """Size and pixels of a key frame; what the source declared where it cannot be decoded."""
    declared = head.template.codec_context
    context = av.CodecContext.create(declared.codec, "r")
    context.thread_count = 1
    if head.extradata:
        context.extradata = head.extradata
    try:
        for frame in [*context.decode(av.Packet(packet.data)), *context.decode(None)]:
            return frame.width, frame.height, frame.format.name
    except av.FFmpegError:
        pass
    return declared.width, declared.height, declared.pix_fmt


def _mux(name: str, format: str, head: Head, size: tuple[int, int], packets: Sequence[Packet]) -> list[float]:
    """Seconds at which the written packets are shown, from the first one on, increasing."""
    shown = []
    options = _OPTIONS if format == "mp4" else {}
    with av.open(f"file:{name}", "w", format=format, options=options) as container:
        stream = container.add_stream_from_template(head.template, opaque=True)
        stream.codec_context.width, stream.codec_context.height = size
        if format == "mp4" and head.codec == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # Apple plays no other
        if head.extradata != stream.codec_context.extradata:
            stream.codec_context.extradata = head.extradata
        last, step = -1 << 62, 3600
        for packet, decoded, time in _timed(packets):
            dts = max(round(decoded / _UNIT), last + 1)
            step, last = dts - last if last > -1 << 62 else step, dts
            muxed = av.Packet(packet.data)
            muxed.stream, muxed.time_base, muxed.is_keyframe = stream, _UNIT, packet.is_key
            muxed.dts, muxed.pts, muxed.duration = dts, max(dts, round(time / _UNIT)), step
            try:
                container.mux_one(muxed)
            except av.error.InvalidDataError:  # damaged on its way; the next ones may be good
                continue
            shown.append(time)
    if not shown:
        raise ValueError("none of its packets can be")
    return sorted(shown)


def _timed(packets: Sequence[Packet]) -> Iterator[tuple[Packet, float, float]]:
    """Packets with the seconds of decoding and of showing, by the stream's stamps as long as they can be believed."""
    clock, first, last = 0.0, None, None
    for packet in _filled(packets):
        if last is not None:
            gap = packet.time - last.time
            step = gap if packet.dts is None or last.dts is None else packet.dts - last.dts
            clock += step if step > 0 and abs(step - gap) < JUMP else max(gap, 0.001)
        first, last = first or packet, packet
        shown = clock + packet.delay - first.delay
        if shown >= 0:  # else shown before the key frame, and made from what was before it
            yield packet, clock - first.delay, shown


def _filled(packets: Sequence[Packet]) -> list[Packet]:
    """Packets that lack only the time of decoding, such as Matroska's first ones with B-frames, get one."""
    filled = list(packets)
    known = [p.dts for p in packets if p.dts is not None][:2]
    step = known[1] - known[0] if len(known) > 1 and 0 < known[1] - known[0] < JUMP else 0.04
    for i in range(len(filled) - 2, -1, -1):
        after = filled[i + 1].dts
        if filled[i].dts is None and filled[i].pts is not None and after is not None:
            filled[i] = filled[i]._replace(dts=after - step, time=filled[i + 1].time - step)
    return filled


def _decoded(head: Head, packets: Sequence[Packet]) -> Iterator[tuple[float, Frame]]:
    context: Any = av.CodecContext.create(head.codec, "r")
    converter = Converter(head.codec, grey=False)
    begin = None
    for packet, _, shown in _timed(packets):
        begin = packet.time if begin is None else begin
        try:
            for frame in context.decode(av.Packet(packet.data)):
                yield begin + shown, converter.array(frame)
        except (av.FFmpegError, SourceError):
            continue


def encode_source(source: str | os.PathLike[str], path: Path, start: float, end: float) -> ClipFacts:
    """Encode what is between two times of a source. Raises SourceError, OutputError."""
    with open_video(source, start=start, end=end) as video:
        return _encode(path, ((time, frame) for _, time, frame in video))


class _Encoder(VideoWriter):
    _container_options = _OPTIONS


def _encode(path: Path, pictures: Iterator[tuple[float, Frame]]) -> ClipFacts:
    """Write pictures as H.264, as long as they are of one size."""
    path = path.with_suffix(".mp4")
    shape, times = None, []
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file, _Encoder(file.name) as writer:
            for time, frame in pictures:
                shape = shape or frame.shape
                if frame.shape != shape:
                    break
                times.append(time)
                writer.write(frame, time - times[0])
            codec = writer._codec
            if shape is None:
                raise ValueError("none of its pictures can be decoded")
        n_bytes = path.stat().st_size
    return ClipFacts(
        path=path,
        start=times[0],
        end=times[-1],
        n_frames=len(times),
        codec="h264" if codec == "libx264" else codec,
        width=shape[1],
        height=shape[0],
        is_copied=False,
        plays_in_browser=codec == "libx264",
        n_bytes=n_bytes,
    )
