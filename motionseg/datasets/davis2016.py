"""DAVIS 2016: one foreground object, or several that move as one, in 50 videos of a moving camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motionseg.core.errors import SourceError
from motionseg.core.types import Labels
from motionseg.datasets._davis import DavisFolders
from motionseg.datasets.base import DatasetInfo
from motionseg.io.labels import read_codes, read_labels

__all__ = ["DAVIS2016"]


class DAVIS2016(DavisFolders):
    """DAVIS 2016: foreground and background, every frame annotated.

    Parameters
    ----------
    root : path
        The folder that holds JPEGImages, or its parent.
    split : str, optional
        Only the sequences that ImageSets/480p/<split>.txt (or ImageSets/2016, of the package of 2017) lists:
        ``"train"``, ``"val"``, ``"trainval"``. Not given: all that are there.

    Raises
    ------
    SourceError
        There is no such folder, no sequence below it, or a sequence of the split is missing.
    ParameterError
        There is no such split.

    Notes
    -----
    The first and the last frame of a sequence are not judged, as in the official code. Masks with several objects
    (those of DAVIS 2017) are read as their union, colour masks (one of `bear`) as whatever is not black.

    References
    ----------
    F. Perazzi, J. Pont-Tuset, B. McWilliams, L. Van Gool, M. Gross, A. Sorkine-Hornung, A benchmark dataset and
    evaluation methodology for video object segmentation, CVPR 2016, doi:10.1109/CVPR.2016.85.
    """

    info = DatasetInfo(
        title="DAVIS 2016 (Densely Annotated VIdeo Segmentation)",
        layout="JPEGImages/480p/<sequence>/%05d.jpg\nAnnotations/480p/<sequence>/%05d.png\n"
        "ImageSets/480p/<split>.txt (if a split is asked for)",
        home="https://davischallenge.org/davis2016/code.html",
        citation="Perazzi et al. 2016, A benchmark dataset and evaluation methodology for video object segmentation, "
        "doi:10.1109/CVPR.2016.85",
        licence="CC BY-NC 4.0",
    )
    task = "foreground"
    _masks = ("Annotations/480p",)
    _lists = ("ImageSets/480p", "ImageSets/2016")

    def _judged(self, n_frames: int) -> range:
        return range(1, n_frames - 1)

    def _read(self, problems: list[str], path: Path) -> Labels:
        try:
            labels = read_labels(path)
        except SourceError:
            labels = read_codes(path)  # a colour picture; a damaged one fails again
            what = f"Annotations/480p/{path.parent.name}: colour masks, read as whatever is not black"
            if not any(line.startswith(what) for line in problems):
                problems.append(f"{what} (first: {path.name})")
        return (labels > 0).astype(np.int32)
