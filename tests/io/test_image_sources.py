"""Single images, folders and patterns."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.errors import SourceError
from motionseg.io import images, open_video, read_image
from motionseg.io.images import IMAGE_SUFFIXES, natural_key


@pytest.fixture
def shots(tmp_path, frames) -> Path:
    """Ten images img1.png ... img10.png with what else lies about in folders."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for i in range(10):
        cv2.imwrite(str(folder / f"img{i + 1}.png"), frames[i])
    for name in (".hidden.png", "notes.txt", "Thumbs.db", "._img1.png"):
        (folder / name).write_bytes(b"x")
    (folder / "folder.png").mkdir()
    return folder


def test_a_folder_is_read_in_natural_order(shots, frames):
    with open_video(shots, fps=10) as video:
        assert (video.n_frames, video.fps, video.duration, video.is_live) == (10, 10.0, 1.0, False)
        assert (video.width, video.height, video.source) == (48, 32, str(shots))
        seen = list(video)
    assert [f.time for f in seen] == pytest.approx(np.arange(10) / 10)
    for i, (index, _, frame) in enumerate(seen):
        assert index == i
        np.testing.assert_array_equal(frame, frames[i])
        assert frame.flags.writeable


def test_a_pattern_selects(shots, frames):
    seen = [f.frame for f in open_video(f"{shots}/img[2-9].png")]
    assert len(seen) == 8
    np.testing.assert_array_equal(seen[0], frames[1])
    assert len(list(open_video(f"{shots.parent}/**/*.png"))) == 10
    with pytest.raises(SourceError, match="no image among"):
        open_video(f"{shots}/*.txt")


def test_a_name_with_brackets_is_a_name(shots, frames):
    folder = shots.rename(shots.with_name("take [1]"))
    assert len(list(open_video(folder))) == 10
    (folder / "img1.png").rename(folder / "one [x].png")
    (seen,) = open_video(folder / "one [x].png")
    np.testing.assert_array_equal(seen.frame, frames[0])


def test_numbers_without_zeros_come_in_order():
    names = ["img10.png", "img2.png", "IMG1.png", "img2b.png", "a/img3.png", "img02.png", "img.png"]
    ordered = [str(p) for p in sorted(map(Path, names), key=natural_key)]
    assert ordered == ["a/img3.png", "IMG1.png", "img02.png", "img2.png", "img2b.png", "img10.png", "img.png"]


@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1)))
def test_any_names_can_be_ordered(names):
    sorted([Path("folder") / name for name in names], key=natural_key)


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_kind_of_image(tmp_path, frames, suffix):
    path = tmp_path / f"a{suffix.upper()}"
    picture = frames[3][..., 0] if suffix == ".pgm" else frames[3]
    path.write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
    loss = 60 if suffix in (".jpg", ".jpeg", ".webp") else 0
    grey = cv2.cvtColor(frames[3], cv2.COLOR_BGR2GRAY) if suffix != ".pgm" else picture
    expected = np.dstack([picture] * 3) if suffix == ".pgm" else picture
    assert abs(read_image(path).astype(int) - expected).mean() <= loss / 6
    assert abs(read_image(path, grey=True).astype(int) - grey).mean() <= loss / 6 + 0.5
    (seen,) = open_video(path)
    np.testing.assert_array_equal(seen.frame, read_image(path))


def test_grey_16_bit_and_alpha(tmp_path):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 256 + 77)
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([grey, grey, grey, 255 - grey]))
    for name in ("grey.png", "deep.png", "alpha.png"):
        np.testing.assert_array_equal(read_image(tmp_path / name), np.dstack([grey] * 3))
        np.testing.assert_array_equal(read_image(tmp_path / name, grey=True), grey)


def test_what_cannot_be_read_is_named(tmp_path, frames):
    for name, content in (("empty.png", b""), ("text.png", b"text"), ("huge.pgm", b"P5 2000000 2000000 255 ")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(SourceError, match="No such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(SourceError):
        read_image(tmp_path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".ppm"])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_cut_image_is_no_image(tmp_path, frames, suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SourceError, match="cut short"):
        read_image(path)
    path.write_bytes(data)
    assert read_image(path).shape == (64, 64, 3)


def test_a_cut_jpeg_is_known_without_the_decoder():  # OpenCV 4 would give it, grey from there on
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    thumbnail = b"\xff\xd8 small \xff\xda small \xff\xd9"
    with_thumbnail = data[:20] + thumbnail + data[20:]
    for whole in (data, data + b"trailing bytes", with_thumbnail):
        assert not images._is_cut_jpeg(whole)
    for cut in (data[:-2], data[: len(data) // 2], with_thumbnail[:-100]):
        assert images._is_cut_jpeg(cut)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "n_frames", "size"),
    [
        ("DAVIS/JPEGImages/480p/flamingo", 80, (854, 480)),
        ("CDnet2014/dataset/baseline/highway/input", 1700, (320, 240)),
    ],
)
def test_folders_of_public_datasets(data_root, folder, n_frames, size):
    with open_video(data_root / folder, grey=True) as video:
        assert (video.width, video.height) == size
        assert video.n_frames == n_frames == len(list(video))
