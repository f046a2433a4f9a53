"""Consensus: several models vote, and the votes are filtered (Bianco, Ciocca and Schettini 2017)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo, find
from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.state import read_state, write_state
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["Consensus"]

C = TypeVar("C", bound="Consensus")


class Consensus(BackgroundModel):
    """Foreground is what most of several models take for it, and most of the pixels around.

    Models that err in different ways are better together than the best of them.

    Parameters
    ----------
    models : sequence of str or BackgroundModel
        The members: names that ``motionseg models`` lists, or models, of which fresh copies are used.
    agreement : float in [0, 1)
        More than this share of the members must see foreground: 0 any of them, 0.5 most.
    window : odd int in [1, 51]
        Side of the square over which the median of the vote is taken, in pixels; 1: no filter.

    Raises
    ------
    ParameterError
        A parameter is out of range, or there is no such model.
    UnsupportedError
        A given model wraps an object that cannot be copied.

    Notes
    -----
    A pixel is foreground where most pixels of the square around it have the votes of enough members; the score is their
    share. The background is the median of the members' pictures. Shadows are no foreground, and not labelled. Learning
    rates, known foreground, fresh starts and moving cameras go to every member; what one of them cannot do, their
    consensus cannot.

    Memory: that of the members; 133 bytes a BGR pixel by default.

    References
    ----------
    S. Bianco, G. Ciocca, R. Schettini, Combination of video change detection algorithms by genetic programming, IEEE
    Transactions on Evolutionary Computation 21 (2017), doi:10.1109/TEVC.2017.2694160. There the way to combine votes,
    medians and morphology is found by evolution; votes and a median are the heart of what it finds.

    Examples
    --------
    >>> model = Consensus(models=["codebook", "self_organizing", "frame_difference"])
    >>> frame = np.full((9, 9), 90, np.uint8)
    >>> mask = model.apply(frame)
    >>> frame[:, 4:], frame[2, 2] = 200, 200  # a wall, and a speck
    >>> model.apply(frame)[2]
    array([  0,   0,   0,   0, 255, 255, 255, 255, 255], dtype=uint8)
    """

    info = ModelInfo(
        paper="Bianco, Ciocca, Schettini 2017, Combination of video change detection algorithms by genetic "
        "programming, doi:10.1109/TEVC.2017.2694160",
        speed="medium",
        good_at="joining models that err in different ways, yours among them",
    )
    _arrays = ()

    def __init__(
        self,
        *,
        models: Sequence[str | BackgroundModel] = ("self_organizing", "codebook", "count_stability"),
        agreement: float = 0.5,
        window: int = 5,
    ) -> None:
        if isinstance(models, str) or not isinstance(models, Sequence) or not len(models):
            raise ParameterError(f"models is a sequence of names or models, at least one, not {models!r}")
        members = [_fresh(model) for model in models]
        self.models = tuple(models)
        self.agreement = check_number("agreement", agreement, 0, 1)
        if self.agreement == 1:
            raise ParameterError("agreement is in [0, 1), not 1: more than all members cannot agree")
        self.window = check_integer("window", window, 1, 51)
        if self.window % 2 == 0:
            raise ParameterError(f"window is odd, not {window}")
        self._unsupported = frozenset().union(*(member._unsupported - {"background"} for member in members))
        if all("background" in member._unsupported for member in members):
            self._unsupported |= {"background"}
        self._members: list[BackgroundModel] = []

    def _start(self, frame: Frame) -> None:
        self._members = [_fresh(model) for model in self.models]

    def _learn(
        self, frame: Frame, mask: Mask, learning_rate: float | None, known: npt.NDArray[np.bool_] | None
    ) -> None:
        self._known = {} if known is None else {"known_foreground": known}  # members keep it from their memories
        super()._learn(frame, mask, learning_rate, None)
        if known is not None:
            mask[known], self._score[known] = FOREGROUND, 1.0

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        votes = np.zeros(mask.shape, np.uint8)
        for member in self._members:
            votes += member.apply(frame, learning_rate=learning_rate, **self._known) == FOREGROUND
        passed = (votes > self.agreement * len(self._members)).astype(np.float32)
        # Of an odd number of pixels never just half have passed: most of them have, or the median is 0.
        cv2.blur(passed, (self.window, self.window), dst=score, borderType=cv2.BORDER_REPLICATE)
        np.clip(score, 0, 1, out=score)
        mask[score >= 0.5] = FOREGROUND

    def background(self) -> Frame:
        """The learned picture of the empty scene: the median of the members' pictures, channel by channel."""
        self._require_supported("background")
        self._require_started()
        pictures = [member.background() for member in self._members if "background" not in member._unsupported]
        return np.median(pictures, axis=0).round().astype(np.uint8)

    # --- what goes to every member -----------------------------------------------------------

    def reset(self) -> None:
        self._require_supported("reset")
        super().reset()
        self._members = []

    def memory(self) -> int:
        self._require_supported("memory")
        return sum(member.memory() for member in self._members)

    def restart(self, frame: Frame, pixels: npt.NDArray[np.bool_]) -> None:
        self._require_supported("restart")
        self._require_started()
        for member in self._members:  # the first refuses what is wrong before any has changed
            member.restart(frame, pixels)

    def warp(self, transform: npt.ArrayLike, frame: Frame) -> npt.NDArray[np.bool_]:
        self._require_supported("restart")
        self._require_started()
        uncovered = [member.warp(transform, frame) for member in self._members]  # alike
        return uncovered[0]

    # --- state -------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        state = super().state()
        for i, member in enumerate(self._members):
            state |= {f"{i}.{name}": array for name, array in member.state().items()}
        return state

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        fresh = self.clone()
        BackgroundModel.load_state(fresh, state)
        if fresh._shape is not None:
            fresh._members = [_fresh(model) for model in self.models]
            for i, member in enumerate(fresh._members):
                start = f"{i}."
                member.load_state({k.removeprefix(start): v for k, v in state.items() if k.startswith(start)})
                if (member._shape, member._frames_seen) != (fresh._shape, fresh._frames_seen):
                    raise StateError(f"member {i} of the state has seen other frames than their consensus")
        self.reset()
        self._members, self._shape, self._frames_seen = fresh._members, fresh._shape, fresh._frames_seen

    def save(self, path: str | os.PathLike[str]) -> None:
        models = [model if isinstance(model, str) else _described(model) for model in self.models]
        write_state(path, self.state(), {"class": "Consensus", "params": {**self.params(), "models": models}})

    @classmethod
    def load(cls: type[C], path: str | os.PathLike[str]) -> C:
        arrays, head = read_state(path)
        if head.get("class") != "Consensus":
            raise StateError(f"{path} holds a {head.get('class')}, not a Consensus")
        given = head["params"]["models"]
        models = [m if isinstance(m, str) else find("background", m["name"])(**m["params"]) for m in given]
        model = cls(**{**head["params"], "models": models})
        model.load_state(arrays)
        return model


def _fresh(model: str | BackgroundModel) -> BackgroundModel:
    """A model that has learned nothing, of that name or with these parameters."""
    if isinstance(model, BackgroundModel):
        model._require_supported("reset")
        return model.clone()
    if not isinstance(model, str):
        raise ParameterError(f"models are names or BackgroundModels, not {model!r}")
    fresh: BackgroundModel = find("background", model)()
    return fresh


def _described(model: BackgroundModel) -> dict[str, Any]:
    """Name and parameters of a model of this package."""
    room, _, name = type(model).__module__.rpartition(".")
    if room != "motionseg.background" or name.startswith("_"):
        raise StateError(f"{type(model).__name__} is no model of this package: save the consensus' state() yourself")
    return {"name": name, "params": model.params()}
