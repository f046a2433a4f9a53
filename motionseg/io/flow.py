"""Files of optical flow: Middlebury's .flo (also Sintel, FlyingChairs) and KITTI's 16-bit PNG."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_pixels
from motionseg.core.errors import FrameError, OutputError, SourceError
from motionseg.core.types import Flow
from motionseg.io._output import encode_image, write_whole
from motionseg.io._source import read_bytes
from motionseg.io.images import decode_image

__all__ = ["read_flow", "write_flow"]

_MAGIC = struct.pack("<f", 202021.25)  # the bytes "PIEH"
_HEAD = struct.Struct("<4sii")
_UNKNOWN, _MARK = 1e9, 1e10  # Middlebury: a number beyond the first is no motion; the second is written


def read_flow(path: str | os.PathLike[str]) -> tuple[Flow, npt.NDArray[np.bool_]]:
    """Read a flow field, and where it is known.

    Parameters
    ----------
    path : path
        Ends in .flo (Middlebury, Sintel, FlyingChairs) or .png (KITTI).

    Returns
    -------
    flow : float32 (H, W, 2)
        dx right, dy down, pixels; 0 where unknown.
    valid : bool (H, W)
        Where the flow is known.

    Raises
    ------
    SourceError
        Not there, not a flow file, damaged, or of a size that does not fit what its head says.

    References
    ----------
    S. Baker et al., A database and evaluation methodology for optical flow, IJCV 92, 2011,
    doi:10.1007/s11263-010-0390-2. A. Geiger et al., Are we ready for autonomous driving? The KITTI vision benchmark
    suite, CVPR 2012, doi:10.1109/CVPR.2012.6248074.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise SourceError(f"flow files end in {' or '.join(_FORMATS)}", source=str(path))
    return _FORMATS[path.suffix.lower()][0](read_bytes(path), path)


def write_flow(path: str | os.PathLike[str], flow: Flow, valid: npt.NDArray[np.bool_] | None = None) -> None:
    """Write a flow field, atomically: an old file stays until the new one is whole.

    Parameters
    ----------
    path : path
        Ends in .flo, which keeps every number, or .png (KITTI), which keeps 1/64 px and -512 .. 511.98 px.
    flow : float32 (H, W, 2)
        dx right, dy down, pixels.
    valid : bool (H, W), optional
        Where the flow is known; everywhere if not given.

    Raises
    ------
    OutputError
        The file cannot be written, its name ends otherwise, or a known flow is not a number or beyond its range.
    FrameError
        `flow` or `valid` is not such an array.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_flow(f"{folder}/a.png", np.array([[[0.5, -2], [9, 9]]], np.float32), np.array([[True, False]]))
    ...     flow, valid = read_flow(f"{folder}/a.png")
    >>> flow.tolist(), valid.tolist()
    ([[[0.5, -2.0], [0.0, 0.0]]], [[True, False]])
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise OutputError(f"{path}: flow is written as {' or '.join(_FORMATS)}")
    if not isinstance(flow, np.ndarray) or flow.dtype != np.float32 or flow.ndim != 3 or flow.shape[2] != 2:
        what = f"{flow.dtype} {flow.shape}" if isinstance(flow, np.ndarray) else type(flow).__name__
        raise FrameError(f"flow is a float32 array of shape (H, W, 2), not {what}")
    if flow.size == 0:
        raise FrameError(f"the flow is empty: shape {flow.shape}")
    shape = flow.shape[:2]
    known = np.ones(shape, bool) if valid is None else check_pixels(valid, shape, "valid")
    write_whole(path, _FORMATS[path.suffix.lower()][1](path, flow, known))


def _read_flo(data: bytes, path: Path) -> tuple[Flow, npt.NDArray[np.bool_]]:
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise SourceError("not a .flo file: it does not begin with the number 202021.25", source=str(path))
    _, width, height = _HEAD.unpack_from(data)
    if width < 1 or height < 1:
        raise SourceError(f"its head says {width}x{height} pixels", source=str(path))
    size = _HEAD.size + 8 * width * height
    if len(data) != size:
        what = "cut short" if len(data) < size else "longer than it should be"
        raise SourceError(f"{what}: {len(data)} bytes, {width}x{height} pixels take {size}", source=str(path))
    flow = np.frombuffer(data, "<f4", offset=_HEAD.size).reshape(height, width, 2).astype(np.float32)
    valid = (np.abs(flow) <= _UNKNOWN).all(axis=2)  # not so with NaN either
    flow[~valid] = 0
    return flow, valid


def _flo(path: Path, flow: Flow, valid: npt.NDArray[np.bool_]) -> bytes:
    _refuse(path, flow, valid & ~(np.abs(flow) <= _UNKNOWN).all(axis=2))
    height, width = valid.shape
    marked = np.where(valid[..., None], flow, np.float32(_MARK))
    return _HEAD.pack(_MAGIC, width, height) + marked.astype("<f4").tobytes()


def _read_kitti(data: bytes, path: Path) -> tuple[Flow, npt.NDArray[np.bool_]]:
    codes = decode_image(data, path, cv2.IMREAD_UNCHANGED)
    if codes.dtype != np.uint16 or codes.ndim != 3 or codes.shape[2] != 3:
        raise SourceError(f"not a KITTI flow picture (16-bit RGB): {codes.dtype} {codes.shape}", source=str(path))
    valid = codes[..., 0] != 0
    flow = (codes[..., :0:-1].astype(np.float32) - 32768) / 64  # red is dx, green dy, and cv2 has BGR
    flow[~valid] = 0
    return flow, valid


def _kitti(path: Path, flow: Flow, valid: npt.NDArray[np.bool_]) -> bytes:
    codes = np.rint(np.where(valid[..., None], flow, 0).astype(np.float64) * 64) + 32768
    _refuse(path, flow, ~((codes >= 0) & (codes <= 65535)).all(axis=2))
    picture = np.dstack([valid, codes[..., 1], codes[..., 0]]).astype(np.uint16)
    picture[~valid] = 0
    return encode_image(path, picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _refuse(path: Path, flow: Flow, bad: npt.NDArray[np.bool_]) -> None:
    if bad.any():
        y, x = np.argwhere(bad)[0].tolist()
        dx, dy = flow[y, x].tolist()
        raise OutputError(f"{path}: the flow ({dx:g}, {dy:g}) at x={x}, y={y} cannot be written as {path.suffix}")


_FORMATS: dict[str, tuple[Any, Any]] = {".flo": (_read_flo, _flo), ".png": (_read_kitti, _kitti)}
