"""DAVIS 2017: several objects per video, each with its own label."""

from __future__ import annotations

from pathlib import Path

from motionseg.core.types import Labels
from motionseg.datasets._davis import DavisFolders
from motionseg.datasets.base import DatasetInfo
from motionseg.io.labels import read_labels

__all__ = ["DAVIS2017"]

_VOID = 255


class DAVIS2017(DavisFolders):
    """DAVIS 2017 by the unsupervised protocol: objects are to be found and kept apart, every frame annotated.

    Parameters
    ----------
    root : path
        The folder that holds JPEGImages, or its parent.
    split : str, optional
        Only the sequences that ImageSets/2017/<split>.txt lists: ``"train"``, ``"val"``, ... Not given: all that are
        there.

    Raises
    ------
    SourceError
        There is no such folder, no sequence below it, or a sequence of the split is missing.
    ParameterError
        There is no such split.

    Notes
    -----
    Truth is that of Annotations_unsupervised where that folder is there, else of Annotations (the semi-supervised
    task, whose figures are not those of the unsupervised one). Label 255 is void: -1. All frames are judged.

    References
    ----------
    J. Pont-Tuset, F. Perazzi, S. Caelles, P. Arbelaez, A. Sorkine-Hornung, L. Van Gool, The 2017 DAVIS challenge on
    video object segmentation, arXiv:1704.00675. S. Caelles, J. Pont-Tuset, F. Perazzi, A. Montes, K.-K. Maninis,
    L. Van Gool, The 2019 DAVIS challenge on VOS: unsupervised multi-object segmentation, arXiv:1905.00737.
    """

    info = DatasetInfo(
        title="DAVIS 2017, unsupervised (Densely Annotated VIdeo Segmentation)",
        layout="JPEGImages/480p/<sequence>/%05d.jpg\nAnnotations_unsupervised/480p/<sequence>/%05d.png (or Annotations)"
        "\nImageSets/2017/<split>.txt (if a split is asked for)",
        home="https://davischallenge.org/davis2017/code.html",
        citation="Caelles et al. 2019, The 2019 DAVIS challenge on VOS: unsupervised multi-object segmentation, "
        "arXiv:1905.00737",
        licence="CC BY-NC 4.0",
    )
    task = "objects"
    _masks = ("Annotations_unsupervised/480p", "Annotations/480p")
    _lists = ("ImageSets/2017",)

    def _judged(self, n_frames: int) -> range:
        return range(n_frames)

    def _read(self, problems: list[str], path: Path) -> Labels:
        labels = read_labels(path)
        is_void = labels == _VOID
        if path.parents[2].name == "Annotations" and is_void.any() and not labels[~is_void].any():
            where = f"Annotations/480p/{path.parent.name}"
            line = f"{where}: masks of 255 only, which is void here; binary masks are read by davis2016"
            if line not in problems:
                problems.append(line)
        labels[is_void] = -1
        return labels
