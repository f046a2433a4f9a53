"""Wallflower: seven classic problems of background models, with one frame of truth each."""

from __future__ import annotations

from pathlib import Path

from motionseg.datasets._change import folders_with, read_binary
from motionseg.datasets._pairing import pair_by_number, stem_of
from motionseg.datasets.base import Dataset, DatasetInfo, Lazy, Pictures, Sequence, images_in, require

__all__ = ["Wallflower"]

_TRUTH = "hand_segmented_"


class Wallflower(Dataset):
    """Wallflower: seven sequences, each of one problem, and one hand-segmented frame in each.

    Parameters
    ----------
    root : path
        The folder that the archives were unpacked in (it holds ``Bootstrap``, ``Camouflage``, ...), or its parent.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: there is none below it.

    Notes
    -----
    Judged is the hand-segmented frame alone, after a model has seen all before it. script.txt, which tells what
    happens in a sequence, is not read.

    References
    ----------
    K. Toyama, J. Krumm, B. Brumitt, B. Meyers, Wallflower: principles and practice of background maintenance, ICCV
    1999, doi:10.1109/ICCV.1999.791228.
    """

    info = DatasetInfo(
        title="Wallflower",
        layout="<sequence>/b%05d.bmp\n<sequence>/hand_segmented_%05d.BMP",
        home="https://www.microsoft.com/en-us/download/details.aspx?id=54651",
        citation="Toyama et al. 1999, Wallflower: principles and practice of background maintenance, "
        "doi:10.1109/ICCV.1999.791228",
        licence="as Microsoft Research publishes it; cite the paper",
    )
    task = "change"

    def sequences(self) -> list[Sequence]:
        folders = folders_with(self.root, ("*", "*/*"), "[bB]00000.*", f"{_TRUTH}*")
        return [_sequence(folder) for folder in require(folders, self.root, f"<sequence>/{_TRUTH}*.BMP")]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}/{stem_of(sequence, index)}.png"


def _sequence(folder: Path) -> Sequence:
    images = images_in(folder)
    masks = [path for path in images if path.name.startswith(_TRUTH)]
    frames = [path for path in images if not path.name.startswith(_TRUTH)]
    truth = pair_by_number(frames, masks)
    return Sequence(
        name=folder.name,
        category="",
        frames=Pictures(frames),
        truth=Lazy(truth, read_binary),
        range=range(min(truth), max(truth) + 1) if truth else range(0),
        problems=[] if truth else [f"{_TRUTH}*.BMP: there is no such file, or not the frame of its number"],
    )
