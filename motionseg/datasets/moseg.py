"""Moseg (Brox and Malik) and FBMS-59: regions of common motion in videos of a moving camera, few frames annotated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionseg.core.types import Labels
from motionseg.datasets._pairing import stem_of
from motionseg.datasets.base import Dataset, DatasetInfo, Lazy, Pictures, Sequence, images_in, require
from motionseg.io.images import IMAGE_SUFFIXES, natural_key
from motionseg.io.labels import read_codes

__all__ = ["Moseg"]

_SETS = ("Trainingset", "Testset")


class Moseg(Dataset):
    """Moseg (BMS-26) and FBMS-59: every region by its own motion, in the frames that have truth.

    Parameters
    ----------
    root : path
        The folder that holds the sequences (Moseg), or Trainingset and Testset (FBMS-59, also one of these), or its
        parent.

    Raises
    ------
    SourceError
        There is no such folder, or no Def.dat below it.

    Notes
    -----
    Labels are places in the list of regions of <sequence>Def.dat; 0 is the background as a rule. Its numbers are grey
    levels, or colours as ``r << 16 | g << 8 | b`` (FBMS-59); pixels of any other code are void (-1). Its frames are
    counted from 0. Its matrix of penalties, by which the tool of 2010 weighs confusions, is not read.

    References
    ----------
    T. Brox, J. Malik, Object segmentation by long term analysis of point trajectories, ECCV 2010,
    doi:10.1007/978-3-642-15555-0_21. P. Ochs, J. Malik, T. Brox, Segmentation of moving objects by long term video
    analysis, PAMI 36(6), 2014, doi:10.1109/TPAMI.2013.242.
    """

    info = DatasetInfo(
        title="Moseg (BMS-26) and FBMS-59, Freiburg-Berkeley motion segmentation",
        layout="<sequence>/<sequence>Def.dat, *.jpg and *.pgm (Moseg)\n"
        "Trainingset|Testset/<sequence>/*.jpg (FBMS-59)\n"
        "Trainingset|Testset/<sequence>/GroundTruth/<sequence>Def.dat and *.ppm, *.pgm",
        home="https://lmb.informatik.uni-freiburg.de/resources/datasets/moseg.en.html",
        citation="Brox and Malik 2010, doi:10.1007/978-3-642-15555-0_21; Ochs, Malik and Brox 2014, Segmentation of "
        "moving objects by long term video analysis, doi:10.1109/TPAMI.2013.242",
        licence="research only, no commercial use",
    )
    task = "regions"

    def sequences(self) -> list[Sequence]:
        files = [p for depth in (1, 2, 3, 4) for p in self.root.glob("*/" * depth + "*Def.dat")]
        require(files, self.root, "<sequence>/<sequence>Def.dat or <set>/<sequence>/GroundTruth/<sequence>Def.dat")
        return [_sequence(path) for path in sorted(files, key=natural_key)]

    def result_path(self, sequence: Sequence, index: int) -> str:
        return f"{sequence.full_name}/{stem_of(sequence, index)}.png"


@dataclass(frozen=True)
class _Definition:
    """What a Def.dat says: codes of regions, (frame, truth file, picture file), and how many there are to be."""

    codes: list[int]
    frames: list[tuple[int, str, str]]
    n_codes: int
    n_labelled: int
    n_frames: int


def _read_definition(path: Path) -> _Definition:
    text = path.read_text(encoding="latin-1")

    def number(what: str) -> int:
        found = re.search(rf"{what}[^:]*:\s*(\d+)", text)
        return int(found[1]) if found else 0

    # Regions by order: one official file says "region 1" twice.
    codes = [int(code) for code in re.findall(r"Scale of region[^:]*:\s*(\d+)", text)]
    frames = re.findall(r"Frame number:\s*(\d+)\s+File name:\s*(\S+)\s+Input file name:\s*(\S+)", text)
    return _Definition(
        codes,
        [(int(frame), truth, picture) for frame, truth, picture in frames],
        number("Total number of regions"),
        number("Total number of label+ed frames"),
        number("Total number of frames"),
    )


def _sequence(path: Path) -> Sequence:
    folder = path.parent.parent if path.parent.name == "GroundTruth" else path.parent
    category = folder.parent.name if folder.parent.name in _SETS else ""
    definition, problems = _read_definition(path), []
    pictures = _pictures(folder, {truth for _, truth, _ in definition.frames})
    for what, there, said in (
        ("regions", len(definition.codes), definition.n_codes),
        ("labelled frames", len(definition.frames), definition.n_labelled),
        ("pictures", len(pictures), definition.n_frames),
    ):
        if there != said:
            problems.append(f"{path.name}: {there} {what}, not the {said} that it announces")
    truth = {}
    by_stem = {picture.stem: i for i, picture in enumerate(pictures)}
    named = [by_stem.get(Path(picture).stem, -1) for _, _, picture in definition.frames]
    # Positions hold where no picture is missing; else names, if they are those of the pictures.
    by_position = len(pictures) == definition.n_frames or max(named, default=-1) < 0
    for (frame, truth_name, picture_name), place in zip(definition.frames, named, strict=True):
        index = frame if by_position else place
        if not 0 <= index < len(pictures):
            problems.append(f"{path.name}: frame {frame} ({picture_name}) is not here")
        elif not (path.parent / truth_name).is_file():
            problems.append(f"{path.name}: {truth_name} is not here")
        else:
            truth[index] = path.parent / truth_name

    def read(file: Path) -> Labels:
        labels, strangers = _regions(read_codes(file), definition.codes)
        if strangers:
            line = f"{file.name}: void is what {path.name} does not list: {', '.join(map(str, strangers[:5]))}"
            if line not in problems:
                problems.append(line)
        return labels

    return Sequence(
        folder.name, category, Pictures(pictures), Lazy(truth, read), range(len(pictures)), problems=problems
    )


def _pictures(folder: Path, truth_names: set[str]) -> list[Path]:
    """The frames of a folder that may hold truth as well, and every frame twice (the official script makes .ppm)."""
    by_stem: dict[str, Path] = {}
    for path in images_in(folder, suffixes=IMAGE_SUFFIXES - {".pgm"}):  # .pgm is always truth
        if path.name not in truth_names:
            by_stem.setdefault(path.stem, path)
    return list(by_stem.values())


def _regions(codes: Labels, listed: list[int]) -> tuple[Labels, list[int]]:
    """Codes as places in the list of regions, -1 where not in it; and those that are not, ascending."""
    values, inverse = np.unique(codes, return_inverse=True)
    places = [listed.index(value) if value in listed else -1 for value in values.tolist()]
    strangers = [value for value, place in zip(values.tolist(), places, strict=True) if place < 0]
    return np.array(places, np.int32)[inverse].reshape(codes.shape), strangers
