"""A clip's empty scene: a robust picture of it, and what each frame shows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.channels import channel_max
from motionseg.core.checks import check_frame
from motionseg.core.errors import FrameError
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Frame

__all__ = ["background_picture", "emptied_frames", "robust_picture", "spread_frames"]

_MOST_FRAMES = 100
_MOST_ROUNDS = 30
_TILE = 64
_N_SPANS = 10
_RADIUS = 12


@kernel
def _popularity(start, stop, frames, trust, radius, spans, popularity):
    """Tiles start .. stop: how often each of `frames` (N, pixels x channels) is resembled, in how many of the spans.

    `trust` (N, pixels) weighs those that resemble it, `spans` (N,) says which stretch of time each is from.
    """
    n_frames, n_pixels = popularity.shape
    n_channels = frames.shape[1] // n_pixels
    planes = np.zeros((n_frames, 3, _TILE), np.uint8)
    trusts, count = np.zeros((n_frames, _TILE), np.uint16), np.empty(_TILE, np.uint16)
    total = np.empty(_TILE, np.float32)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, n_pixels - first)
        for k in range(n_frames):
            for c in range(n_channels):
                for i in range(n):
                    planes[k, c, i] = frames[k, n_channels * (first + i) + c]
            for i in range(n):
                trusts[k, i] = trust[k, first + i]
        for k in range(n_frames):
            b, g, r = planes[k, 0], planes[k, 1], planes[k, 2]
            total[:] = 0
            count[:] = 0
            for j in range(n_frames):
                other_b, other_g, other_r = planes[j, 0], planes[j, 1], planes[j, 2]
                weights = trusts[j]
                for i in range(_TILE):
                    db = np.uint8(max(b[i], other_b[i]) - min(b[i], other_b[i]))
                    dg = np.uint8(max(g[i], other_g[i]) - min(g[i], other_g[i]))
                    dr = np.uint8(max(r[i], other_r[i]) - min(r[i], other_r[i]))
                    count[i] += weights[i] if max(max(db, dg), dr) <= radius else np.uint16(0)
                if j + 1 == n_frames or spans[j + 1] != spans[j]:
                    for i in range(_TILE):
                        total[i] += np.sqrt(np.float32(count[i]))
                    count[:] = 0
            out = popularity[k, first : first + n]
            for i in range(n):
                out[i] = total[i]


@kernel
def _cluster_means(start, stop, frames, chosen, radius, picture):
    """Pixels start .. stop: mean of the values within `radius` (every channel) of that of frame `chosen`."""
    n_frames = frames.shape[0]
    n_channels = frames.shape[1] // chosen.shape[0]
    for i in range(start, stop):
        best = chosen[i]
        total = np.zeros(3, np.int64)
        n = 0
        for k in range(n_frames):
            near = True
            for c in range(n_channels):
                place = n_channels * i + c
                near &= abs(np.int64(frames[k, place]) - np.int64(frames[best, place])) <= radius
            if near:
                n += 1
                for c in range(n_channels):
                    total[c] += frames[k, n_channels * i + c]
        for c in range(n_channels):
            picture[n_channels * i + c] = (2 * total[c] + n) // (2 * n)


def spread_frames(frames: Iterable[Frame]) -> npt.NDArray[np.uint8]:
    """Up to 100 of `frames`, evenly spread over all of them and in their order, as one array (N, ...).

    Raises
    ------
    FrameError
        There is none, or one differs from the first in size.
    """
    shape, kept, stride = None, [], 1

    def checked(index: int, frame: Frame) -> Frame:
        nonlocal shape
        try:
            shape = check_frame(frame, shape).shape
        except FrameError as error:
            raise FrameError(f"frame {index}: {error}") from error
        return frame.copy()

    if isinstance(frames, (Sequence, np.ndarray)):
        places = np.unique(np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(int))
        kept = [checked(int(i), frames[i]) for i in places if len(frames)]
    else:
        for index, frame in enumerate(frames):
            if index % stride == 0:
                kept.append(checked(index, frame))
            if len(kept) > _MOST_FRAMES:  # twice as sparse from here on
                kept, stride = kept[::2], 2 * stride
    if not kept:
        raise FrameError("there is no frame to start from")
    return np.stack(kept)


def robust_picture(frames: npt.NDArray[np.uint8]) -> Frame:
    """The picture of the empty scene that the `frames` (N, H, W[, 3]) agree on best."""
    n_frames, height, width = frames.shape[:3]
    n_pixels = height * width
    flat = frames.reshape(n_frames, n_pixels, -1)
    window = (1 + min(height, width) // 4,) * 2
    popularity = np.empty((n_frames, n_pixels), np.float32)
    trust = np.full((n_frames, n_pixels), 255, np.uint8)
    picture, contested = np.zeros((n_pixels, flat.shape[2]), np.uint8), np.arange(n_pixels)
    for done in range(_MOST_ROUNDS):
        popularity[:, contested] = _popularities(flat[:, contested], trust[:, contested])
        chosen, most = np.zeros((height, width), np.uint8), np.zeros((height, width), np.float32)
        for k in range(n_frames):  # neighbours belong to one object mostly: they choose together
            votes = cv2.blur(popularity[k].reshape(height, width), (3, 3))
            better = votes > most
            chosen[better], most[better] = k, votes[better]
        before = picture[contested]
        picture[contested] = _means(flat[:, contested], chosen.reshape(-1)[contested])
        changed = (cv2.absdiff(before, picture[contested]) > _RADIUS).any(axis=1)
        if done and np.count_nonzero(changed) <= n_pixels // 10_000:
            break
        seen = np.zeros(n_pixels, np.uint8)
        for k in range(n_frames):
            same = (cv2.absdiff(flat[k], picture) <= 2 * _RADIUS).all(axis=1)
            seen += same
            quiet = cv2.blur(same.reshape(height, width).astype(np.float32), window)
            trust[k] = 1 + 254 * quiet.reshape(-1) ** 2
        contested = np.flatnonzero(seen <= 0.8 * n_frames)
        if not len(contested):
            break
    return picture.reshape(frames.shape[1:])


def _popularities(frames: npt.NDArray[np.uint8], trust: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Popularity (N, P) of every value of `frames` (N, P, C)."""
    n_frames, n_pixels = trust.shape
    popularity = np.empty(trust.shape, np.float32)
    spans = np.arange(n_frames) * _N_SPANS // n_frames
    arguments = (frames.reshape(n_frames, -1), trust, np.uint8(_RADIUS), spans, popularity)
    run_strips(_popularity, -(-n_pixels // _TILE), *arguments, pixels_per_unit=n_frames * _TILE)
    return popularity


def _means(frames: npt.NDArray[np.uint8], chosen: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Colours (P, C): means of what is near the value of frame `chosen` (P,) among `frames` (N, P, C)."""
    colors = np.empty(frames.shape[1:], np.uint8)
    arguments = (frames.reshape(len(frames), -1), chosen, _RADIUS, colors.reshape(-1))
    run_strips(_cluster_means, len(chosen), *arguments, pixels_per_unit=8)
    return colors


def emptied_frames(frames: npt.NDArray[np.uint8], picture: Frame) -> Iterator[Frame]:
    """The `frames` without what moves in them: there each shows what was last seen of the empty scene."""
    seen = picture.copy()
    for frame in frames:
        distance = channel_max(cv2.absdiff(frame, picture).reshape(*frame.shape[:2], -1))
        # Specks are noise and leaves, which should be learned.
        objects = cv2.morphologyEx(np.uint8(distance > 2 * _RADIUS), cv2.MORPH_OPEN, np.ones((3, 3)))
        empty = cv2.dilate(objects, np.ones((5, 5))) == 0
        seen[empty] = frame[empty]
        yield seen.copy()


def background_picture(frames: Iterable[Frame]) -> Frame:
    """A picture of the empty scene from frames in most of which something moves.

    Parameters
    ----------
    frames : iterable of uint8 (H, W) or (H, W, 3)
        Best from a whole clip; up to 100, evenly spread, are used. Of a sequence only these are asked for.

    Returns
    -------
    uint8 (H, W) or (H, W, 3)
        At every pixel the mean of the colours that are seen most.

    Raises
    ------
    FrameError
        There is no frame, or one differs from the first in size.

    Notes
    -----
    The frames are cut into ten spans. A frame is as popular at a pixel as the sum over the spans of the square
    root of the number of frames within 12 grey levels of it in every channel: what is seen again and again
    counts for more than what is seen as often at a stretch, as things that stop for a while are. Each pixel
    takes the frame that is most popular in the 3x3 pixels around it, and of the colours near that one the mean.

    Then it is asked which frames to trust where: as (1/255 of it at least) the squared share of the surroundings, a
    quarter of the frame's height wide, that look like the picture. Pixels at which less than 80 % of the frames
    agree vote anew, frames counting by that trust, until nothing changes (30 times at most). What was taken for
    background only because something hid it for most of the time is eaten up from its rim, since at the times when
    it is visible the rim around it is, too.

    Where the empty scene is hardly ever seen no statistics can find it. Memory: 11 bytes a frame and BGR pixel.

    References
    ----------
    The trust takes up an idea of B. Laugraud, S. Piérard, M. Braham, M. Van Droogenbroeck, Simple median-based method
    for stationary background generation using background subtraction algorithms, ICIAP workshops 2015,
    doi:10.1007/978-3-319-23222-5_58: to ask the frames in which little moves.

    Examples
    --------
    >>> frames = [np.full((4, 4), 90, np.uint8) for _ in range(9)]
    >>> for i, frame in enumerate(frames):
    ...     frame[:, i // 3] = 200
    >>> background_picture(frames)[0]
    array([90, 90, 90, 90], dtype=uint8)
    """
    return robust_picture(spread_frames(frames))
