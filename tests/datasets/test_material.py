"""What collages are made of: which things of a folder are taken, how they are cut out, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionseg.core.errors import SourceError
from motionseg.datasets import Material

RED, BLUE = (0, 0, 255), (255, 0, 0)
SIDE = 120


def circle(x=0.5, y=0.5, radius=0.25, points=40):
    """A line of a label file: a circle of class 7, in shares."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    outline = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1).clip(0, 1)
    return "7 " + " ".join(f"{value:.6f}" for value in outline.ravel())


@pytest.fixture
def pack(tmp_path):
    """Make a folder with one picture, a red disc on blue, and what its label file shall hold."""

    def make(label, *, name="disc", photos=0):
        images, labels = tmp_path / "some" / "images" / "a", tmp_path / "some" / "labels" / "a"
        images.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        picture = np.full((SIDE, SIDE, 3), BLUE, np.uint8)
        cv2.circle(picture, (SIDE // 2, SIDE // 2), SIDE // 4, RED, -1)
        cv2.imwrite(str(images / f"{name}.png"), picture)
        (labels / f"{name}.txt").write_bytes(label if isinstance(label, bytes) else label.encode())
        for k in range(photos):
            (tmp_path / "photos").mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / "photos" / f"{k}.png"), np.full((50, 80, 3), 100 + 50 * k, np.uint8))
        return tmp_path

    return make


def drawn(material, what, n=20, **options):
    draw = getattr(material, what)
    return [draw(np.random.default_rng(seed), **options) for seed in range(n)]


# --- without a folder -------------------------------------------------------------------------


@settings(max_examples=15)
@given(seed=st.integers(0, 2**40), height=st.integers(4, 90), width=st.integers(4, 90), tall=st.floats(5, 100))
def test_without_a_folder_things_are_made_up(seed, height, width, tall):
    material = Material()
    photo = material.photo(np.random.default_rng(seed), height, width)
    assert photo.shape == (height, width, 3)
    assert photo.dtype == np.uint8
    image = material.cutout(np.random.default_rng(seed), tall)
    assert image.dtype == np.uint8
    assert image.shape[2] == 4
    assert abs(max(image.shape[:2]) - 4 - tall) <= 1
    assert (image[..., :3] <= image[..., 3:]).all()
    assert image[..., 3].max() == 255
    np.testing.assert_array_equal(image, material.cutout(np.random.default_rng(seed), tall))
    np.testing.assert_array_equal(photo, material.photo(np.random.default_rng(seed), height, width))


def test_made_up_things_differ():
    images = drawn(Material(), "cutout", n=8, tall=30)
    assert len({image.tobytes() for image in images}) == 8


# --- folders that are wrong -------------------------------------------------------------------


def test_no_such_folder_and_a_file(tmp_path):
    for path in (tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(SourceError, match="no such folder") as caught:
            Material(path)
        assert caught.value.source == str(path)


def test_a_folder_with_nothing_of_use(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "readme.txt").touch()
    with pytest.raises(SourceError, match="photos/ nor images/") as caught:
        Material(tmp_path)
    assert caught.value.source == str(tmp_path)


@pytest.mark.parametrize("line", ["7 0.1 0.2 0.3", "7 0.1 wide", "7 nan 0.2", "7 0.5 1.2", "7 0.5 -0.2", "7 inf 0.1"])
def test_a_broken_label_line_is_named(pack, line):
    with pytest.raises(SourceError, match=r"disc\.txt: line 2 ") as caught:
        Material(pack(f"{circle()}\n{line}\n", photos=1))
    assert caught.value.source.endswith("disc.txt")


def test_a_label_file_that_is_no_text(pack):
    with pytest.raises(SourceError, match=r"disc\.txt: not a readable text file"):
        Material(pack(b"7 \xff\xfe", photos=1))


def test_a_damaged_picture_is_named(pack):
    root = pack(circle())
    next(root.rglob("disc.png")).write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"disc\.png"):
        Material(root)


def test_a_damaged_photograph_is_named_when_wanted(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.png").write_bytes(b"nothing")
    material = Material(tmp_path)
    with pytest.raises(SourceError, match=r"bad\.png"):
        drawn(material, "photo", height=10, width=10)


# --- which things are taken -------------------------------------------------------------------


def test_a_label_without_picture_is_passed_over(pack):
    root = pack(circle(), photos=1)
    next(root.rglob("disc.png")).unlink()
    assert Material(root).outlines == []
    assert len(Material(root).photos) == 1
    next(root.rglob("0.png")).unlink()
    with pytest.raises(SourceError):
        Material(root)


@pytest.mark.parametrize("name", ["disc", "a[1]b", "with.dots"])
def test_a_thing_and_its_picture_find_each_other(pack, name):
    root = pack(circle(), name=name)
    next(root.rglob("*.png")).with_suffix(".json").touch()  # no picture, and first in the order of names
    ((picture, outline),) = Material(str(root)).outlines
    assert picture.name == f"{name}.png"
    assert outline.shape == (40, 2)
    np.testing.assert_allclose(outline.min(axis=0), SIDE / 4, atol=0.5)
    np.testing.assert_allclose(outline.max(axis=0), SIDE * 3 / 4, atol=0.5)


def test_the_order_is_that_of_the_names(pack):
    material = Material(pack("", photos=3))
    assert [path.name for path in material.photos] == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        (circle(), True),
        (f"\n{circle()}\n\n", True),  # empty lines are none
        (circle(y=0.27), True),  # near the border, not cut by it
        (circle(radius=0.5, points=8), True),  # touches all four with a corner
        (circle(x=0.05), False),  # cut at the left
        (circle(y=0.95), False),  # cut at the bottom
        (circle(radius=0.09), False),  # 21 pixels
        (circle(radius=0.11), True),
        (circle(points=7), False),  # hardly an outline
        ("", False),
    ],
)
def test_small_and_cut_off_things_are_left_out(pack, line, taken):
    assert len(Material(pack(line, photos=1)).outlines) == taken


# --- what is drawn ----------------------------------------------------------------------------


@pytest.mark.parametrize("tall", [9, 60, 150.5])
def test_cutouts_are_premultiplied_and_hold_the_thing_alone(pack, tall):
    material = Material(pack(circle()))
    images = drawn(material, "cutout", tall=tall)
    assert all((image[..., :3] <= image[..., 3:]).all() for image in images)
    for image in images:
        edge = np.ones(image.shape[:2], bool)
        edge[1:-1, 1:-1] = False
        assert not image[edge].any()
    discs = [image for image in images if image[..., 2].max() > 200 and image[..., 1].max() == 0]
    assert len(discs) >= 5  # two thirds; the others are made up
    for image in discs:
        assert max(image.shape[:2]) == round(tall) + 4
        assert image[..., 0].sum() < 0.03 * image[..., 2].sum()  # next to nothing of the blue behind it
        inside = image[..., 3] == 255
        assert abs(inside.sum() / (np.pi / 4 * tall**2) - 1) < (0.55 if tall < 10 else 0.15)


def test_photographs_fill_the_size_that_is_asked_for(pack):
    material = Material(pack("", photos=2))
    for size in ((20, 30), (50, 80), (200, 90), (10, 400)):  # the last ones larger than what is there
        photos = drawn(material, "photo", height=size[0], width=size[1])
        assert {photo.shape for photo in photos} == {(*size, 3)}
        flat = [int(photo[0, 0, 0]) for photo in photos if photo.std() == 0]
        assert len(flat) >= 15
        assert set(flat) == {100, 150}  # both of them come


def test_what_is_drawn_is_the_callers_own(pack):
    material = Material(pack(circle(), photos=1))
    first = drawn(material, "photo", height=50, width=80), drawn(material, "cutout", tall=60)
    copies = [[image.copy() for image in images] for images in first]
    for images in first:
        for image in images:
            image[:] = 77
    again = drawn(material, "photo", height=50, width=80), drawn(material, "cutout", tall=60)
    for images, expected in zip(again, copies, strict=True):
        for image, copy in zip(images, expected, strict=True):
            np.testing.assert_array_equal(image, copy)


@pytest.mark.data
def test_the_real_photographs(data_root):
    material = Material(data_root / "train")
    assert len(material.photos) >= 400
    assert len(material.outlines) >= 400
    for image in drawn(material, "cutout", n=40, tall=50):
        assert (image[..., :3] <= image[..., 3:]).all()
        assert max(image.shape[:2]) in (54, 55)
    assert {photo.shape for photo in drawn(material, "photo", n=10, height=60, width=90)} == {(60, 90, 3)}
