"""Optical flow: Middlebury, KITTI 2012 and 2015, MPI-Sintel, FlyingChairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from motionseg.core.errors import SourceError
from motionseg.datasets._pairing import folders_in, number_of, pair_by_number, pairing_problems, stem_of
from motionseg.datasets.base import Dataset, DatasetInfo, FlowTruth, Lazy, Pictures, Sequence, images_in, require
from motionseg.io.flow import read_flow
from motionseg.io.images import natural_key, read_image

__all__ = ["Flow"]

_KITTI = (("image_2", "KITTI2015"), ("colored_0", "KITTI2012"), ("image_0", "KITTI2012"))
_SINTEL_FPS, _KITTI_FPS = 24.0, 10.0


class Flow(Dataset):
    """True optical flow of Middlebury, KITTI 2012 and 2015, MPI-Sintel and FlyingChairs, whichever are there.

    Parameters
    ----------
    root : path
        The folder of one of them as published (or its part with truth: training, data), or of several.

    Raises
    ------
    SourceError
        There is no such folder, or nothing of the five below it.

    Notes
    -----
    A sequence is a pair of frames with truth for the first, in Sintel all frames of a scene with truth for all but
    the last. Only parts with public truth are read. The category is the benchmark, of Sintel with the pass:
    ``Sintel/clean``, ``Sintel/final``.

    Of KITTI's truth flow_occ is taken (all pixels, the official main figure), flow_noc where that alone is there (only
    those that stay in the picture). Sintel's invalid pixels are not valid here; figures in papers often count them.

    References
    ----------
    S. Baker et al., A database and evaluation methodology for optical flow, IJCV 92, 2011,
    doi:10.1007/s11263-010-0390-2. A. Geiger, P. Lenz, R. Urtasun, Are we ready for autonomous driving? The KITTI
    vision benchmark suite, CVPR 2012, doi:10.1109/CVPR.2012.6248074. M. Menze, A. Geiger, Object scene flow for
    autonomous vehicles, CVPR 2015, doi:10.1109/CVPR.2015.7298925. D. J. Butler et al., A naturalistic open source
    movie for optical flow evaluation, ECCV 2012, doi:10.1007/978-3-642-33783-3_44. A. Dosovitskiy et al., FlowNet:
    learning optical flow with convolutional networks, ICCV 2015, doi:10.1109/ICCV.2015.316.
    """

    info = DatasetInfo(
        title="Optical flow: Middlebury, KITTI 2012 and 2015, MPI-Sintel, FlyingChairs",
        layout="other-data/<sequence>/frame10.png, other-gt-flow/<sequence>/flow10.flo (Middlebury)\n"
        "training/colored_0|image_0|image_2/%06d_10.png, training/flow_occ|flow_noc/%06d_10.png (KITTI)\n"
        "training/clean|final/<sequence>/frame_%04d.png, training/flow/<sequence>/frame_%04d.flo (Sintel)\n"
        "data/%05d_img1.ppm, %05d_img2.ppm, %05d_flow.flo (FlyingChairs)",
        home="https://vision.middlebury.edu/flow, https://www.cvlibs.net/datasets/kitti, http://sintel.is.tue.mpg.de, "
        "https://lmb.informatik.uni-freiburg.de/resources/datasets/FlyingChairs.en.html",
        citation="Baker et al. 2011, doi:10.1007/s11263-010-0390-2; Geiger et al. 2012, "
        "doi:10.1109/CVPR.2012.6248074; Menze and Geiger 2015, doi:10.1109/CVPR.2015.7298925; Butler et al. 2012, "
        "doi:10.1007/978-3-642-33783-3_44; Dosovitskiy et al. 2015, doi:10.1109/ICCV.2015.316",
        licence="research; KITTI CC BY-NC-SA 3.0; cite the papers",
    )
    task = "flow"

    def sequences(self) -> list[Sequence]:
        inside = folders_in(self.root)
        deeper = [sub for folder in inside for sub in folders_in(folder) if sub.name in ("training", "data")]
        places = [self.root, *inside, *deeper]
        found = [s for read in (_middlebury, _kitti, _sintel, _flying_chairs) for place in places for s in read(place)]
        looked_for = (
            "other-gt-flow/<sequence>/flow10.flo, [training/]flow_occ|flow_noc/000000_10.png, "
            "[training/]flow/<sequence>/frame_0001.flo, [data/]00001_flow.flo"
        )
        return require(found, self.root, looked_for)

    def result_path(self, sequence: Sequence, index: int) -> str:
        benchmark, _, render_pass = sequence.category.partition("/")
        if benchmark == "Sintel":
            return f"{render_pass}/{sequence.name}/{stem_of(sequence, index).replace('_', '')}.flo"
        paths = {
            "Middlebury": "{}/flow10.flo",
            "KITTI2012": "{}_10.png",
            "KITTI2015": "flow/{}_10.png",
            "FlyingChairs": "{}_flow.flo",
        }
        return paths[benchmark].format(sequence.name)


def _middlebury(place: Path) -> Iterator[Sequence]:
    for truth in folders_in(place / "other-gt-flow"):
        frames = [place / "other-data" / truth.name / f"frame{number}.png" for number in (10, 11)]
        yield _pair(place, truth.name, "Middlebury", frames, truth / "flow10.flo")


def _kitti(place: Path) -> Iterator[Sequence]:
    truths = [folder for name in ("flow_occ", "flow_noc") if (folder := place / name).is_dir()]
    images, category = next((found for found in _KITTI if (place / found[0]).is_dir()), ("", ""))
    if truths and images:
        for first in images_in(place / images):
            name, _, moment = first.stem.rpartition("_")
            if moment == "10":
                frames = [first, first.with_name(f"{name}_11.png")]
                files = [folder / first.name for folder in truths]
                truth = next((path for path in files if path.is_file()), files[0])
                yield _pair(place, name, category, frames, truth, _KITTI_FPS)


def _flying_chairs(place: Path) -> Iterator[Sequence]:
    for first in sorted(place.glob("*_img1.ppm"), key=natural_key):
        name = first.stem.removesuffix("_img1")
        yield _pair(place, name, "FlyingChairs", [first, place / f"{name}_img2.ppm"], place / f"{name}_flow.flo")


def _pair(place: Path, name: str, category: str, frames: list[Path], truth: Path, fps: float = 25.0) -> Sequence:
    """Two frames, even if one is missing (reading it says so), and the truth for the first if it is there."""
    missing = [path for path in (*frames, truth) if not path.is_file()]
    problems = [f"{path.relative_to(place).as_posix()}: no such file" for path in missing]
    truths = Lazy({0: truth} if truth not in missing else {}, _read)
    return Sequence(name, category, Pictures(frames), truths, range(1), fps, problems=problems)


def _sintel(place: Path) -> Iterator[Sequence]:
    for render_pass in ("clean", "final") if (place / "flow").is_dir() else ():
        for folder in folders_in(place / render_pass):
            frames = images_in(folder)
            flows = sorted((place / "flow" / folder.name).glob("*.flo"), key=natural_key)
            paired, judged = pair_by_number(frames, flows), range(len(frames) - 1)
            problems = pairing_problems(f"flow/{folder.name}", frames, flows, paired, judged)
            # Where a frame is missing, the flow of the one before it does not lead to the next that is here.
            gaps = [i for i in judged if i in paired and not _follows(frames[i], frames[i + 1])]
            if gaps:
                first = frames[gaps[0]].name
                problems.append(f"{render_pass}/{folder.name}: {len(gaps)} frames lack the next one (first: {first})")
            yield Sequence(
                folder.name,
                f"Sintel/{render_pass}",
                Pictures(frames),
                Lazy({i: path for i, path in paired.items() if i in judged and i not in gaps}, _read_sintel),
                judged,
                _SINTEL_FPS,
                problems=problems,
            )


def _follows(first: Path, second: Path) -> bool:
    before, after = number_of(first), number_of(second)
    return isinstance(before, int) and after == before + 1


def _read(path: Path) -> FlowTruth:
    return FlowTruth(*read_flow(path))


def _read_sintel(path: Path) -> FlowTruth:
    flow, valid = read_flow(path)
    mask = path.parents[2] / "invalid" / path.parent.name / f"{path.stem}.png"
    if mask.is_file():
        invalid = read_image(mask, grey=True) > 0
        if invalid.shape != valid.shape:
            raise SourceError(f"{invalid.shape[1]}x{invalid.shape[0]} pixels, not those of the flow", source=str(mask))
        valid &= ~invalid
    return FlowTruth(flow, valid)
