"""SegTrack v2: one to six objects in 14 short videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motionseg.core.errors import SourceError
from motionseg.core.types import Labels
from motionseg.datasets._pairing import folders_in, pair_by_number, pairing_problems, stem_of
from motionseg.datasets.base import Dataset, DatasetInfo, Lazy, Pictures, Sequence, images_in, require
from motionseg.io.images import read_image

__all__ = ["SegTrack"]


class SegTrack(Dataset):
    """SegTrack v2: foreground objects, every frame annotated, names of files as they come.

    Parameters
    ----------
    root : path
        The folder that holds JPEGImages and GroundTruth, or its parent.

    Raises
    ------
    SourceError
        There is no such folder, or no sequence below it.

    Notes
    -----
    Labels are the numbers of the objects' folders, 1 where there is one object; a later object covers an earlier one.
    Masks are grey, some with soft borders: a pixel is the object's from half on. A frame is judged if each object has
    a mask for it.

    References
    ----------
    F. Li, T. Kim, A. Humayun, D. Tsai, J. M. Rehg, Video segmentation by tracking many figure-ground segments,
    ICCV 2013, doi:10.1109/ICCV.2013.273.
    """

    info = DatasetInfo(
        title="SegTrack v2",
        layout="JPEGImages/<sequence>/*.png (or bmp, jpg)\n"
        "GroundTruth/<sequence>/*.png, or GroundTruth/<sequence>/<object>/*.png",
        home="https://web.engr.oregonstate.edu/~lif/SegTrack2/dataset.html",
        citation="Li et al. 2013, Video segmentation by tracking many figure-ground segments, "
        "doi:10.1109/ICCV.2013.273",
        licence="not stated; cite the paper",
    )
    task = "foreground"

    def sequences(self) -> list[Sequence]:
        root = next((p for p in (self.root, self.root / "SegTrackv2") if (p / "JPEGImages").is_dir()), self.root)
        folders = [p for p in folders_in(root / "JPEGImages") if images_in(p)]
        require(folders, self.root, "JPEGImages/<sequence>/*.png")
        return [_sequence(folder, root / "GroundTruth" / folder.name) for folder in folders]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}/{stem_of(sequence, index)}.png"


def _sequence(folder: Path, masks: Path) -> Sequence:
    frames, problems = images_in(folder), []
    objects = [p for p in folders_in(masks) if p.name.isdecimal()] or [masks]
    paired = []
    for place in objects:
        files = images_in(place)
        paired.append(pair_by_number(frames, files))
        where = "/".join(("GroundTruth", masks.name, *place.relative_to(masks).parts))
        problems += pairing_problems(where, frames, files, paired[-1], range(len(frames)))
    labels = [int(place.name) if place != masks else 1 for place in objects]
    truth = {
        i: [(label, of_object[i]) for label, of_object in zip(labels, paired, strict=True)]
        for i in range(len(frames))
        if all(i in of_object for of_object in paired)
    }
    return Sequence(folder.name, "", Pictures(frames), Lazy(truth, _read), range(len(frames)), problems=problems)


def _read(masks: list[tuple[int, Path]]) -> Labels:
    """The masks of all objects in one frame as labels."""
    pictures = [(label, path, read_image(path, grey=True)) for label, path in masks]
    labels = np.zeros_like(pictures[0][2], np.int32)
    for label, path, picture in pictures:
        if picture.shape != labels.shape:
            raise SourceError("another size than the mask of another object in the same frame", source=str(path))
        labels[picture > 127] = label
    return labels
