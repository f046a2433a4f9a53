"""CDnet 2012 and 2014 (changedetection.net): fixed cameras, change in eleven categories."""

from __future__ import annotations

from pathlib import Path

from motionseg.datasets._change import bin_name, change_sequence, folders_with
from motionseg.datasets.base import Dataset, DatasetInfo, Sequence, require

__all__ = ["CDnet"]


class CDnet(Dataset):
    """CDnet 2012 and 2014: videos by category, truth with shadows, borders and a region of interest.

    Parameters
    ----------
    root : path
        The folder that holds the categories (``dataset`` or ``dataset2014/dataset`` as published), or its parent.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: there is no video below it.

    Notes
    -----
    Judged are the frames of temporalROI.txt. Since 2014 half of their truth is withheld (all 85), so local figures
    are not the server's. A ROI.bmp of another size than the frames (cameraJitter/traffic) is left out, which changes
    nothing: the truth has 85 outside the region, too.

    References
    ----------
    Y. Wang, P.-M. Jodoin, F. Porikli, J. Konrad, Y. Benezeth, P. Ishwar, CDnet 2014: an expanded change detection
    benchmark dataset, CVPRW 2014, doi:10.1109/CVPRW.2014.126.
    """

    info = DatasetInfo(
        title="CDnet 2012 and 2014 (changedetection.net)",
        layout="<category>/<video>/input/in%06d.jpg\n<category>/<video>/groundtruth/gt%06d.png\n"
        "<category>/<video>/temporalROI.txt\n<category>/<video>/ROI.bmp",
        home="http://changedetection.net",
        citation="Wang et al. 2014, CDnet 2014: an expanded change detection benchmark dataset, "
        "doi:10.1109/CVPRW.2014.126",
        licence="research; cite the paper",
    )
    task = "change"

    def sequences(self) -> list[Sequence]:
        folders = folders_with(self.root, ("*/*", "dataset/*/*"), "input", "groundtruth")
        return [_video(folder) for folder in require(folders, self.root, "<category>/<video>/input")]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.full_name}/{bin_name(sequence, index)}"


def _video(folder: Path) -> Sequence:
    video = change_sequence(folder, category=folder.parent.name)
    missing = [name for name in ("temporalROI.txt", "ROI.bmp") if not (folder / name).is_file()]
    video.problems.extend(f"{name}: there is no such file; all is judged" for name in missing)
    return video
