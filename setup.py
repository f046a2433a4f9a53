"""Packaging of motionseg. Tested exact versions are in constraints.txt; here are no upper pins."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "motionseg" / "__init__.py").read_text(encoding="utf-8"))

REPORT = ["jinja2>=3.1", "matplotlib>=3.8"]
REFINE = ["torch>=2.5", "kornia>=0.7", "safetensors>=0.4", "tensorboardX>=2.6"]
EXPORT = [*REFINE, "onnx>=1.16", "onnxscript>=0.2", "onnxruntime>=1.18"]
SERVICE = ["fastapi>=0.115", "uvicorn>=0.30", "prometheus-client>=0.20", "aiomqtt>=2.3", "httpx>=0.27", "tenacity>=8.3"]
SERVICE += ["psycopg[binary]>=3.2"]
TEST = [
    "pytest>=8",
    "pytest-xdist>=3.5",
    "hypothesis>=6.100",
    "ruff>=0.6",
    "mypy>=1.11",
    "pandas>=2",
    "pycocotools>=2.0.7",
]
TEST += [*REPORT, *EXPORT, *SERVICE, "selenium>=4.20", "schemathesis>=4"]

setup(
    name="motionseg",
    version=VERSION.group(1),
    description="Motion segmentation of video: what moves, with fixed and with moving cameras",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=["motionseg", "motionseg.*"]),
    package_data={
        "motionseg": [
            "py.typed",
            "*.pyi",
            "apps/report/*.jinja",
            "apps/measured.json",
            "apps/service/*.toml",
            "apps/service/http/page/*",
            "refine/weights/*",
        ]
    },
    install_requires=[
        "numpy>=1.26",
        "scipy>=1.11",
        "opencv-contrib-python>=4.10",
        "numba>=0.60",
        "scikit-learn>=1.4",
        "threadpoolctl",
        "av>=14.2",
        "typer>=0.12",
        "rich>=13",
        "pydantic>=2.6",
        "lazy-loader>=0.4",
        "tomli>=2; python_version < '3.11'",
    ],
    extras_require={
        "refine": REFINE,
        "export": EXPORT,
        "report": REPORT,
        "service": SERVICE,
        "test": TEST,
        "all": TEST,
    },
    entry_points={"console_scripts": ["motionseg = motionseg.apps.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Intended Audience :: Developers",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Topic :: Multimedia :: Video",
    ],
)
