"""Data of your own: a folder of frames and a folder of masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.datasets._change import roi_reader
from motionseg.datasets._pairing import folders_in, number_of, pair_by_number, stem_of
from motionseg.datasets.base import Dataset, DatasetInfo, Lazy, Pictures, Sequence, images_in, require
from motionseg.io.images import read_image

__all__ = ["Folder"]

_FRAMES = ("frames", "input", "images")
_MASKS = ("masks", "groundtruth", "truth", "gt")
_CODES = {0, 50, 85, 170, 255}  # CDnet's


class Folder(Dataset):
    """A folder of frames beside a folder of masks, or several such pairs.

    Parameters
    ----------
    root : path
        A folder that holds ``frames`` (or ``input``, ``images``) and ``masks`` (or ``groundtruth``, ``truth``,
        ``gt``), or a folder of such folders. Upper and lower case are the same.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: there is no such pair of folders.

    Notes
    -----
    Frames are taken in natural order (2 before 10). A mask belongs to the frame that has the same last number in its
    name. Where not every name has a number of its own, masks and frames are paired in order, if there are equally
    many. Frames without a mask are not judged.

    A grey mask that has no other values than 0, 50, 85, 170 and 255 is taken as it is, as CDnet's codes. In every
    other mask what is not black is foreground; in a jpg, whose black is not pure, what is brighter than 127. A picture
    called ``roi`` (any ending) beside the two folders is the region that is judged: what is not black.

    Examples
    --------
    >>> import tempfile
    >>> from motionseg.io import write_image
    >>> picture = np.full((4, 6, 3), 200, np.uint8)
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("frames/f1.png", "frames/f2.png", "masks/m2.png"):
    ...         write_image(f"{root}/walk/{name}", picture)
    ...     Folder(root)["walk"]
    Sequence('walk', 2 frames, 1 judged)
    """

    info = DatasetInfo(
        title="a folder of frames and a folder of masks",
        layout="frames/* (or input, images)\nmasks/* (or groundtruth, truth, gt)\nroi.png (optional)\n"
        "or <sequence>/frames/*, ...",
        home="-",
        citation="-",
        licence="your own",
    )
    task = "change"

    def sequences(self) -> list[Sequence]:
        pairs = [(self.root, *_pair(self.root))]
        if not all(pairs[0]):
            pairs = [(folder, *_pair(folder)) for folder in folders_in(self.root)]
        whole = [(folder, frames, masks) for folder, frames, masks in pairs if frames and masks]
        looked_for = "[<sequence>/]frames (or input, images) with [<sequence>/]masks (or groundtruth, truth, gt)"
        return [_sequence(*parts, self.read_mask) for parts in require(whole, self.root, looked_for)]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}/{stem_of(sequence, index)}.png"

    def read_mask(self, path: Path) -> npt.NDArray[Any]:
        """The truth in a file of `masks`."""
        picture = read_image(path)
        grey = np.ascontiguousarray(picture[..., 0])
        if (picture == grey[..., None]).all() and set(np.unique(grey).tolist()) <= _CODES:
            return grey
        black = 127 if path.suffix.lower() in (".jpg", ".jpeg") else 0
        return np.where(picture.max(axis=2) > black, np.uint8(255), np.uint8(0))


def _pair(folder: Path) -> tuple[Path | None, Path | None]:
    """The folders of frames and of masks in a folder."""
    found = {path.name.lower(): path for path in folders_in(folder)}
    frames, masks = (next((found[name] for name in names if name in found), None) for names in (_FRAMES, _MASKS))
    return frames, masks


def _sequence(folder: Path, frames_in: Path, masks_in: Path, read_mask: Callable[[Path], Any]) -> Sequence:
    frames, masks, problems = images_in(frames_in), images_in(masks_in), list[str]()
    if _are_numbered(frames) and _are_numbered(masks):
        truth = pair_by_number(frames, masks)
    elif len(frames) == len(masks):
        truth = dict(enumerate(masks))
    else:
        truth = {}
    unused = sorted(set(masks) - set(truth.values()))
    if unused:
        problems.append(f"{masks_in.name}: {len(unused)} of {len(masks)} masks have no frame among {len(frames)}")
    if not masks:
        problems.append(f"{masks_in.name}: there is no mask")
    shown = Pictures(frames)
    roi = next((path for path in images_in(folder) if path.stem.lower() == "roi"), folder / "roi.png")
    return Sequence(
        name=folder.resolve().name,
        category="",
        frames=shown,
        truth=Lazy(truth, read_mask),
        range=range(len(frames)),
        problems=problems,
        read_roi=roi_reader(roi, shown, problems),
    )


def _are_numbered(paths: list[Path]) -> bool:
    numbers = {number_of(path) for path in paths}
    return len(numbers) == len(paths) and all(isinstance(number, int) for number in numbers)
