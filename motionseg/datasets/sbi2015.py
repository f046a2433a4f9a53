"""SBI2015: short sequences for background initialization, with truth of the moving objects."""

from __future__ import annotations

from motionseg.datasets._change import bin_name, change_sequence, folders_with
from motionseg.datasets.base import Dataset, DatasetInfo, Sequence, require

__all__ = ["SBI2015"]


class SBI2015(Dataset):
    """SBI2015: 14 short sequences whose first frames already show objects, with a mask for every frame.

    Parameters
    ----------
    root : path
        The folder that holds the sequences, or its parent if the folder's name begins with ``SBI``.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: there is none below it.

    Notes
    -----
    The sequences are those of Maddalena and Petrosino, who published the true backgrounds; the masks were made by
    Wang et al. and are handed on in CDnet's folders: numbers start at 0, frames are png or jpg, and not every sequence
    has a ROI.bmp. All frames are judged: temporalROI.txt, where there is one, is not heeded, since some of these files
    count from 1 or end after the last frame.

    References
    ----------
    L. Maddalena, A. Petrosino, Towards benchmarking scene background initialization, ICIAP Workshops 2015,
    doi:10.1007/978-3-319-23222-5_57.

    Y. Wang, Z. Luo, P.-M. Jodoin, Interactive deep learning method for segmenting moving objects, Pattern Recognition
    Letters 96, 2017, doi:10.1016/j.patrec.2016.09.014.
    """

    info = DatasetInfo(
        title="SBI2015, scene background initialization, with masks",
        layout="<sequence>/input/in%06d.png or .jpg\n<sequence>/groundtruth/gt%06d.png\n<sequence>/ROI.bmp (optional)",
        home="https://sbmi2015.na.icar.cnr.it/SBIdataset.html (masks: https://github.com/lim-anggun/FgSegNet)",
        citation="Maddalena and Petrosino 2015, Towards benchmarking scene background initialization, "
        "doi:10.1007/978-3-319-23222-5_57; masks: Wang et al. 2017, doi:10.1016/j.patrec.2016.09.014",
        licence="research; cite the papers",
    )
    task = "change"

    def sequences(self) -> list[Sequence]:
        folders = folders_with(self.root, ("*", "SBI*/*"), "input", "groundtruth")
        return [change_sequence(folder, all_judged=True) for folder in require(folders, self.root, "<sequence>/input")]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}/{bin_name(sequence, index)}"
