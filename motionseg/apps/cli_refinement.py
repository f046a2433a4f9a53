"""The command of the command line that hands the refinement network on: ``export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from motionseg.apps.manners import Json, errors
from motionseg.core.errors import ParameterError

__all__ = ["export"]


def export(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    format: Annotated[str, typer.Option(help="onnx, torchscript or pt2 (torch.export).")] = "onnx",
    weights: Annotated[str, typer.Option(metavar="NAME|FILE", help="small, base, or a file of 'train'.")] = "small",
    width: Annotated[
        int | None, typer.Option(metavar="W", help="For frames of this size only, multiples of 32; default: any.")
    ] = None,
    height: Annotated[int | None, typer.Option(metavar="H", help="As --width; give both.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a FILE that is there.")] = False,
    json_: Json = False,
) -> None:
    """Write the refinement network as one file that onnxruntime, OpenVINO, TensorRT or torch alone can run."""
    from motionseg.refine import export_network

    with errors(json_):
        if (width is None) != (height is None):
            raise ParameterError("--width and --height come together")
        size = None if width is None or height is None else (height, width)
        summary = export_network(output, weights=weights, format=format, size=size, overwrite=overwrite)
    if json_:
        print(json.dumps(summary))
        return
    sides = "any size" if size is None else f"{width}x{height}"
    print(
        f"{summary['network']} ({summary['parameters']:,} parameters), {summary['format']}, {sides}, "
        f"{summary['bytes'] / 1e6:.1f} MB: {output}"
    )
