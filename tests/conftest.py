"""What all tests share: where the real data is, a steady hypothesis, and threads put back as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import motionseg

# The first call of a kernel compiles it, which no deadline should count.
hypothesis.settings.register_profile("motionseg", deadline=None, max_examples=30, derandomize=True)
hypothesis.settings.load_profile("motionseg")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--motionseg-data",
        default=os.environ.get("MOTIONSEG_DATA"),
        metavar="DIR",
        help="folder of the real sequences, for tests marked 'data' (default: the variable MOTIONSEG_DATA)",
    )


@pytest.fixture(scope="session")
def data_root(request: pytest.FixtureRequest) -> Path:
    """The folder of the real sequences; without it the test is skipped."""
    root = request.config.getoption("--motionseg-data")
    if not root:
        pytest.skip("no real data: give --motionseg-data=DIR or set MOTIONSEG_DATA")
    if not Path(root).is_dir():
        pytest.fail(f"--motionseg-data: {root} is not a folder")
    return Path(root).resolve()


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = motionseg.get_num_threads()
    yield
    if motionseg.get_num_threads() != before:
        motionseg.set_num_threads(before)
