"""Whole videos through a segmenter: the generator coat of :class:`~motionseg.pipeline.segmenter.MotionSegmenter`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import TYPE_CHECKING

from motionseg.core.types import Frame, Segmentation
from motionseg.io.video import open_video

if TYPE_CHECKING:
    from motionseg.pipeline.segmenter import MotionSegmenter

__all__ = ["segment", "segment_stream"]


def segment_stream(
    frames: Iterable[tuple[int, float, Frame]], *, segmenter: MotionSegmenter | None = None
) -> Iterator[Segmentation]:
    """Segment frames as they come; memory does not grow with their number.

    Parameters
    ----------
    frames : iterable of (index, time, frame)
        As ``open_video`` yields; time in seconds, increasing; frame uint8 (H, W) or (H, W, 3) BGR.
    segmenter : MotionSegmenter, optional
        Continued where it stands; default: a new one.

    Yields
    ------
    Segmentation
        One for each frame.
    """
    if segmenter is None:
        from motionseg.pipeline.segmenter import MotionSegmenter

        segmenter = MotionSegmenter()
    for index, time, frame in frames:
        yield segmenter.step(frame, time, index=index)


def segment(
    source: str | PathLike[str] | int,
    *,
    segmenter: MotionSegmenter | None = None,
    start: float | None = None,
    end: float | None = None,
    width: int | None = None,
) -> Iterator[Segmentation]:
    """Segment a video file, image folder, glob pattern, webcam or stream.

    Parameters
    ----------
    source : str, path or int
        What ``open_video`` takes.
    segmenter : MotionSegmenter, optional
        Default: Gaussian mixture, cleaning, Kalman tracks.
    start, end : float, optional
        Seconds of the source to begin and end at.
    width : int, optional
        Frames are resized to this width first; results are of that size.

    Yields
    ------
    Segmentation
        One for each frame.

    Raises
    ------
    SourceError
        The source cannot be opened, or stopped before its end (after all that could be read was yielded).

    Examples
    --------
    >>> for result in segment("street.mp4"):                    # doctest: +SKIP
    ...     print(result.time, result.tracks.confirmed.boxes)
    """
    with open_video(source, start=start, end=end, width=width) as video:
        yield from segment_stream(video, segmenter=segmenter)
