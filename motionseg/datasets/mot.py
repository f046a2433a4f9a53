"""MOTChallenge (MOT15, 16, 17, 20): pedestrians as boxes with identities."""

from __future__ import annotations

import configparser
import functools
import math
from pathlib import Path
from typing import cast

import numpy as np

from motionseg.core.errors import SourceError
from motionseg.datasets._pairing import folders_in, number_of
from motionseg.datasets.base import BoxTruth, Dataset, DatasetInfo, Lazy, Pictures, Sequence, images_in, require
from motionseg.io.mot import MotTable, read_mot

__all__ = ["MOT"]

_FILES = (("gt/gt.txt", "gt.txt"), ("det/det.txt", "det.txt"))
_MARKS = ("seqinfo.ini", *_FILES[0], *_FILES[1])
_PEDESTRIAN = 1


class MOT(Dataset):
    """MOTChallenge: tracks of pedestrians, given detections, and pictures where they are there.

    Parameters
    ----------
    root : path
        The folder that holds the sequences, or train and test.

    Raises
    ------
    SourceError
        There is no such folder, or no sequence below it.

    Notes
    -----
    Every frame of a sequence with a truth file has truth, perhaps no box. In it a score of 0 marks boxes that are not
    judged; classes are the benchmark's, 1 (pedestrian) where a file has none (MOT15). Where neither seqinfo.ini nor
    pictures say how long a sequence is, it ends with its last box.

    References
    ----------
    P. Dendorfer et al., MOTChallenge: a benchmark for single-camera multiple target tracking, IJCV 129, 2021,
    doi:10.1007/s11263-020-01393-0.
    """

    info = DatasetInfo(
        title="MOTChallenge (MOT15, MOT16, MOT17, MOT20)",
        layout="[train|test/]<sequence>/gt/gt.txt (or gt.txt)\n[train|test/]<sequence>/det/det.txt\n"
        "[train|test/]<sequence>/seqinfo.ini\n[train|test/]<sequence>/img1/%06d.jpg",
        home="https://motchallenge.net",
        citation="Dendorfer et al. 2021, MOTChallenge: a benchmark for single-camera multiple target tracking, "
        "doi:10.1007/s11263-020-01393-0",
        licence="CC BY-NC-SA 3.0",
    )
    task = "boxes"

    def sequences(self) -> list[Sequence]:
        places = [(group, folder) for group in ("", "train", "test") for folder in folders_in(self.root / group)]
        found = [(group, f) for group, f in places if any((f / name).is_file() for name in _MARKS)]
        require(found, self.root, "<sequence>/gt/gt.txt, <sequence>/gt.txt, <sequence>/det/det.txt")
        return [_sequence(folder, group) for group, folder in found]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.name}.txt"


def _sequence(folder: Path, category: str) -> Sequence:
    problems: list[str] = []
    length, fps, picture_folder = _read_info(folder / "seqinfo.ini", problems)
    truth_file, detection_file = (next((n for n in names if (folder / n).is_file()), "") for names in _FILES)
    pictures = [path for path in images_in(folder / picture_folder) if isinstance(number_of(path), int)]
    # By the frame numbers of the text files, as read_mot has them (from 0): the index of the frame here.
    index_of = {cast(int, number_of(path)) - 1: i for i, path in enumerate(pictures)}
    if pictures:
        expected = range(length or max(index_of) + 1)
        missing = [n + 1 for n in expected if n not in index_of]
        if missing:
            line = f"{len(missing)} of {len(expected)} pictures have no file (first: number {missing[0]})"
            problems.append(f"{picture_folder}: {line}")
    else:
        length = length or _last_frame(folder, truth_file or detection_file, problems)
        index_of = {n: n for n in range(length)}
    truth, detections = (_boxes(folder, name, index_of, problems) for name in (truth_file, detection_file))
    n = len(index_of)
    return Sequence(folder.name, category, Pictures(pictures), truth, range(n), fps, detections, problems=problems)


def _read_info(path: Path, problems: list[str]) -> tuple[int, float, str]:
    """Length (0: unknown), frames per second and folder of pictures, of seqinfo.ini where it is there."""
    length, fps, pictures = 0, 25.0, "img1"
    if path.is_file():
        ini = configparser.ConfigParser(interpolation=None)
        try:
            ini.read_string(path.read_text(encoding="utf-8"))
            if not ini.has_section("Sequence"):
                raise ValueError("no section [Sequence]")
            section = ini["Sequence"]
            length = max(section.getint("seqLength", length), 0)
            pictures = section.get("imDir", pictures)
            rate = section.getfloat("frameRate", fps)
            if not 0 < rate < math.inf:
                raise ValueError(f"frameRate={rate}")
            fps = rate
        except (OSError, ValueError, configparser.Error) as error:
            problems.append(f"{path.name}: {error}".replace("\n", " "))
    return length, fps, pictures


def _last_frame(folder: Path, name: str, problems: list[str]) -> int:
    """How many frames there are up to the last box of a file; 0 if it cannot be read, which `problems` then say."""
    if not name:
        return 0
    try:
        return int(read_mot(folder / name).frames.max(initial=-1)) + 1
    except SourceError as error:
        problems.append(str(error))
        return 0


def _boxes(folder: Path, name: str, index_of: dict[int, int], problems: list[str]) -> Lazy[BoxTruth]:
    """The boxes of a text file by frame, none of which is read before one is asked for; nothing if there is no file."""

    @functools.cache
    def table() -> MotTable:
        rows = read_mot(folder / name)
        known = np.isin(rows.frames, list(index_of))
        if not known.all():
            first = int(rows.frames[~known].min()) + 1
            problems.append(f"{name}: {(~known).sum()} boxes in frames that are not here are left out (first: {first})")
        return rows[np.argsort(rows.frames, kind="stable")]

    def read(frame: int) -> BoxTruth:
        rows = table()
        start, stop = np.searchsorted(rows.frames, [frame, frame + 1])
        own = rows[np.arange(start, stop)]  # a copy
        classes = np.where(own.classes == -1, _PEDESTRIAN, own.classes)
        return BoxTruth(own.ids, own.boxes, own.scores, classes)

    return Lazy({i: frame for frame, i in index_of.items()} if name else {}, read)
