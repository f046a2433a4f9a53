"""Files that belong together by the number in their names."""

from __future__ import annotations

import re
from collections import abc
from pathlib import Path
from typing import cast

from motionseg.datasets.base import Pictures, Sequence
from motionseg.io.images import natural_key

__all__ = ["folders_in", "number_of", "pair_by_number", "pairing_problems", "stem_of"]


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in natural order; none if there is no such folder."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((p for p in found if p.is_dir() and not p.name.startswith(".")), key=natural_key)


def pair_by_number(frames: list[Path], masks: list[Path]) -> dict[int, Path]:
    """By the index of a frame, the mask (or other truth) with the frame's number; frames without one are left out."""
    by_number = {number_of(path): path for path in masks}
    return {i: by_number[n] for i, n in enumerate(map(number_of, frames)) if n in by_number}


def pairing_problems(
    where: str, frames: list[Path], masks: list[Path], paired: abc.Container[int], judged: range
) -> list[str]:
    """Lines for `Sequence.problems`: judged frames without a mask, and masks without a frame, both below `where`."""
    missing = [frames[i] for i in judged if i not in paired]
    numbers = {number_of(path) for path in frames}
    extra = [path for path in masks if number_of(path) not in numbers]
    lines = []
    if missing:
        lines.append(f"{where}: {len(missing)} of {len(judged)} judged frames have no file (first: {missing[0].name})")
    if extra:
        lines.append(f"{where}: {len(extra)} of {len(masks)} files have no frame (first: {extra[0].name})")
    return lines


def number_of(path: Path) -> int | str:
    """The last number in a file's name, which says which frame it is; the stem of the name if there is none."""
    numbers = re.findall("[0-9]+", path.stem)
    return int(numbers[-1]) if numbers else path.stem


def stem_of(sequence: Sequence, index: int) -> str:
    """The name of the file that frame `index` is read from, without folder and suffix."""
    return cast(Pictures, sequence.frames).paths[index].stem
