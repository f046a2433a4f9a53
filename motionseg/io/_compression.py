"""What compression does to frames: a round trip through a real encoder, in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable

import av
import cv2
import numpy as np

from motionseg.core.checks import check_choice, check_frame, check_number
from motionseg.core.errors import FrameError, OutputError
from motionseg.core.types import Frame

__all__ = ["compressed"]

_CODECS = ("jpeg", "mpeg4", "h264")
_WORST_SCALE = {"mpeg4": 31, "h264": 51}  # of the encoders' quantisers; 1 or 0 is the best


def compressed(frames: Iterable[Frame], *, codec: str = "h264", quality: float = 0.5) -> list[Frame]:
    """The frames as they are after compression.

    Parameters
    ----------
    frames : iterable of uint8 (H, W, 3)
        BGR, of one size; H.264 needs an even width and height.
    codec : {"jpeg", "mpeg4", "h264"}
        JPEG frame by frame, MPEG-4 part 2, or H.264 where FFmpeg has x264 (else MPEG-4 part 2).
    quality : float in [0, 1]
        1: next to no loss; 0: hardly to be recognised.

    Returns
    -------
    list of uint8 (H, W, 3)
        As many as there were; empty for none. The caller's own.

    Raises
    ------
    FrameError
        A frame is none, is grey, or has another size than the first.
    OutputError
        The encoder refuses the frames (H.264: odd sizes; JPEG: more than 65500 pixels on a side).
    ParameterError
        `codec` or `quality` is none of these.

    Notes
    -----
    Colour is halved in both directions, at the best quality, too. All frames are held in memory, before and after.

    Examples
    --------
    >>> noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    >>> after = compressed([noise, noise], quality=0.2)
    >>> len(after), after[0].shape, bool((after[0] != noise).any())
    (2, (64, 64, 3), True)
    """
    codec = check_choice("codec", codec, _CODECS)
    quality = check_number("quality", quality, 0, 1)
    taken: list[Frame] = []
    for frame in frames:
        taken.append(check_frame(frame, taken[0].shape if taken else None))
        if taken[0].ndim == 2:
            raise FrameError(f"frames to compress are BGR, (H, W, 3), not {taken[0].shape}")
    if codec == "jpeg":
        return [_through_jpeg(frame, round(5 + 90 * quality)) for frame in taken]
    if codec == "h264" and "libx264" not in av.codecs_available:
        codec = "mpeg4"
    return _through_ffmpeg(taken, codec, quality) if taken else []


def _through_jpeg(frame: Frame, percent: int) -> Frame:
    try:
        fits, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, percent])
    except cv2.error:
        fits = False
    if not fits:  # the reason is on OpenCV's log
        raise OutputError(f"a frame of {frame.shape[1]} x {frame.shape[0]} cannot be encoded by jpeg")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _through_ffmpeg(frames: list[Frame], codec: str, quality: float) -> list[Frame]:
    height, width = frames[0].shape[:2]
    scale = round((1 - quality) * (_WORST_SCALE[codec] - 1) + 1)
    options = {"qmin": str(scale), "qmax": str(scale)} if codec == "mpeg4" else {"crf": str(scale)}
    if codec == "h264":
        options |= {"preset": "veryfast", "bf": "0", "threads": "1"}
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="matroska") as container:
            stream = container.add_stream("libx264" if codec == "h264" else codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
            container.mux(stream.encode(None))
        file.seek(0)
        with av.open(file) as container:
            decoded = [np.ascontiguousarray(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]
    except (ValueError, OSError, av.FFmpegError) as error:
        raise OutputError(f"frames of {width} x {height} cannot be encoded by {codec}: {error}") from error
    if len(decoded) != len(frames):
        raise OutputError(f"the encoder {codec} gave {len(decoded)} of {len(frames)} frames back")
    return decoded
