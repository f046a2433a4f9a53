"""Data of your own: a folder of frames and a folder of pictures whose pixels are labels or classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motionseg.core.types import Labels
from motionseg.datasets.base import DatasetInfo
from motionseg.datasets.folder import Folder
from motionseg.io.labels import read_labels

__all__ = ["LabelledFolder"]

_VOID = 255


class LabelledFolder(Folder):
    """As `Folder`, but masks hold labels: 0 background, 1, 2, ... objects or classes, 255 not judged.

    Parameters
    ----------
    root : path
        A folder that holds ``frames`` (or ``input``, ``images``) and ``masks`` (or ``groundtruth``, ``truth``,
        ``gt``), or a folder of such folders. Upper and lower case are the same.

    Raises
    ------
    SourceError
        There is no such folder. Making the sequences: there is no such pair of folders. Reading the truth: a mask is
        damaged, or neither grey nor palettised.

    Notes
    -----
    Masks are grey pictures, or palettised ones, whose index counts. They are paired with frames as `Folder` does it.
    Labels that last through a sequence are judged as regions; classes are what a network with ``n_classes`` learns.

    Examples
    --------
    >>> import tempfile
    >>> from motionseg.io import write_image, write_labels
    >>> with tempfile.TemporaryDirectory() as root:
    ...     write_image(f"{root}/walk/frames/f1.png", np.zeros((4, 6, 3), np.uint8))
    ...     write_labels(f"{root}/walk/masks/m1.png", np.full((4, 6), 3))
    ...     int(LabelledFolder(root)["walk"].truth[0].max())
    3
    """

    info = DatasetInfo(
        title="a folder of frames and a folder of labels",
        layout="frames/* (or input, images)\nmasks/* (or groundtruth, truth, gt): 0, 1, 2, ...; 255 not judged\n"
        "roi.png (optional)\nor <sequence>/frames/*, ...",
        home="-",
        citation="-",
        licence="your own",
    )
    task = "regions"

    def read_mask(self, path: Path) -> Labels:
        labels = read_labels(path)
        return np.where(labels == _VOID, -1, labels).astype(np.int32)
