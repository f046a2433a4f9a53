"""The protocol of datasets: a folder in its published layout becomes sequences of frames with truth.

A dataset is one file: a class that derives from :class:`Dataset`, says what it is (`info`, `task`), how its folders
lie (`sequences`) and how its results are named (`result_path`). Nothing is downloaded, and no picture is
read before somebody asks for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import abc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError, SourceError
from motionseg.core.types import Boxes, Frame
from motionseg.io.images import IMAGE_SUFFIXES, natural_key, read_image

__all__ = ["BoxTruth", "Dataset", "DatasetInfo", "FlowTruth", "Lazy", "Pictures", "Sequence", "images_in", "require"]

T = TypeVar("T")


@dataclass(frozen=True)
class DatasetInfo:
    """What `motionseg datasets` says of a dataset.

    Attributes
    ----------
    title : str
        Its full name.
    layout : str
        The files that the reader looks for below the root, one pattern per line.
    home : str
        Where it is published.
    citation : str
        Authors, year, title; DOI where there is one.
    licence : str
        Terms of use, in a few words.
    """

    title: str
    layout: str
    home: str
    citation: str
    licence: str


@dataclass(frozen=True, eq=False)
class BoxTruth:
    """The boxes of one frame.

    Attributes
    ----------
    ids : int64 (N,)
        Identities; -1 where unknown (detections).
    boxes : float32 (N, 4)
        x0, y0, x1, y1, half-open, pixels.
    scores : float32 (N,)
        Confidence of a detection; in truth, 0 marks a box that is not judged.
    classes : int64 (N,)
        MOTChallenge's class codes; 1 (pedestrian) where a file has none.
    """

    ids: npt.NDArray[np.int64]
    boxes: Boxes
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FlowTruth:
    """True optical flow from one frame to the next.

    Attributes
    ----------
    flow : float32 (H, W, 2)
        dx right, dy down, pixels.
    valid : bool (H, W)
        Where it is known.
    """

    flow: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


class Pictures(abc.Sequence[Frame]):
    """Image files as a sequence of frames (uint8 (H, W, 3) BGR), each read when it is asked for.

    Parameters
    ----------
    paths : iterable of Path
        In the order of the frames.

    Examples
    --------
    >>> len(Pictures([Path("in1.png"), Path("in2.png")]))
    2
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        """Frame `index`, or the Pictures of a slice. Raises SourceError where the file is damaged."""
        if isinstance(index, slice):
            return Pictures(self.paths[index])
        return read_image(self.paths[index])


class Lazy(abc.Mapping[int, T]):
    """What is known of some frames, by frame index; ``lazy[i]`` reads it.

    Parameters
    ----------
    items : mapping of int to object
        For each frame what `read` needs, a path for instance.
    read : callable
        Turns it into the value; raises SourceError.
    """

    def __init__(self, items: abc.Mapping[int, Any], read: Callable[[Any], T]) -> None:
        self.sources, self._read = dict(sorted(items.items())), read

    def __getitem__(self, index: int) -> T:
        return self._read(self.sources[index])

    def __iter__(self) -> Iterator[int]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, eq=False)
class Sequence:
    """One sequence of a dataset: its frames and what is true of them, read as they are asked for.

    Attributes
    ----------
    name : str
        The sequence's own name; unique in its category.
    category : str
        The group that results are averaged in; empty where a dataset has none.
    frames : sequence of uint8 (H, W, 3)
        All frames, BGR; empty where the pictures are not part of the data at hand (MOTChallenge text).
    truth : mapping of int to object
        Truth of the annotated frames by frame index (from 0). By the dataset's task: ``change`` uint8 (H, W), CDnet's
        codes 0, 50, 85, 170, 255; ``foreground``, ``objects`` and ``regions`` int32 (H, W), labels, -1 void;
        ``boxes`` :class:`BoxTruth`; ``flow`` :class:`FlowTruth`, from frame i to i + 1.
    range : range
        The frames that are judged, where they have truth.
    fps : float
        Frames per second, a guess (25) where the dataset does not say.
    detections : mapping of int to BoxTruth
        Given detections by frame index (MOTChallenge); else empty.
    background : mapping of int to uint8 (H, W, 3)
        The true empty scene, of frames where it is known; else empty.
    problems : list of str
        What was found damaged so far, each with its file. It grows while pictures are read.
    """

    name: str
    category: str
    frames: abc.Sequence[Frame]
    truth: abc.Mapping[int, Any]
    range: range
    fps: float = 25.0
    detections: abc.Mapping[int, BoxTruth] = field(default_factory=dict)
    background: abc.Mapping[int, Frame] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    read_roi: Callable[[], npt.NDArray[np.bool_] | None] = lambda: None

    @property
    def roi(self) -> npt.NDArray[np.bool_] | None:
        """Pixels that are judged, bool (H, W), read anew each time; None: all."""
        return self.read_roi()

    @property
    def full_name(self) -> str:
        """``category/name``, or the name alone."""
        return f"{self.category}/{self.name}" if self.category else self.name

    @property
    def judged(self) -> list[int]:
        """Indices of the frames that are in range and have truth, ascending."""
        return [i for i in self.truth if i in self.range]

    def __repr__(self) -> str:
        return f"Sequence({self.full_name!r}, {len(self.frames)} frames, {len(self.judged)} judged)"


class Dataset(ABC):
    """A dataset in its published layout below `root`. Iterate over it, or take ``dataset["name"]``.

    Parameters
    ----------
    root : path
        The folder that `info.layout` begins in.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: nothing there looks like this dataset; the message says which
        file was looked for.
    """

    info: ClassVar[DatasetInfo]
    """What `motionseg datasets` prints."""
    task: ClassVar[str]
    """What is judged and how: change, foreground, objects, regions, boxes or flow."""
    needs_root: ClassVar[bool] = True
    """Whether there are files to read."""

    def __init__(self, root: str | PathLike[str]) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise SourceError("there is no such folder", source=str(root))

    @abstractmethod
    def sequences(self) -> list[Sequence]:
        """All sequences below the root in natural order, no picture read yet; SourceError if there is none."""

    @abstractmethod
    def result_path(self, sequence: Sequence, index: int) -> str:
        """Where this benchmark wants the result of frame `index` (from 0), relative to the results' folder."""

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences())

    def __len__(self) -> int:
        return len(self.sequences())

    def __getitem__(self, name: str) -> Sequence:
        """The sequence of that name (``"highway"`` or ``"baseline/highway"``). Raises ParameterError."""
        sequences = self.sequences()
        found = [s for s in sequences if name in (s.name, s.full_name)]
        if len(found) != 1:
            what = "several sequences are" if found else "no sequence is"
            names = ", ".join(s.full_name for s in sequences)
            raise ParameterError(f"{what} called {name!r} in {self.root}; there are: {names}")
        return found[0]


def images_in(folder: Path, prefix: str = "", suffixes: abc.Set[str] = IMAGE_SUFFIXES) -> list[Path]:
    """The image files of a folder whose names start with `prefix`, in natural order; empty if there is no folder.

    Natural order: frame2 comes before frame10, padded with zeros or not.
    """
    if not folder.is_dir():
        return []
    found = (p for p in folder.iterdir() if p.name.startswith(prefix) and p.suffix.lower() in suffixes)
    return sorted((p for p in found if not p.name.startswith(".")), key=natural_key)


def require(found: list[T], root: Path, looked_for: str) -> list[T]:
    """`found`, if there is anything in it.

    Raises
    ------
    SourceError
        Nothing was found; says below which folder which file was looked for.
    """
    if not found:
        raise SourceError(f"nothing of this dataset is here: looked for {looked_for}", source=str(root))
    return found
