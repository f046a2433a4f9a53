"""Pictures of labels: palettised PNG as DAVIS and Pascal VOC have it, grey levels, colour codes."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError, OutputError, SourceError
from motionseg.core.types import Labels
from motionseg.io._output import MASK_OPTIONS, encode_image, write_whole
from motionseg.io._source import read_bytes
from motionseg.io.images import decode_image

__all__ = ["read_codes", "read_labels", "write_labels"]

# A palettised PNG is a grey one (the indices) with another colour type and one chunk more, the palette: cv2, which
# knows no indices, is given, and gives, the grey one.
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = slice(8, 33)  # the chunk IHDR: length, name, 13 bytes, checksum
_GREY, _PALETTE, _GREY_ALPHA = 0, 3, 4  # colour types
_DEPTH_AT, _COLOUR_TYPE_AT = 24, 25


def write_labels(path: str | os.PathLike[str], labels: Labels) -> None:
    """Write labels as a palettised PNG in the colours of DAVIS and Pascal VOC, atomically.

    DAVIS takes one such file per frame as results: ``write_labels(f"{sequence}/{index:05d}.png", labels)``.

    Parameters
    ----------
    path : path
        Ends in .png; its folder is made, an old file stays until the new one is whole.
    labels : int array (H, W)
        0..255, of any integer dtype.

    Raises
    ------
    OutputError
        The file cannot be written, its name ends otherwise, or a label is not in 0..255.
    FrameError
        `labels` is not such an array.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_labels(f"{folder}/00000.png", np.array([[0, 1], [2, 255]], np.int32))
    ...     read_labels(f"{folder}/00000.png"), hex(read_codes(f"{folder}/00000.png")[0, 1])
    (array([[  0,   1],
           [  2, 255]], dtype=int32), '0x800000')
    """
    path, array = Path(path), np.asarray(labels)
    if array.ndim != 2 or array.dtype.kind not in "iu" or not array.size:
        raise FrameError(f"labels are an integer array of shape (H, W), not {array.dtype} {array.shape}")
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path}: labels are written as .png")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 255:
        raise OutputError(f"{path}: a palette has the labels 0..255, not {low if low < 0 else high}")
    data = encode_image(path, np.ascontiguousarray(array, np.uint8), MASK_OPTIONS)
    palette = _chunk(b"PLTE", _davis_colours().tobytes())
    write_whole(path, _with_colour_type(data, _PALETTE) + palette + data[_HEADER.stop :])


def read_labels(path: str | os.PathLike[str]) -> Labels:
    """Read a picture whose pixels are labels.

    Parameters
    ----------
    path : path
        A palettised or grey picture: png, pgm, bmp, tif, ...

    Returns
    -------
    int32 (H, W)
        Of a palettised PNG the index, whatever its colours. Else the grey level as it is, 0..255 or, of 16-bit
        pictures, 0..65535 (of pictures of 1, 2 or 4 bits, white is 255).

    Raises
    ------
    SourceError
        Not there, not an image, cut short, damaged; or a colour picture, which :func:`read_codes` reads.

    Notes
    -----
    CDnet's truth is palettised, too, but means the grey that one sees: ``read_image(path, grey=True)``.
    """
    path = Path(path)
    data = read_bytes(path)
    if _colour_type(data) != _PALETTE:
        return _grey_levels(_pixels(data, path), path)
    levels = decode_image(_indices_as_grey(data, path), path, cv2.IMREAD_UNCHANGED)
    if levels.dtype != np.uint8:
        raise SourceError("a palette with indices of more than 8 bits", source=str(path))
    return levels.astype(np.int32) // (255 // (2 ** data[_DEPTH_AT] - 1))  # fewer than 8 bits were stretched to 0..255


def read_codes(path: str | os.PathLike[str]) -> Labels:
    """Read a picture whose colours are labels, as those of FBMS-59 and SegTrack.

    Parameters
    ----------
    path : path
        A picture of any kind: ppm, pgm, png, bmp, ...

    Returns
    -------
    int32 (H, W)
        Of a colour picture ``r << 16 | g << 8 | b`` (0 is black; alpha is left out), of a palettised one the same of
        its colours, of a grey one the grey level as it is, as :func:`read_labels` gives it.

    Raises
    ------
    SourceError
        Not there, not an image, cut short, damaged, or with more than 8 bits a colour.
    """
    path = Path(path)
    pixels = _pixels(read_bytes(path), path)
    if pixels.ndim == 2:
        return _grey_levels(pixels, path)
    if pixels.dtype != np.uint8:
        raise SourceError(f"colours of 8 bits can be labels, not of {pixels.dtype}", source=str(path))
    blue, green, red = (pixels[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue


def _pixels(data: bytes, path: Path) -> npt.NDArray[np.generic]:
    """Grey levels (H, W) as they are stored, or BGR (H, W, 3), perhaps with alpha."""
    is_grey = _colour_type(data) in (_GREY, _GREY_ALPHA)  # unchanged, alpha would make it a colour picture
    return decode_image(data, path, cv2.IMREAD_ANYDEPTH if is_grey else cv2.IMREAD_UNCHANGED)


def _grey_levels(pixels: npt.NDArray[np.generic], path: Path) -> Labels:
    if pixels.ndim != 2:
        raise SourceError("a colour picture, not one of labels (read_codes reads its colours)", source=str(path))
    if pixels.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"labels have 8 or 16 bits, not {pixels.dtype}", source=str(path))
    return pixels.astype(np.int32)


def _colour_type(data: bytes) -> int | None:
    """The colour type of a PNG; None of another file, or where the header is damaged."""
    header = data[_HEADER]
    is_whole = data.startswith(_SIGNATURE) and header == _chunk(b"IHDR", header[8:21])
    return data[_COLOUR_TYPE_AT] if is_whole else None


def _indices_as_grey(data: bytes, path: Path) -> bytes:
    """The grey PNG of a palettised one's indices: what it needs, without the chunks that speak of colours."""
    parts, start = [_with_colour_type(data, _GREY)], _HEADER.stop
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        if kind in (b"IDAT", b"IEND"):
            parts.append(data[start:end])
        if kind == b"IEND":
            return b"".join(parts)
        start = end
    raise SourceError("the PNG is cut short", source=str(path))


def _with_colour_type(data: bytes, colour_type: int) -> bytes:
    """The signature and header of a PNG, with another colour type."""
    body = bytearray(data[16:29])
    body[_COLOUR_TYPE_AT - 16] = colour_type
    return _SIGNATURE + _chunk(b"IHDR", bytes(body))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _davis_colours() -> npt.NDArray[np.uint8]:
    """RGB of 0..255, uint8 (256, 3): bits 0, 1, 2 of the label are the top bits of red, green, blue, and so on."""
    labels, colours = np.arange(256), np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= (labels >> bit & 1).astype(np.uint8) << (7 - bit // 3)
    return colours
