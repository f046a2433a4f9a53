"""The integrator's guide: what it shows runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from motionseg.apps.service.config import parse_config
from motionseg.io import VideoWriter

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = (DOCS / "service.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"<!-- runs -->\n```python\n(.*?)```", GUIDE, re.DOTALL)
SECTIONS = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
FILMS = re.search(r"cat > cameras.toml <<'END'\n(.*?)END\n", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def yard(tmp_path_factory):
    """A folder with yard.mp4, in which somebody comes into the left half."""
    folder = tmp_path_factory.mktemp("yard")
    ground = np.random.default_rng(0).integers(90, 110, (96, 128, 3)).astype(np.uint8)
    with VideoWriter(folder / "yard.mp4", fps=10) as writer:
        for i in range(80):
            frame, x = ground.copy(), 118 - 4 * (i - 20)
            if 20 <= i < 50:
                frame[40:80, max(x, 0) : max(x + 20, 0)] = (30, 60, 200)
            writer.write(frame, i / 10)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_programs_run_and_tell_something(yard, number):
    if "ffmpeg" in PROGRAMS[number] and shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[number]], cwd=yard, capture_output=True, text=True, timeout=120, check=True
    )
    assert len(done.stdout.splitlines()) >= 2


def test_there_are_programs():
    assert len(PROGRAMS) == 4


@pytest.mark.parametrize("number", range(len(SECTIONS)))
def test_pieces_of_configuration_are_right(number, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", "a b c")
    text = SECTIONS[number]
    names = re.findall(r'cameras = \["(.*?)"\]', text)
    cameras = "" if "[[camera]]" in text else "".join(f'[[camera]]\nname="{n}"\nsource="a.mp4"\n' for n in names or "a")
    parse_config(text + cameras)


def test_the_first_configuration_is_right():
    config = parse_config(FILMS[1])
    assert [camera.name for camera in config.camera] == ["one", "two"]


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        if "://" not in target:
            assert (DOCS / target).exists(), target
