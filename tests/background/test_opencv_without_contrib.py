"""Plain OpenCV lacks five of the subtractors: the models say so, and all else works."""

import cv2
import pytest
from typer.testing import CliRunner

from motionseg.apps import cli
from motionseg.core.catalog import find
from motionseg.core.errors import MissingExtraError


@pytest.fixture(autouse=True)
def _plain_opencv(monkeypatch):
    monkeypatch.delattr(cv2, "bgsegm", raising=False)


@pytest.mark.parametrize("name", ["opencv_cnt", "opencv_gmg", "opencv_gsoc", "opencv_lsbp", "opencv_mog"])
def test_a_model_names_what_to_install(name):
    with pytest.raises(MissingExtraError, match="pip install opencv-contrib-python"):
        find("background", name)()


@pytest.mark.parametrize("name", ["opencv_mog2", "opencv_knn"])
def test_the_others_are_there(name):
    assert find("background", name)().params()["history"] == 500


def test_models_are_listed_and_the_command_line_says_what_is_missing(tmp_path):
    assert "opencv_gsoc" in CliRunner().invoke(cli.app, ["models"]).stdout
    result = CliRunner().invoke(cli.app, ["segment", "x.mp4", "-o", str(tmp_path / "o"), "--model", "opencv_gsoc"])
    assert result.exit_code == 2
    assert "pip install opencv-contrib-python" in result.stderr
