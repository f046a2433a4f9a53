"""A learned flow network, torchvision's RAFT, with weights of the user's own (Teed and Deng, 2020)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice
from motionseg.core.errors import MissingExtraError, ParameterError
from motionseg.core.types import Flow
from motionseg.flow.base import FlowEstimator

__all__ = ["Raft"]

_LEAST, _STEP = 128, 8  # pixels a side: its correlation pyramid asks for 16 cells of 8 pixels


class Raft(FlowEstimator):
    """Flow by a learned network, for those who have its weights and a GPU.

    Parameters
    ----------
    weights : path
        State dict of ``torchvision.models.optical_flow``'s raft_small or raft_large, as ``torch.save`` writes it. It is
        read with ``weights_only=True``, so nothing in the file is executed. Nothing is downloaded.
    device : str
        ``"auto"`` (the GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    size : "small" or "large"
        Which of the two networks the weights are of.

    Raises
    ------
    ParameterError
        No weights are given, the file is missing, cannot be read, or holds other weights; there is no such device.
    MissingExtraError
        torch or torchvision is not installed.

    Notes
    -----
    Frames are padded with their border pixels to multiples of 8 and at least 128 pixels, and taken in colour. Memory on
    the device grows with the square of the number of pixels: 1.1 GB for the correlation of a 1280x720 frame.

    The licence of weights is that of whoever made them: those of torchvision were trained on data for research.

    References
    ----------
    Z. Teed, J. Deng, RAFT: recurrent all-pairs field transforms for optical flow, ECCV 2020,
    doi:10.1007/978-3-030-58536-5_24.
    """

    info = ModelInfo(
        paper="Teed and Deng 2020, RAFT: recurrent all-pairs field transforms for optical flow, "
        "doi:10.1007/978-3-030-58536-5_24",
        speed="slow",
        good_at="the most exact flow, with weights of your own and a GPU",
        notice="needs torchvision and a file of weights, whose licence is its own",
    )
    _takes_colour = True

    def __init__(self, *, weights: str | Path | None = None, device: str = "auto", size: str = "small") -> None:
        self.weights = weights
        self.device = device
        self.size = check_choice("size", size, ("small", "large"))
        if not isinstance(weights, (str, Path)):
            raise ParameterError(f"weights is the path of a state dict of raft_{size}, not {weights!r}")
        if not isinstance(device, str):
            raise ParameterError(f"device is a name such as 'cpu' or 'cuda', not {device!r}")
        self._torch, networks = _torch()
        self._place = self._find_device()
        self._network = getattr(networks, f"raft_{size}")(weights=None)
        self._load(Path(weights))
        self._network.to(self._place).eval()

    def _find_device(self) -> Any:
        has_gpu = self._torch.cuda.is_available()
        name = ("cuda" if has_gpu else "cpu") if self.device == "auto" else self.device
        try:
            place = self._torch.device(name)
        except RuntimeError as error:
            raise ParameterError(f"device {name!r}: {error}") from error
        if place.type == "cuda" and not has_gpu:
            raise ParameterError(f"device {name!r}: torch finds no GPU here")
        return place

    def _load(self, path: Path) -> None:
        if not path.is_file():
            raise ParameterError(f"weights: there is no file {path}")
        try:
            state = self._torch.load(path, map_location="cpu", weights_only=True)
            self._network.load_state_dict(state)
        except Exception as error:  # torch has no error of its own for a bad file: pickle's, zip's, its keys', ...
            reason = str(error).strip().partition("\n")[0]
            raise ParameterError(f"weights: {path} does not hold those of raft_{self.size}: {reason}") from error

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        torch, (height, width) = self._torch, previous.shape[:2]
        pad = [(0, max(_LEAST, -(-n // _STEP) * _STEP) - n) for n in (height, width)]
        pair = []
        for frame in (previous, current):
            colours = frame[..., ::-1] if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
            padded = np.pad(colours, (*pad, (0, 0)), mode="edge")
            planes = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32) / np.float32(127.5) - 1
            pair.append(torch.from_numpy(planes).to(self._place))
        with torch.inference_mode():
            flow = self._network(*pair)[-1][0]  # the last of its refinements
        planes = flow.float().cpu().numpy()[:, :height, :width]
        return np.array(planes.transpose(1, 2, 0), np.float32, order="C")


def _torch() -> tuple[Any, Any]:
    """torch, and torchvision's flow networks; neither is loaded before somebody asks for them."""
    try:
        import torch
        from torchvision.models import optical_flow
    except ImportError as error:
        raise MissingExtraError("Raft", "pip install torch torchvision") from error
    return torch, optical_flow
