"""What the change-detection datasets share: where sequences lie, CDnet's folders, truth codes, regions of interest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import SourceError
from motionseg.datasets._pairing import number_of, pair_by_number, pairing_problems
from motionseg.datasets.base import Lazy, Pictures, Sequence, images_in
from motionseg.io.images import natural_key, read_image

__all__ = ["Truth", "bin_name", "change_sequence", "folders_with", "read_binary", "roi_reader"]

Truth = npt.NDArray[np.uint8]


def folders_with(root: Path, depths: Iterable[str], *contents: str) -> list[Path]:
    """The folders that hold one of `contents`, in natural order.

    `depths` are glob patterns of such folders ("*/*"); only the first one that fits any folder counts, so that a root
    and its parent can both be given.
    """
    for depth in depths:
        found = {path.parent for content in contents for path in root.glob(f"{depth}/{content}")}
        if found:
            return sorted(found, key=natural_key)
    return []


def bin_name(sequence: Sequence, index: int) -> str:
    """The name that CDnet wants for the result of frame `index`, with the number of the frame's file."""
    return f"bin{number_of(cast(Pictures, sequence.frames).paths[index]):06d}.png"


def read_binary(path: Path) -> Truth:
    """Truth in black and white as CDnet's codes 0 and 255; levels from 128 on are white."""
    return np.where(read_image(path, grey=True) < 128, np.uint8(0), np.uint8(255))


def change_sequence(folder: Path, *, category: str = "", all_judged: bool = False) -> Sequence:
    """A folder as CDnet has them: input, groundtruth, and where they exist temporalROI.txt and ROI.bmp.

    Frames, truth and temporalROI.txt are matched by the numbers in the files' names, from wherever they start. With
    `all_judged` temporalROI.txt is not heeded.
    """
    pictures = [path for path in images_in(folder / "input") if isinstance(number_of(path), int)]
    masks = images_in(folder / "groundtruth")
    paired = pair_by_number(pictures, masks)
    roi = None if all_judged else folder / "temporalROI.txt"
    judged, problems = _judged([cast(int, number_of(path)) for path in pictures], roi)
    problems += pairing_problems("groundtruth", pictures, masks, paired, judged)
    shown = Pictures(pictures)
    return Sequence(
        name=folder.name,
        category=category,
        frames=shown,
        truth=Lazy(paired, partial(read_image, grey=True)),
        range=judged,
        problems=problems,
        read_roi=roi_reader(folder / "ROI.bmp", shown, problems),
    )


def _judged(numbers: list[int], roi: Path | None) -> tuple[range, list[str]]:
    """Indices of the frames that the file `roi` says are judged, and what is wrong with it and with the frames."""
    if not numbers:
        return range(0), ["input: there is no frame"]
    problems = []
    first, last = numbers[0], numbers[-1]
    if roi is not None and roi.is_file():
        try:
            first, last = map(int, roi.read_text(encoding="utf-8-sig").split())
            if first > last:
                raise ValueError
        except (OSError, ValueError):
            first, last = numbers[0], numbers[-1]
            problems.append(f"{roi.name}: not the numbers of the first and the last judged frame; all are judged")
    wanted = range(min(first, numbers[0]), max(last, numbers[-1]) + 1)
    there = set(numbers)
    if len(there) < len(wanted):
        gap = next(number for number in wanted if number not in there)
        problems.append(f"input: {len(wanted) - len(there)} of {len(wanted)} frames have no file (first: number {gap})")
    inside = [i for i, number in enumerate(numbers) if first <= number <= last]
    return range(inside[0], inside[-1] + 1) if inside else range(0), problems


def roi_reader(path: Path, frames: Pictures, problems: list[str]) -> Callable[[], npt.NDArray[np.bool_] | None]:
    """For `Sequence.read_roi`: reads the picture `path`, where all that is not black counts.

    None if there is no such picture, or if it is damaged or of another size than the frames, which `problems` then say.
    """

    def read() -> npt.NDArray[np.bool_] | None:
        if not path.is_file():
            return None
        try:
            roi, size = read_image(path, grey=True) > 0, frames[0].shape[1::-1]
            if roi.shape[::-1] == size:
                return roi
            problem = f"{path.name}: its size is {roi.shape[::-1]}, that of the frames {size}; all pixels are judged"
        except SourceError as error:
            problem = str(error)
        if problem not in problems:
            problems.append(problem)
        return None

    return read
