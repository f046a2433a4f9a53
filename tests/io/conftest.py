"""Small videos, written by PyAV alone."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Write `frames` (BGR or grey) at `times` (s, default 25 a second); lossless unless told otherwise."""

    def make(
        name: str, frames, *, times=None, codec="ffv1", pixels=None, rotation=None, unit=Fraction(1, 1000), **options
    ) -> Path:
        path = tmp_path / name
        times = np.arange(len(frames)) / 25 if times is None else times
        height, width = frames[0].shape[:2]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height = width, height
            stream.pix_fmt = pixels or ("gray" if frames[0].ndim == 2 else "bgr0")
            if name.endswith(".avi"):
                unit = Fraction(1, 25)
            stream.codec_context.time_base = unit
            if rotation is not None:
                stream.set_display_rotation(rotation)
            for picture, time in zip(frames, times, strict=True):
                frame = av.VideoFrame.from_ndarray(picture, format="gray" if picture.ndim == 2 else "bgr24")
                frame.pts, frame.time_base = round(time / unit), unit
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def frames() -> list[np.ndarray]:
    """Twelve BGR pictures of 48x32, each with its number in the colour of its corner (y < 8, x < 8)."""
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(12):
        picture = np.repeat(np.repeat(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8), 8, axis=0), 8, axis=1)
        picture[:8, :8] = 20 * i
        pictures.append(picture)
    return pictures
