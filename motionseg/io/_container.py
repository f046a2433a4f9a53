"""Video files, streams and cameras through FFmpeg's libraries (PyAV)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from motionseg.core.errors import SourceError
from motionseg.core.types import Frame
from motionseg.io._source import Picture, Source

__all__ = ["TOLERANT", "Converter", "Tap", "hide_secrets", "is_url", "open_device", "open_file", "open_url"]

Tap = Callable[[av.Packet], None]
"""Is given every packet of the video, before it is decoded and on the thread that decodes."""

_URL = re.compile(r"(https?|rtsps?|rtmps?|rtp|udp|srt)://", re.IGNORECASE)
# Up to the last @, as passwords with an @ or / in them are given, too; digits alone are a port.
_PASSWORD = re.compile(r"(://[^/?#@:]*):(?!\d+(?:[/?#]|$))(?:\S*|[^/?#]*)@")
# Cheap cameras want it in the path or the query: rtsp://10.0.0.9/user=admin&password=secret&channel=1.sdp
_NAMED = re.compile(
    r"\b((?:pass(?:word|wd|phrase)?|pwd|token|secret|key|auth|sig(?:nature)?)=)[^&#/\s]+", re.IGNORECASE
)
_TEXT_AS_PICTURES = "tty"  # the name of FFmpeg's demuxer that draws any .txt file on a terminal
_LUMA_FIRST = frozenset({"gray", "nv12", "nv21"}) | {
    f"yuv{range_}{sampling}p" for range_ in ("", "j") for sampling in (410, 411, 420, 422, 440, 444)
}
# Titles in a wrong encoding are no reason to refuse a video; from PyAV 19 on they are none by themselves.
TOLERANT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_JPEG_RANGE = 2  # AVCOL_RANGE_JPEG
# Luma is stored as 16..235 in most videos; grey frames are to have the full range, as those of images.
_FULL_RANGE = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)


def is_url(source: str) -> bool:
    """Whether `source` is the address of a stream."""
    return _URL.match(source) is not None


def hide_secrets(text: str) -> str:
    """`text`, with ``***`` for the passwords and keys in the addresses that it holds."""
    return _NAMED.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def open_file(path: str, *, grey: bool, fps: float, on_packet: Tap | None) -> Source:
    """A video file."""
    try:
        if not Path(path).exists():
            raise SourceError("no such file or folder", source=path)
        if not Path(path).is_file():
            raise SourceError("not a regular file", source=path)
        with open(path, "rb") as file:
            if not file.read(1):
                raise SourceError("the file is empty", source=path)
    except SourceError:
        raise
    except (OSError, ValueError) as error:
        raise SourceError(getattr(error, "strerror", None) or str(error), source=path) from error
    # "file:" keeps names such as "a:b.mp4" from being taken for a protocol.
    return _open(f"file:{path}", name=path, timeout=None, live=False, grey=grey, fps=fps, on_packet=on_packet)


def open_url(url: str, *, grey: bool, fps: float, timeout: float, on_packet: Tap | None = None) -> Source:
    """A stream or a file on a server; live unless it is a file of known duration over HTTP."""
    # Cameras say their rate; to measure it takes another two seconds, and pictures as old as that.
    options = {"rtsp_flags": "prefer_tcp", "fpsprobesize": "0"} if url.lower().startswith("rtsp") else {}
    live = None if url.lower().startswith("http") else True
    how = {"grey": grey, "fps": fps, "on_packet": on_packet, "options": options}
    return _open(url, name=hide_secrets(url), timeout=timeout, live=live, **how)


def open_device(number: int, *, grey: bool, fps: float, timeout: float, on_packet: Tap | None) -> Source:
    """Camera `number` of this machine (Video4Linux)."""
    path = f"/dev/video{number}"
    how = {"grey": grey, "fps": fps, "on_packet": on_packet, "format": "v4l2"}
    return _open(path, name=path, timeout=timeout, live=True, **how)


def _open(
    address: str,
    *,
    name: str,
    timeout: float | None,
    live: bool | None,
    grey: bool,
    fps: float,
    on_packet: Tap | None,
    **how: Any,
) -> Source:
    try:
        container = av.open(address, timeout=timeout, **TOLERANT, **how)
    except (av.FFmpegError, OSError, ValueError) as error:
        # Not chained: FFmpeg's error holds the whole address, and so the password.
        raise SourceError(f"cannot be opened: {_reason(error, timeout)}", source=name) from None
    stream = next((s for s in container.streams.video if not _is_cover(s)), None)
    if stream is None or container.format.name == _TEXT_AS_PICTURES:
        kinds = {"text"} if stream else {s.type for s in container.streams} - {"video"}
        container.close()
        raise SourceError(f"there is no video in it, only {', '.join(sorted(kinds)) or 'nothing'}", source=name)
    seconds = None if container.duration is None else container.duration / av.time_base
    live = seconds is None if live is None else live
    if stream.codec_context is None:
        container.close()
        raise SourceError("there is no decoder for its video", source=name)
    if live:  # threads for frames would delay them; with those for slices FFmpeg neither mends damage nor tells of it
        stream.codec_context.thread_count = 1
    else:
        stream.thread_type = "AUTO"
    rate = next((float(r) for r in (stream.average_rate, stream.guessed_rate) if r and r > 0), None)
    if stream.duration is not None:
        seconds = float(stream.duration * stream.time_base)
    return Source(
        name=name,
        pictures=_pictures(
            container,
            _Decoder(container, stream, on_packet),
            name,
            live=live,
            grey=grey,
            fps=rate or fps,
            timeout=timeout,
        ),
        fps=rate,
        n_frames=None if live else stream.frames or None,
        duration=None if live else seconds,
        is_live=live,
    )


def _is_cover(stream: Any) -> bool:
    """Whether a video stream is only the cover picture of a sound file."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _reason(error: Exception, timeout: float | None) -> str:
    if isinstance(error, av.error.ExitError):
        return f"no data for {timeout:g} s"
    return getattr(error, "strerror", None) or str(error)


def _pictures(
    container: Any, decoder: _Decoder, name: str, *, live: bool, grey: bool, fps: float, timeout: float | None
) -> Generator[Picture, None, None]:
    clock = _Clock(decoder.stream, 1 / fps)
    converter = Converter(name, grey=grey)
    n_frames = 0
    with container:
        for frame in decoder:
            n_frames += 1
            yield Picture(name, clock.time(frame.pts), partial(converter.array, frame), decoder.is_damaged)
        problem = None
        if decoder.failure is not None:
            problem = f"it broke off: {_reason(decoder.failure, timeout)}"
        elif not n_frames:
            problem = "no picture in it could be decoded"
        elif not live:
            problem = decoder.what_is_missing(max(0.2, 3 / fps, clock.longest))
    if problem:
        raise SourceError(problem, source=name, frame=n_frames)


class _Decoder:
    """The frames of a stream, as many as can be had; afterwards, what went wrong on the way."""

    def __init__(self, container: Any, stream: Any, on_packet: Tap | None = None) -> None:
        self.failure: Exception | None = None
        self.is_damaged = False
        """Whether the last frame is, or builds on one that is: up to the next sound key frame."""
        self.stream = stream
        self._container, self._on_packet = container, on_packet
        self._n_broken, self._end = 0, 0.0
        self._declared_end = _declared_end(container, stream)

    def __iter__(self) -> Iterator[Any]:
        has_begun = False
        after_loss: deque[int] = deque(maxlen=64)  # time stamps of packets before which something is missing
        for packet in self._packets():
            if packet is not None and packet.is_corrupt:
                self._n_broken += 1
                if packet.pts is not None:
                    after_loss.append(packet.pts)
                if self._declared_end is not None:  # the file ends within it; decoding it spoils those before it
                    continue
            try:
                frames = self.stream.codec_context.decode(packet)
            except av.FFmpegError:
                self._n_broken, self.is_damaged = self._n_broken + 1, True
                continue
            if frames and not has_begun:
                has_begun = True
                if self._declared_end is None:  # whoever joins a stream on its way misses the first key frame
                    self._n_broken = 0
            for frame in frames:
                is_suspect = self.is_damaged
                if frame.pts in after_loss:
                    after_loss.remove(frame.pts)
                    is_suspect = True
                self.is_damaged = frame.is_corrupt or (is_suspect and not frame.key_frame)
                yield frame

    def _packets(self) -> Iterator[Any]:
        """Packets of the stream, then None, upon which the decoder gives what it still holds."""
        try:
            for packet in self._container.demux():  # all streams: sound, too, tells how far the file goes
                if packet.pts is not None and packet.time_base is not None:
                    self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.size and packet.stream_index == self.stream.index:  # an empty one is a repeated frame
                    if self._on_packet is not None:
                        self._on_packet(packet)
                    yield packet
        except av.FFmpegError as error:
            self.failure = error
        except IndexError:
            pass  # the end, where PyAV stumbles over streams that appeared on the way
        yield None

    def what_is_missing(self, tolerance: float) -> str | None:
        """Say what of a file did not come, None if it seems whole.

        Good files, too, end a few frames early (rounding, codec delay, no duration stated for the last frame): a
        shortage counts from `tolerance` s.
        """
        if self._declared_end is not None and self._declared_end - self._end > tolerance:
            return f"cut short: it declares {self._declared_end:.2f} s and ends at {self._end:.2f} s"
        return f"damaged: {self._n_broken} packets could not be decoded" if self._n_broken else None


def _declared_end(container: Any, stream: Any) -> float | None:
    """The time at which the file's header says it ends; None where a header does not (and FFmpeg would guess)."""
    if container.format.name == "avi":  # of a cut AVI, FFmpeg derives the duration from what is left
        return float(stream.frames / stream.average_rate) if stream.frames and stream.average_rate else None
    if container.duration is None or not {"mp4", "webm"} & set(container.format.name.split(",")):
        return None
    return float(container.duration / av.time_base)


class _Clock:
    """Strictly increasing seconds from presentation timestamps.

    A missing, repeated or somewhat earlier timestamp counts as one mean frame after the last; from one
    that is more than a second early (a camera that restarted, joined files) time goes on counting.
    """

    def __init__(self, stream: Any, step: float) -> None:
        self._origin, self._unit = stream.start_time, stream.time_base
        self._step, self._last = step, -step
        self.longest = 0.0
        """Seconds between two frames, at most."""

    def time(self, stamp: int | None) -> float:
        time = -np.inf
        if stamp is not None:
            if self._origin is None or (self._last < 0 and stamp < self._origin):
                self._origin = stamp
            time = float((stamp - self._origin) * self._unit)
            if time < self._last - 1:
                self._origin = stamp - round((self._last + self._step) / self._unit)
        time = time if time > self._last else self._last + self._step
        self.longest, self._last = max(self.longest, time - self._last), time
        return time


class Converter:
    """Makes arrays of the frames of one stream."""

    def __init__(self, name: str, *, grey: bool) -> None:
        self._name, self._grey = name, grey
        self._reformatter = VideoReformatter()  # one for all frames: its tables take as long to make as a frame
        self._upright: Callable[[Frame], Frame] | None = None

    def array(self, frame: Any) -> Frame:
        """The frame, upright: uint8 (H, W, 3) BGR, or (H, W). Raises SourceError."""
        self._upright = self._upright or _upright(frame)
        try:
            return self._upright(self._luma(frame) if self._grey else self._reformat(frame, "bgr24"))
        except (av.FFmpegError, ValueError, MemoryError) as error:
            message = f"pixels of format {frame.format.name} cannot be read: {error}"
            raise SourceError(message, source=self._name) from error

    def _luma(self, frame: Any) -> Frame:
        plane, pixels = frame.planes[0], frame.format.name
        if pixels not in _LUMA_FIRST or plane.line_size <= 0:  # negative where rows are stored bottom up
            return self._reformat(frame, "gray")
        luma: npt.NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        luma = luma[: frame.height, : frame.width]
        is_full = pixels.startswith(("gray", "yuvj")) or int(frame.color_range) == _JPEG_RANGE
        return luma.copy() if is_full else cv2.LUT(luma, _FULL_RANGE)

    def _reformat(self, frame: Any, pixels: str) -> Frame:
        # "POINT": nothing is scaled, and PyAV's default interpolation would blur the colours of 10-bit pictures.
        converted = self._reformatter.reformat(frame, format=pixels, interpolation="POINT")
        array = converted.to_ndarray()
        return array.copy() if converted is frame else array  # else the decoder may go on using the same memory


def _upright(frame: Any) -> Callable[[Frame], Frame]:
    """What turns (and mirrors) the pictures of a stream as its display matrix asks."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return lambda picture: picture
    # x' = a x + c y, y' = b x + d y, in quarter turns: of (a, d) and (b, c) one pair is zero
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    is_turned = abs(b) > abs(a)
    mirror_x, mirror_y = (c < 0, b < 0) if is_turned else (a < 0, d < 0)

    def turn(picture: Frame) -> Frame:
        picture = picture.swapaxes(0, 1) if is_turned else picture
        return np.ascontiguousarray(picture[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1])

    return turn
