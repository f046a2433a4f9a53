"""The folders that both DAVIS datasets share."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from os import PathLike
from pathlib import Path
from typing import ClassVar

from motionseg.core.errors import ParameterError, SourceError
from motionseg.core.types import Labels
from motionseg.datasets._pairing import folders_in, pair_by_number, pairing_problems, stem_of
from motionseg.datasets.base import Dataset, Lazy, Pictures, Sequence, images_in, require

__all__ = ["DavisFolders"]

_FRAMES = "JPEGImages/480p"
_FPS = 24.0  # of all its videos, says the paper of 2016


class DavisFolders(Dataset):
    """JPEGImages/480p, masks of the same names beside it, and lists of the sequences of each split."""

    _masks: ClassVar[tuple[str, ...]]
    """Folders of masks; the first that is there is taken."""
    _lists: ClassVar[tuple[str, ...]]
    """Folders of lists, <split>.txt; the first that has the split is taken."""

    def __init__(self, root: str | PathLike[str], *, split: str | None = None) -> None:
        super().__init__(root)
        self.split = split

    @abstractmethod
    def _read(self, problems: list[str], path: Path) -> Labels:
        """A mask as truth; adds what is odd with it to `problems`."""

    @abstractmethod
    def _judged(self, n_frames: int) -> range:
        """The frames that the protocol judges."""

    def sequences(self) -> list[Sequence]:
        root = next((p for p in (self.root, self.root / "DAVIS") if (p / _FRAMES).is_dir()), self.root)
        folders = [p for p in folders_in(root / _FRAMES) if images_in(p)]
        require(folders, self.root, f"{_FRAMES}/<sequence>/00000.jpg")
        if self.split is not None:
            folders = self._of_split(root, folders)
        masks = next((name for name in self._masks if (root / name).is_dir()), self._masks[-1])
        return [self._sequence(folder, root, masks) for folder in folders]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}/{stem_of(sequence, index)}.png"

    def _of_split(self, root: Path, folders: list[Path]) -> list[Path]:
        lists = [root / name / f"{self.split}.txt" for name in self._lists]
        found = next((path for path in lists if path.is_file()), None)
        if found is None:
            there = sorted({p.stem for path in lists for p in path.parent.glob("*.txt")})
            where = " and ".join(self._lists)
            raise ParameterError(f"no split {self.split!r} in {where}; there are: {', '.join(there) or 'none'}")
        # A line is a sequence, or the files of one frame: /JPEGImages/480p/bear/00000.jpg /Annotations/...
        lines = found.read_text(encoding="utf-8", errors="replace").split("\n")
        files = [Path(line.split()[0]) for line in lines if line.strip()]
        listed = {path.parent.name or path.name for path in files}
        missing = sorted(listed - {folder.name for folder in folders})
        if missing:
            raise SourceError(f"these sequences of the split are not here: {', '.join(missing)}", source=str(found))
        return [folder for folder in folders if folder.name in listed]

    def _sequence(self, folder: Path, root: Path, masks: str) -> Sequence:
        frames, files = images_in(folder), images_in(root / masks / folder.name)
        paired, judged = pair_by_number(frames, files), self._judged(len(frames))
        problems = pairing_problems(f"{masks}/{folder.name}", frames, files, paired, judged)
        truth = Lazy(paired, partial(self._read, problems))
        return Sequence(folder.name, "", Pictures(frames), truth, judged, fps=_FPS, problems=problems)
