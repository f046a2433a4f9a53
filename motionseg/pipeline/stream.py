"""Whole videos through a segmenter: the generator coat of :class:`~motionseg.pipeline.segmenter.MotionSegmenter`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from typing import TYPE_CHECKING

from motionseg.core.errors import ParameterError, SourceError
from motionseg.core.types import Frame, Segmentation
from motionseg.io.video import VideoReader, open_video

if TYPE_CHECKING:
    from motionseg.pipeline.segmenter import MotionSegmenter

__all__ = ["learn_whole", "segment", "segment_stream"]


def segment_stream(
    frames: Iterable[tuple[int, float, Frame]], *, segmenter: MotionSegmenter | None = None
) -> Iterator[Segmentation]:
    """Segment frames as they come; memory does not grow with their number.

    Parameters
    ----------
    frames : iterable of (index, time, frame)
        As ``open_video`` yields; time in seconds, increasing; frame uint8 (H, W) or (H, W, 3) BGR.
    segmenter : MotionSegmenter, optional
        Continued where it stands; default: a new ``MotionSegmenter.auto()``.

    Yields
    ------
    Segmentation
        One for each frame.
    """
    if segmenter is None:
        from motionseg.pipeline.segmenter import MotionSegmenter

        segmenter = MotionSegmenter.auto()
    for index, time, frame in frames:
        yield segmenter.step(frame, time, index=index)


def segment(
    source: str | PathLike[str] | int,
    *,
    segmenter: MotionSegmenter | None = None,
    start: float | None = None,
    end: float | None = None,
    width: int | None = None,
    offline: bool = False,
) -> Iterator[Segmentation]:
    """Segment a video file, image folder, glob pattern, webcam or stream.

    Parameters
    ----------
    source : str, path or int
        What ``open_video`` takes.
    segmenter : MotionSegmenter, optional
        Default: ``MotionSegmenter.auto()``.
    start, end : float, optional
        Seconds of the source to begin and end at.
    width : int, optional
        Frames are resized to this width first; results are of that size.
    offline : bool
        Read the source twice: first to learn from all of it (the empty scene, or, before a camera that moves,
        both directions of time), then to segment it.

    Yields
    ------
    Segmentation
        One for each frame.

    Raises
    ------
    SourceError
        The source cannot be opened, or stopped before its end (after all that could be read was yielded).
    ParameterError
        `offline` of a camera or stream.

    Examples
    --------
    >>> for result in segment("street.mp4"):                    # doctest: +SKIP
    ...     print(result.time, result.tracks.visible.boxes)
    """
    if offline:
        if segmenter is None:
            from motionseg.pipeline.segmenter import MotionSegmenter

            segmenter = MotionSegmenter.auto()
        learn_whole(segmenter, source, start=start, end=end, width=width)
    with open_video(source, start=start, end=end, width=width) as video:
        yield from segment_stream(video, segmenter=segmenter)


def learn_whole(
    segmenter: MotionSegmenter,
    source: str | PathLike[str] | int,
    *,
    start: float | None = None,
    end: float | None = None,
    width: int | None = None,
    on_frame: Callable[[int], None] = lambda done: None,
) -> None:
    """Let `segmenter` learn the empty scene from a whole source, as :func:`segment` does with ``offline=True``.

    `on_frame` is told the number of frames read so far, and may raise to stop.

    Raises
    ------
    SourceError
        The source cannot be opened, or nothing of it can be read. One that breaks off is learned until there.
    ParameterError
        The source is a camera or stream, which has no whole.
    """
    done = 0

    def frames(video: VideoReader) -> Iterator[Frame]:
        nonlocal done
        try:
            for _, _, frame in video:
                yield frame
                done += 1
                on_frame(done)
        except SourceError:
            if not done:
                raise

    with open_video(source, start=start, end=end, width=width) as video:
        if video.is_live:
            raise ParameterError(f"{video.source} is live: it cannot be read twice (offline)")
        segmenter.bootstrap(frames(video))
