"""A network that is ready to run: on which device, in which numbers, shared by all cameras that use it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from motionseg.core.errors import ParameterError
from motionseg.refine._network import STRIDE, Answer, fold_norms
from motionseg.refine._packing import pack_pixels
from motionseg.refine._weights import read_weights

__all__ = ["Engine", "chosen_device", "engine_for"]

_OVERLAP = 96  # pixels of a tile on each side that its neighbours know better


class Engine:
    """One network on one device.

    Parameters
    ----------
    network : Module
        In evaluation mode.
    device : torch.device
    dtype : torch.dtype
    compile : bool
        Hand it to torch.compile.
    """

    def __init__(self, network: torch.nn.Module, device: torch.device, dtype: torch.dtype, *, compile: bool) -> None:
        self.device, self.dtype = device, dtype
        self.network: Any = fold_norms(network).to(device=device, dtype=dtype)
        if compile:
            self.network = torch.compile(self.network, dynamic=False)

    def answer_to(self, views: Sequence[Any], cues: Sequence[npt.NDArray[np.float32]], *, tile: int | None) -> Answer:
        """What the network says of frames of one size: their `View` objects, colour, and small planes (h, w, 6)."""
        rows, columns = (-(-side // STRIDE) * STRIDE for side in views[0].frame.shape[:2])
        bfloat = self.dtype == torch.bfloat16
        each = [
            pack_pixels(view.frame, view.background, view.score, view.mask, size=(rows, columns), bfloat=bfloat)
            for view in views
        ]
        # Not each[0][None]: its stride of 0 costs torch its fast convolutions.
        packed = each[0].reshape(1, *each[0].shape) if len(each) == 1 else np.stack(each)
        pixels = torch.from_numpy(packed.view(np.int16)).view(torch.bfloat16) if bfloat else torch.from_numpy(packed)
        return self.run(self._placed(pixels), self._placed(torch.from_numpy(np.stack(cues))), tile=tile)

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        """(N, h, w, C) as (N, C, h, w) in channels-last memory, on the device."""
        return tensor.permute(0, 3, 1, 2).to(self.device, self.dtype, non_blocking=True)

    @torch.inference_mode()
    def run(self, pixels: torch.Tensor, cues: torch.Tensor, *, tile: int | None = None) -> Answer:
        """What the network says; in tiles of at most `tile` pixels a side, or where the memory is too small."""
        if tile is None or max(pixels.shape[2:]) * 2 <= tile:
            try:
                return Answer(*self.network(pixels, cues))
            except torch.OutOfMemoryError:
                tile = max(256, max(pixels.shape[2:]) // STRIDE * STRIDE)
                if max(pixels.shape[2:]) * 2 <= tile:
                    raise
                torch.cuda.empty_cache()
                warnings.warn(
                    f"{self.device} has too little memory for a frame of this size: it is refined in tiles of {tile}",
                    RuntimeWarning,
                    stacklevel=3,
                )
        return self._tiled(pixels, cues, tile)

    def _tiled(self, pixels: torch.Tensor, cues: torch.Tensor, tile: int) -> Answer:
        n, _, rows, columns = pixels.shape
        whole: list[torch.Tensor] | None = None
        for y, y_kept in _spans(2 * rows, tile):
            for x, x_kept in _spans(2 * columns, tile):
                answer = self.network(
                    pixels[:, :, y.start // 2 : y.stop // 2, x.start // 2 : x.stop // 2],
                    cues[:, :, y.start // 4 : y.stop // 4, x.start // 4 : x.stop // 4],
                )
                if whole is None:
                    scales = (1, 1, 4)
                    whole = [
                        part.new_empty((n, part.shape[1], 2 * rows // s, 2 * columns // s))
                        for part, s in zip(answer, scales, strict=True)
                    ]
                for target, part, s in zip(whole, answer, (1, 1, 4), strict=True):
                    inner = (
                        slice((y_kept.start - y.start) // s, (y_kept.stop - y.start) // s),
                        slice((x_kept.start - x.start) // s, (x_kept.stop - x.start) // s),
                    )
                    outer = slice(y_kept.start // s, y_kept.stop // s), slice(x_kept.start // s, x_kept.stop // s)
                    target[:, :, outer[0], outer[1]] = part[:, :, inner[0], inner[1]]
        assert whole is not None
        return Answer(*whole)


def _spans(length: int, tile: int) -> list[tuple[slice, slice]]:
    """Tiles along one side of `length` (a multiple of the stride): what each sees, and what is taken of it."""
    tile = min(length, max(tile // STRIDE * STRIDE, 4 * STRIDE))
    overlap = min(_OVERLAP, (tile - STRIDE) // 2 // STRIDE * STRIDE)
    spans, start = [], 0
    while True:
        seen = slice(min(start, length - tile), min(start, length - tile) + tile)
        first = 0 if not spans else spans[-1][1].stop
        last = length if seen.stop == length else seen.stop - overlap
        spans.append((seen, slice(first, last)))
        if seen.stop == length:
            return spans
        start = last - overlap


def has_fast_bfloat(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 at least as fast as in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    tells = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # private, but torch has no public way
    return device.type == "cpu" and any(getattr(torch.cpu, tell, lambda: False)() for tell in tells)


def chosen_device(name: str) -> torch.device:
    """The device of that name; of ``"auto"``: CUDA where there is one, else the CPU.

    Raises
    ------
    ParameterError
        There is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(name)
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError) as error:
        raise ParameterError(f"there is no device {name!r} here: {str(error).splitlines()[0]}") from error
    return place


def engine_for(weights: Path, device: str, dtype: str, compile: bool) -> Engine:
    """The engine for a file of weights; one for all who ask for the same."""
    place = chosen_device(device)
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype == "auto":
        dtype = "bfloat16" if has_fast_bfloat(place) else "float16" if place.type == "cuda" else "float32"
    stamp = weights.stat().st_mtime_ns if weights.exists() else 0
    return _engine(weights, stamp, place, kinds[dtype], compile)


@lru_cache(maxsize=8)
def _engine(weights: Path, stamp: int, device: torch.device, dtype: torch.dtype, compile: bool) -> Engine:
    network, _, _ = read_weights(weights)
    return Engine(network, device, dtype, compile=compile)
