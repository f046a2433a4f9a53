"""UCSD background subtraction: 18 short sequences before highly dynamic backgrounds or a moving camera."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from motionseg.core.errors import SourceError
from motionseg.datasets._change import Truth, folders_with, read_binary
from motionseg.datasets._pairing import pair_by_number, pairing_problems, stem_of
from motionseg.datasets.base import Dataset, DatasetInfo, Lazy, Pictures, Sequence, images_in, require

__all__ = ["UCSD"]


class UCSD(Dataset):
    """UCSD background subtraction: 18 short sequences with water, rain, smoke, crowds and moving cameras.

    Parameters
    ----------
    root : path
        The folder that holds ``JPEGS`` and ``GT``, or one with a folder for each sequence, or the parent of either.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: there is none below it.

    Notes
    -----
    Numbers in the frames' names are not padded. Not every frame has truth; those that have it are judged. The second
    layout is that of the copy which is handed on with FgSegNet; its temporalROI.txt is not heeded. In ``GT``, the masks
    of a sequence may be a folder of pictures, or a MATLAB file: its one array of three dimensions, (H, W, n), is taken
    as the masks of the frames 1 to n.

    References
    ----------
    V. Mahadevan, N. Vasconcelos, Spatiotemporal saliency in dynamic scenes, IEEE Transactions on Pattern Analysis and
    Machine Intelligence 32(1), 2010, doi:10.1109/TPAMI.2009.112.
    """

    info = DatasetInfo(
        title="UCSD background subtraction (SVCL)",
        layout="JPEGS/<sequence>/frame_%d.jpg\nGT/<sequence>/*.png or GT/<sequence>.mat\n"
        "or <sequence>/in/frame_%d.jpg\n<sequence>/groundtruth/gt%04d.png",
        home="http://www.svcl.ucsd.edu/projects/background_subtraction/ucsdbgsub_dataset.htm",
        citation="Mahadevan and Vasconcelos 2010, Spatiotemporal saliency in dynamic scenes, "
        "doi:10.1109/TPAMI.2009.112",
        licence="research; cite the paper",
    )
    task = "change"

    def sequences(self) -> list[Sequence]:
        published = folders_with(self.root, ("JPEGS/*", "*/JPEGS/*"), "frame_1.jpg")
        if published:
            return [_sequence(p.name, p, p.parent.with_name("GT") / p.name) for p in published]
        looked_for = "JPEGS/<sequence>/frame_1.jpg and <sequence>/in/frame_1.jpg"
        copied = require(folders_with(self.root, ("*/in", "*/*/in"), "frame_1.jpg"), self.root, looked_for)
        return [_sequence(p.parent.name, p, p.with_name("groundtruth")) for p in copied]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}/{stem_of(sequence, index)}.png"


def _sequence(name: str, frames_in: Path, masks_in: Path) -> Sequence:
    frames, masks = images_in(frames_in), images_in(masks_in)
    paired = pair_by_number(frames, masks)
    truth: Lazy[Truth] = Lazy(paired, read_binary)
    problems = pairing_problems(masks_in.name, frames, masks, paired, range(0))
    if not masks:
        try:
            truth = _matlab_masks(masks_in)
        except SourceError as error:
            problems.append(str(error))
    return Sequence(name, "", Pictures(frames), truth, range(len(frames)), problems=problems)


def _matlab_masks(folder: Path) -> Lazy[Truth]:
    """The masks of the MATLAB file that lies in the place of `folder`, read when the first of them is asked for."""
    from scipy.io import loadmat, whosmat

    found = [path for path in folder.parent.glob("*.mat") if folder.name in path.stem.split("_")]
    if not found:
        raise SourceError("there is neither such a folder of masks nor a MATLAB file", source=str(folder))
    path = str(found[0])
    try:
        stacks = [(name, shape) for name, shape, _ in whosmat(path) if len(shape) == 3]
    except Exception as error:  # a damaged file breaks the parser anywhere
        raise SourceError(f"not a readable MATLAB file: {error}", source=path) from error
    if len(stacks) != 1:
        raise SourceError(f"it holds {len(stacks)} arrays of three dimensions instead of one", source=path)
    name, shape = stacks[0]

    @cache
    def masks() -> Truth:
        return np.where(loadmat(path, variable_names=[name])[name] > 0, np.uint8(255), np.uint8(0))

    return Lazy({i: i for i in range(shape[2])}, lambda i: np.ascontiguousarray(masks()[:, :, i]))
