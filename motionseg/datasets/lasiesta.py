"""LASIESTA: indoor and outdoor sequences, each of one difficulty, every object labelled in every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motionseg.datasets._change import Truth
from motionseg.datasets._pairing import folders_in, pair_by_number, pairing_problems, stem_of
from motionseg.datasets.base import Dataset, DatasetInfo, Lazy, Pictures, Sequence, images_in, require
from motionseg.io.images import natural_key, read_image

__all__ = ["LASIESTA"]

_NAME = "[IO]_[A-Z][A-Z]_[0-9][0-9]"


class LASIESTA(Dataset):
    """LASIESTA: 48 short sequences in categories such as camouflage, rain and moving cameras.

    Parameters
    ----------
    root : path
        The folder that the archives were unpacked in, or its parent. Each archive (``I_SI_01.rar``) gives a folder of
        frames and one of truth, which may lie in a folder of the sequence's name or beside all others.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: there is none below it.

    Notes
    -----
    The truth is coloured. Black is 0 here; red, green and yellow (moving objects) and white (one that stands still
    for now) are 255; grey (edges that nobody could decide) is 170. So an object that stopped or was set down remains
    motion. A name begins with its category: I or O (indoor, outdoor) and SI simple, CA camouflage, OC occlusions, IL
    illumination changes, MB modified background, BS bootstrap, CL cloudy, RA rain, SN snow, SU sun, MC moving camera,
    SM simulated motion. Numbers are not padded, and every frame is judged.

    References
    ----------
    C. Cuevas, E. M. Yáñez, N. García, Labeled dataset for integral evaluation of moving object detection algorithms:
    LASIESTA, Computer Vision and Image Understanding 152, 2016, doi:10.1016/j.cviu.2016.08.005.
    """

    info = DatasetInfo(
        title="LASIESTA, labeled and annotated sequences for integral evaluation of segmentation algorithms",
        layout="<sequence>/<sequence>/<sequence>-%d.bmp\n<sequence>/<sequence>-GT/<sequence>-GT_%d.png\n"
        "where <sequence> is I_SI_01, O_CL_02, ...; the outer folder may be missing",
        home="https://www.gti.ssr.upm.es/data/LASIESTA",
        citation="Cuevas, Yáñez and García 2016, Labeled dataset for integral evaluation of moving object detection "
        "algorithms: LASIESTA, doi:10.1016/j.cviu.2016.08.005",
        licence="CC BY-SA 4.0",
    )
    task = "change"

    def sequences(self) -> list[Sequence]:
        folders = list(self.root.glob(_NAME)) or list(self.root.glob(f"*/{_NAME}"))
        require(folders, self.root, "I_SI_01/I_SI_01 and its likes")
        return [_sequence(folder) for folder in sorted(folders, key=natural_key)]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}/{stem_of(sequence, index)}.png"


def _sequence(folder: Path) -> Sequence:
    name, inner = folder.name, folder / folder.name
    frames = images_in(inner if inner.is_dir() else folder)
    place = inner.parent if inner.is_dir() else folder.parent
    found = [p for p in folders_in(place) if p.name in (f"{name}-GT", f"{name}_GT")]
    masks = images_in(found[0]) if found else []
    truth, judged = pair_by_number(frames, masks), range(len(frames))
    return Sequence(
        name=name,
        category=name[:4],
        frames=Pictures(frames),
        truth=Lazy(truth, _read_colours),
        range=judged,
        problems=pairing_problems(f"{name}-GT", frames, masks, truth, judged),
    )


def _read_colours(path: Path) -> Truth:
    picture = read_image(path)
    truth = np.where(picture.any(axis=2), np.uint8(255), np.uint8(0))
    truth[(picture == 128).all(axis=2)] = 170
    return truth
