"""A network as one file that runs without this package: ONNX, TorchScript, or a program of torch.export."""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionseg.core.checks import check_choice, check_integer
from motionseg.core.errors import MissingExtraError, OutputError, ParameterError
from motionseg.core.state import replacing

if TYPE_CHECKING:
    import torch

__all__ = ["export_network"]

_INSTALL = "pip install motionseg[export]"
_FORMATS = ("onnx", "torchscript", "pt2")
_OPTIONAL = {"torch", "safetensors", "onnx", "onnxscript", "onnx_ir", "ml_dtypes"}
_NOTE = "motionseg.json"  # the file within TorchScript and pt2 files that says what they are
_STRIDE = 32
_OPSET = 18
_INPUTS, _OUTPUTS = ("pixels", "cues"), ("mask", "shadow", "embedding")
_SCALES = {"pixels": 2, "cues": 4, "mask": 1, "shadow": 1, "embedding": 4}  # of how many pixels a place is


def export_network(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] = "small",
    format: str = "onnx",
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a refinement network as a file that other programs run, without motionseg and, as ONNX, without torch.

    The file takes `pixels`, float32 (N, 36, H/2, W/2), and `cues`, float32 (N, 6, H/4, W/4), and gives logits `mask`
    (N, 1, H, W) and `shadow` (N, 1, H, W) and the unit vectors `embedding` (N, 16, H/4, W/4), all float32. Height and
    width are multiples of 32.

    Parameters
    ----------
    path : path
        The file to write; it appears when it is whole.
    weights : str or path
        ``"small"``, which comes with the package, or a file that `motionseg train` wrote.
    format : {"onnx", "torchscript", "pt2"}
        ``"onnx"`` (opset 18) for onnxruntime, OpenVINO, TensorRT; ``"torchscript"`` for `torch.jit.load`, also from
        C++; ``"pt2"`` for `torch.export.load`.
    size : (int, int), optional
        Height and width, multiples of 32, of all frames to come, where the program that runs the file wants fixed
        ones. Default: every size, in pt2 files of at least 64 pixels a side. TorchScript files take every size always.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    dict
        ``file``, ``bytes``, ``format``, ``network``, ``n_classes``, ``parameters``, ``size`` and the ``facts`` about
        the weights.

    Raises
    ------
    MissingExtraError
        torch, safetensors or, for ONNX, onnx or onnxscript is not installed.
    OutputError
        The file is there already, or cannot be written; an older one is untouched.
    ParameterError
        There is no such format, or the size is not two multiples of 32.
    StateError
        The weights are not there, not ours, or cut short.

    Notes
    -----
    Batch norms are folded into the convolutions; the number of frames N stays open. The file says what it is: ONNX in
    its metadata (keys ``format``, ``network``, ``n_classes``, ``facts``, ``size``), the others in ``motionseg.json``
    within. Preparing the input, filling up frames to multiples of 32 and everything that is remembered from frame to
    frame is left to the program that runs the file: see docs/refine.md.

    Memory: about 200 MB while the small network is written as ONNX, most of it code of the exporter.

    References
    ----------
    ONNX, https://onnx.ai/onnx/intro.

    Examples
    --------
    >>> import tempfile
    >>> from motionseg.refine import export_network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     facts = export_network(Path(folder, "small.pt"), format="torchscript")
    >>> facts["network"], facts["format"], facts["size"]
    ('small', 'torchscript', None)
    """
    check_choice("format", format, _FORMATS)
    size = _checked(size)
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{target} is a folder; the network is one file")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} is there already; --overwrite (overwrite=True) replaces it")
    try:
        import torch

        from motionseg.refine._network import fold_norms
        from motionseg.refine._weights import read_weights, weights_path

        if format == "onnx":
            import onnx  # noqa: F401
            import onnxscript  # noqa: F401
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in _OPTIONAL:
            raise
        raise MissingExtraError(f"export as {format}", _INSTALL) from error
    network, name, facts = read_weights(weights_path(weights))
    # Plain memory order: what runs the file chooses its own.
    plain = fold_norms(network).requires_grad_(False).float().to(memory_format=torch.contiguous_format)
    about = {
        "format": "motionseg-refine-export-1",
        "network": name,
        "n_classes": int(facts.get("n_classes", 1)),
        "size": None if size is None else list(size),
        "facts": facts,
    }
    write = {"onnx": _as_onnx, "torchscript": _as_torchscript, "pt2": _as_pt2}[format]
    with torch.no_grad(), _quiet():
        content = write(_with_plain_answer(plain), size, about)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as stream:
            stream.write(content)
    except OSError as error:
        raise OutputError(f"{target}: the network was not written: {error}") from error
    parameters = sum(weight.numel() for weight in plain.parameters())
    return {**about, "file": str(target), "bytes": len(content), "format": format, "parameters": parameters}


def _checked(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    try:
        height, width = size
    except (TypeError, ValueError):
        raise ParameterError(f"size is {size!r}, and should be (height, width) in pixels") from None
    for name, side in (("height", height), ("width", width)):
        check_integer(name, side, _STRIDE)
        if side % _STRIDE:
            more = -(-side // _STRIDE) * _STRIDE
            raise ParameterError(f"{name} is {side}, and should be a multiple of {_STRIDE}, such as {more}")
    return int(height), int(width)


def _with_plain_answer(network: torch.nn.Module) -> torch.nn.Module:
    """The network with a plain tuple as its answer: the formats know no named ones."""
    import torch  # so late that this file, and with it the command line, can do without

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor, cues: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(self.network(pixels, cues))

    return Plain().eval()


def _example(size: tuple[int, int] | None) -> tuple[torch.Tensor, torch.Tensor]:
    """An input to trace with: two frames, whose sides differ so that no rule ties them together."""
    import torch

    height, width = size or (96, 160)
    return torch.zeros(2, 36, height // 2, width // 2), torch.zeros(2, 6, height // 4, width // 4)


def _program(network: torch.nn.Module, size: tuple[int, int] | None) -> torch.export.ExportedProgram:
    import torch
    from torch.export import Dim

    batch = Dim("batch", min=1)
    shapes: tuple[dict[int, Any], ...] = ({0: batch}, {0: batch})
    if size is None:
        # At the coarsest level a side of 1 would be another program: torch takes it for one that is repeated.
        rows, columns = Dim("rows", min=2), Dim("columns", min=2)
        shapes = {0: batch, 2: 16 * rows, 3: 16 * columns}, {0: batch, 2: 8 * rows, 3: 8 * columns}
    program = torch.export.export(network, _example(size), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names folders of this computer
    return program


def _as_pt2(network: torch.nn.Module, size: tuple[int, int] | None, about: dict[str, Any]) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.export.save(_program(network, size), stream, extra_files={_NOTE: json.dumps(about)})
    return stream.getvalue()


def _as_torchscript(network: torch.nn.Module, size: tuple[int, int] | None, about: dict[str, Any]) -> bytes:
    import torch

    stream = io.BytesIO()
    script = torch.jit.trace(network, _example(size), check_trace=False)
    torch.jit.save(script, stream, _extra_files={_NOTE: json.dumps(about)})
    return stream.getvalue()


def _as_onnx(network: torch.nn.Module, size: tuple[int, int] | None, about: dict[str, Any]) -> bytes:
    import torch
    from onnx import checker

    program = torch.onnx.export(
        _program(network, size),
        dynamo=True,
        input_names=_INPUTS,
        output_names=_OUTPUTS,
        opset_version=_OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # where in which file it comes from
    del model.graph.value_info[:]  # shapes within, in made-up names; who runs the file works them out
    for value in (*model.graph.input, *model.graph.output):
        places = value.type.tensor_type.shape.dim
        places[0].dim_param = "batch"
        for place, side in ((2, "height"), (3, "width")):
            if size is None:
                scale = _SCALES[value.name]
                places[place].dim_param = side if scale == 1 else f"{side}/{scale}"
    for key, fact in about.items():
        model.metadata_props.add(key=key, value=fact if isinstance(fact, str) else json.dumps(fact))
    model.producer_name, model.doc_string = "motionseg", "Refines masks of what moves in a video."
    checker.check_model(model)
    return bytes(model.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of what torch says of its own parts while it exports: no user can do anything about it."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
