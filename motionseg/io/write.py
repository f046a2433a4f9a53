"""Masks, videos, tables and facts to files; every failure is an OutputError that names the file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame, check_integer, check_mask
from motionseg.core.errors import OutputError, ParameterError
from motionseg.core.types import Frame, Mask
from motionseg.io._output import MASK_OPTIONS, FFmpegWriter, Writer, encode_image, write_whole

__all__ = [
    "MaskFolderWriter",
    "MaskVideoWriter",
    "VideoWriter",
    "write_columns",
    "write_image",
    "write_json",
    "write_text",
]


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text (UTF-8), making its folder, atomically: an old file stays until the new one is whole.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    write_whole(Path(path), text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as JSON, atomically: an old file stays until the new one is whole.

    Parameters
    ----------
    path : path
        The file; its folder is made where missing.
    value : object
        Dicts, lists, strings, numbers, bools, None, numpy scalars and arrays. NaN and infinities, which JSON
        lacks, become null.

    Raises
    ------
    OutputError
        The file cannot be written, or `value` holds something else.
    """
    try:
        text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OutputError(f"{path}: cannot be written as JSON: {error}") from error
    write_text(path, f"{text}\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_image(path: str | os.PathLike[str], image: Frame) -> None:
    """Write a picture as png or jpg, atomically: an old file stays until the new one is whole.

    Parameters
    ----------
    path : path
        Ends in .png (lossless, compressed little and fast), .jpg or .jpeg (quality 95); its folder is made.
    image : uint8 (H, W) or (H, W, 3)
        Grey or BGR.

    Raises
    ------
    OutputError
        The file cannot be written, or its name ends otherwise.
    FrameError
        `image` is not such an array.
    """
    path, image = Path(path), check_frame(image)
    options = {
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    }
    suffix = path.suffix.lower()
    if suffix not in options:
        raise OutputError(f"{path}: images are written as {', '.join(options)}, not {suffix or 'without suffix'}")
    write_whole(path, encode_image(path, image, options[suffix]))


class MaskFolderWriter(Writer):
    """Writes masks as ``000000.png`` ... into a folder, with the values 0, 127, 255 as they are.

    Parameters
    ----------
    folder : path
        Made by the first write; files of the same number are replaced, others stay.
    pattern : str
        The file names, by `str.format`; ends in .png.
    first : int, at least 0
        The number in the name of frame 0.

    Raises
    ------
    ParameterError
        `pattern` does not make such names, another for each number, or `first` is out of range.

    Notes
    -----
    CDnet takes results as ``MaskFolderWriter(f"results/{category}/{video}", pattern="bin{:06d}.png", first=1)``. Its
    rules count 255 alone as foreground, so that shadows (127) may stay.
    """

    def __init__(self, folder: str | os.PathLike[str], *, pattern: str = "{:06d}.png", first: int = 0) -> None:
        super().__init__(folder)
        self.pattern, self.first = pattern, check_integer("first", first, 0)
        try:
            is_good = pattern.endswith(".png") and pattern.format(1) != pattern.format(2)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            is_good = False
        if not is_good:
            raise ParameterError(f'pattern is one like "bin{{:06d}}.png", not {pattern!r}')

    def write(self, index: int, mask: Mask) -> None:
        """Write one mask, uint8 (H, W), as frame `index` (from 0).

        Raises
        ------
        OutputError
            The file cannot be written, or the writer is closed.
        FrameError, ParameterError
            Not a mask, or a negative index.
        """
        self._check_open()
        path = self.path / self.pattern.format(check_integer("index", index, 0) + self.first)
        write_whole(path, encode_image(path, check_mask(mask), MASK_OPTIONS))


class MaskVideoWriter(FFmpegWriter):
    """Writes masks to a lossless video: FFV1, 8-bit grey, Matroska (.mkv).

    ``open_video(path, grey=True)`` gives them back pixel by pixel.

    Parameters
    ----------
    path : path
        The file; made (with its folder) by the first write, an old one is replaced.
    fps : float, above 0
        The rate that the file states; each mask is shown at its own time.
    """

    _codec, _format, _pixels, _unit = "ffv1", "matroska", "gray", Fraction(1, 1000)
    _options = {"level": "3", "g": "1"}  # noqa: RUF012 - never changed

    def write(self, mask: Mask, time: float) -> None:
        """Write one mask, uint8 (H, W) of the first one's shape, to be shown at `time` (s, kept to the ms).

        Raises
        ------
        OutputError
            The file cannot be written (it ends with what went before), or the writer is closed.
        FrameError, ParameterError
            Not a mask of that shape, or `time` does not increase; nothing is written.
        """
        self._write(check_mask(mask, self._shape), time, "gray")
        self._shape = mask.shape


class VideoWriter(FFmpegWriter):
    """Writes a video to look at: H.264 in .mp4 (MPEG-4 part 2 where x264 is missing).

    Parameters
    ----------
    path : path
        The file; made (with its folder) by the first write, an old one is replaced.
    fps : float, above 0
        The rate that the file states; each frame is shown at its own time, so variable rates are kept.

    Notes
    -----
    Not lossless. Odd widths and heights get one more column or row, a copy of the last. A process that is killed
    leaves a file of all but the last two seconds or so (FFmpeg 7.1 and newer).
    """

    _format, _pixels, _unit = "mp4", "yuv420p", Fraction(1, 60000)  # MPEG-4 part 2 has 16 bits for the denominator
    _options = {"preset": "veryfast", "crf": "23", "bf": "0", "g": "50"}  # noqa: RUF012 - never changed
    # In fragments until it is finished, so that a killed process or a full disk leaves a file that can be read.
    _container_options = {"movflags": "hybrid_fragmented"} if av.library_versions["libavformat"] >= (61, 7) else {}

    @property
    def _codec(self) -> str:
        return "libx264" if "libx264" in av.codecs_available else "mpeg4"

    def write(self, frame: Frame, time: float) -> None:
        """Write one frame, uint8 (H, W) or (H, W, 3) BGR of the first one's shape, to be shown at `time` (s).

        Raises
        ------
        OutputError
            The file cannot be written (it ends with what went before), or the writer is closed.
        FrameError, ParameterError
            Not a frame of that shape, or `time` does not increase; nothing is written.
        """
        even = frame = check_frame(frame, self._shape)
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            even = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        self._write(even, time, "gray" if frame.ndim == 2 else "bgr24")
        self._shape = frame.shape


def write_columns(path: str | os.PathLike[str], columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write columns of one length as a .csv file with their names as its head, atomically.

    Parameters
    ----------
    path : path
        The file; its folder is made, an old file stays until the new one is whole.
    columns : dict of str to array (N,)
        Numbers and words. Numbers that are not whole are written with up to 4 decimals, NaN as nothing.

    Raises
    ------
    OutputError
        The file cannot be written, or the columns differ in length.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_columns(f"{folder}/a.csv", {"id": np.array([1, 2]), "speed": np.array([12.34567, np.nan])})
    ...     Path(f"{folder}/a.csv").read_text()
    'id,speed\\n1,12.3457\\n2,\\n'
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise OutputError(f"{path}: the columns differ in length: {lengths}")
    rows = zip(*(map(_cell, column.tolist()) for column in columns.values()), strict=True)
    write_text(path, "".join(f"{','.join(row)}\n" for row in (columns, *rows)))


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")
