"""`motionseg export`: one file that says the same as the network, without this package."""

import json
import logging
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from motionseg.apps import cli
from motionseg.core.errors import MissingExtraError, OutputError, ParameterError, StateError
from motionseg.refine import Refiner, export_network
from motionseg.refine._network import EMBEDDING, build_network
from motionseg.refine._packing import pack_pixels
from motionseg.refine._weights import read_weights, write_weights

SIZES = ((2, 64, 160), (2, 128, 64), (1, 96, 96))


def run(*arguments):
    return CliRunner().invoke(cli.app, ["export", *(str(a) for a in arguments)])


def fresh_weights(path, name, n_classes=1):
    """Random weights; norms of random numbers too, so that folding them matters."""
    torch.manual_seed(3)
    network = build_network(name, n_classes)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.3, 2)
            torch.nn.init.uniform_(layer.weight, 0.7, 2)
            torch.nn.init.uniform_(layer.bias, -0.3, 0.3)
    write_weights(path, network, name, {"n_classes": n_classes, "steps": 7})
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return fresh_weights(tmp_path_factory.mktemp("weights") / "w.safetensors", "small")


@pytest.fixture(scope="module")
def onnx_file(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    export_network(path, weights=weights)
    return path


def inputs(n, height, width):
    rng = np.random.default_rng(height)
    pixels = rng.random((n, 36, height // 2, width // 2), np.float32)
    return pixels, rng.random((n, 6, height // 4, width // 4), np.float32)


def said_by_torch(weights, arrays):
    with torch.no_grad():
        return [part.numpy() for part in read_weights(weights)[0](*map(torch.from_numpy, arrays))]


def through_onnx(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda arrays: session.run(
        ["mask", "shadow", "embedding"], dict(zip(("pixels", "cues"), arrays, strict=True))
    )


def through_torch(program):
    def answer(arrays):
        with torch.no_grad():
            return [part.numpy() for part in program(*map(torch.from_numpy, arrays))]

    return answer


def script_from(path, extra=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path), _extra_files=extra)


def assert_same(answer, weights, sizes=SIZES, n_classes=1):
    for n, height, width in sizes:
        arrays = inputs(n, height, width)
        got, want = answer(arrays), said_by_torch(weights, arrays)
        assert [part.shape for part in got] == [
            (n, n_classes, height, width), (n, 1, height, width), (n, EMBEDDING, height // 4, width // 4)
        ]  # fmt: skip
        assert np.ptp(want[0]) > 0.05  # else anything would do
        for a, b in zip(got, want, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-3)


def test_onnx_says_the_same_at_every_size(onnx_file, weights):
    assert_same(through_onnx(onnx_file), weights, (*SIZES, (3, 32, 32)))


def test_onnx_says_what_it_is(onnx_file):
    model = onnx.load(onnx_file)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["format"], told["network"]) == ("motionseg-refine-export-1", "small")
    assert json.loads(told["facts"])["steps"] == 7
    assert (json.loads(told["n_classes"]), json.loads(told["size"])) == (1, None)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    dims = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in (*model.graph.input, *model.graph.output)}  # fmt: skip
    assert dims == {
        "pixels": ["batch", 36, "height/2", "width/2"],
        "cues": ["batch", 6, "height/4", "width/4"],
        "mask": ["batch", 1, "height", "width"],
        "shadow": ["batch", 1, "height", "width"],
        "embedding": ["batch", 16, "height/4", "width/4"],
    }
    assert not any(node.metadata_props for node in model.graph.node)
    assert b"site-packages" not in onnx_file.read_bytes()
    assert b"_network.py" not in onnx_file.read_bytes()


def test_onnx_masks_are_those_of_the_refiner(onnx_file, weights):
    """The example of docs/refine.md, on a frame whose sides are no multiples of 32."""
    rng = np.random.default_rng(0)
    frame, background = rng.integers(0, 256, (2, 75, 110, 3), np.uint8)
    score = rng.random((75, 110), np.float32)
    mask = np.where(score > 0.5, 255, 0).astype(np.uint8)
    rows, columns = (-(-side // 32) * 32 for side in frame.shape[:2])
    pixels = pack_pixels(frame, background, score, mask, size=(rows, columns), bfloat=False)
    cues = np.zeros((1, 6, rows // 4, columns // 4), np.float32)
    cues[:, 3:5] = 1
    logits, shadow, _ = through_onnx(onnx_file)((pixels.transpose(2, 0, 1)[None], cues))
    refiner = Refiner(weights=weights, device="cpu", dtype="float32")
    trusts_nobody = {"shape": np.array(frame.shape), "last": np.zeros((75, 110), np.float32), "agreed": [0, 1e9]}
    refiner.load_state(trusts_nobody)
    want = refiner.refine(frame, background, score, mask=mask)
    for got, expected in ((logits, want), (shadow, refiner.shadow())):
        np.testing.assert_allclose(1 / (1 + np.exp(-got[0, 0, :75, :110])), expected, rtol=0, atol=1e-3)


def test_torchscript_says_the_same(weights, tmp_path):
    facts = export_network(tmp_path / "net.pt", weights=str(weights), format="torchscript")
    extra = {"motionseg.json": ""}
    script = script_from(tmp_path / "net.pt", extra)
    assert_same(through_torch(script), weights, (*SIZES, (1, 32, 32)))
    assert not [key for key in script.state_dict() if "running" in key], "batch norms were not folded"
    told = json.loads(extra["motionseg.json"])
    assert (told["network"], told["facts"]["steps"], told["size"]) == ("small", 7, None)
    assert facts["bytes"] == (tmp_path / "net.pt").stat().st_size


@pytest.mark.slow
def test_pt2_says_the_same_at_every_size(weights, tmp_path):
    export_network(tmp_path / "net.pt2", weights=weights, format="pt2")
    extra = {"motionseg.json": ""}
    program = torch.export.load(str(tmp_path / "net.pt2"), extra_files=extra)
    assert_same(through_torch(program.module()), weights)
    assert json.loads(extra["motionseg.json"])["facts"]["steps"] == 7
    assert not [key for key in program.state_dict if "running" in key], "batch norms were not folded"
    assert b"site-packages" not in (tmp_path / "net.pt2").read_bytes()


@pytest.mark.slow
def test_a_fixed_size_leaves_the_batch_open(tmp_path):
    weights = fresh_weights(tmp_path / "w.safetensors", "fcn", n_classes=3)
    size = (32, 96)
    facts = export_network(tmp_path / "net.onnx", weights=weights, size=size)
    assert (facts["size"], facts["n_classes"], facts["network"]) == ([32, 96], 3, "fcn")
    assert_same(through_onnx(tmp_path / "net.onnx"), weights, ((1, *size), (4, *size)), 3)
    with pytest.raises(Exception, match="nvalid dimensions"):
        through_onnx(tmp_path / "net.onnx")(inputs(1, 64, 96))
    export_network(tmp_path / "net.pt2", weights=weights, size=size, format="pt2")
    program = torch.export.load(str(tmp_path / "net.pt2")).module()
    assert_same(through_torch(program), weights, ((1, *size), (4, *size)), 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", "unet", "fcn"])
def test_every_network_goes_out_in_every_format(name, tmp_path):
    weights = fresh_weights(tmp_path / "w.safetensors", name)
    export_network(tmp_path / "net.onnx", weights=weights)
    assert_same(through_onnx(tmp_path / "net.onnx"), weights, (*SIZES, (1, 32, 32)))
    export_network(tmp_path / "net.pt", weights=weights, format="torchscript")
    assert_same(through_torch(script_from(tmp_path / "net.pt")), weights)
    export_network(tmp_path / "net.pt2", weights=weights, format="pt2")
    assert_same(through_torch(torch.export.load(str(tmp_path / "net.pt2")).module()), weights)


def test_what_is_there_stays_unless_it_may_go(weights, tmp_path):
    path = tmp_path / "net.pt"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"net\.pt is there already"):
        export_network(path, weights=weights, format="torchscript")
    assert path.read_bytes() == b"old"
    export_network(path, weights=weights, format="torchscript", overwrite=True)
    script_from(path)
    assert [file.name for file in tmp_path.iterdir()] == ["net.pt"]
    with pytest.raises(OutputError, match="is a folder"):
        export_network(tmp_path, weights=weights, overwrite=True)
    with pytest.raises(OutputError, match="was not written"):
        export_network(path / "below.pt", weights=weights, format="torchscript")


def test_a_failed_export_leaves_no_trace(weights, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "net.pt"
    path.write_bytes(b"old")
    monkeypatch.setattr("motionseg.core.state.os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        export_network(path, weights=weights, format="torchscript", overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["net.pt"]
    assert path.read_bytes() == b"old"


def test_warnings_and_logs_are_as_before(weights, tmp_path, caplog):
    log = logging.getLogger("torch.onnx")
    with caplog.at_level(logging.INFO, "torch.onnx"), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        export_network(tmp_path / "net.pt", weights=weights, format="torchscript")
        warnings.warn("the user's own", UserWarning, stacklevel=1)
        assert log.level == logging.INFO
    assert [str(w.message) for w in seen] == ["the user's own"]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"format": "tflite"}, ParameterError, "format.*tflite"),
        ({"size": (100, 128)}, ParameterError, "height is 100.*such as 128"),
        ({"size": (128, 100)}, ParameterError, "width is 100"),
        ({"size": (0, 128)}, ParameterError, "height"),
        ({"size": (64.0, 128)}, ParameterError, "height"),
        ({"size": 128}, ParameterError, "size is 128"),
        ({"size": (1, 2, 3)}, ParameterError, "size is"),
        ({"weights": "none.safetensors"}, StateError, "none.safetensors"),
    ],
)
def test_refusals_name_what_is_wrong(wrong, error, words, tmp_path):
    with pytest.raises(error, match=words):
        export_network(tmp_path / "net.pt", **{"format": "torchscript", **wrong})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("package", "format"), [("onnx", "onnx"), ("onnxscript", "onnx"), ("torch", "pt2")])
def test_a_missing_package_is_named_with_its_cure(package, format, weights, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install motionseg\[export\]"):
        export_network(tmp_path / "net", weights=weights, format=format)


def test_torch_formats_need_no_onnx(weights, tmp_path, monkeypatch):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, package, None)
    assert export_network(tmp_path / "net.pt", weights=weights, format="torchscript")["bytes"] > 10_000


def test_command_says_what_it_wrote(weights, tmp_path):
    path = tmp_path / "new" / "net.pt"
    result = run("-o", path, "--format", "torchscript", "--weights", weights, "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["file"], summary["bytes"]) == (str(path), path.stat().st_size)
    assert (summary["network"], summary["format"], summary["size"]) == ("small", "torchscript", None)
    script_from(path)
    assert result.stderr == ""

    weights = fresh_weights(tmp_path / "w.safetensors", "fcn")
    result = run("-o", path, "--format", "pt2", "--weights", weights, "--width", 96, "--height", 64, "--overwrite")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("fcn (")
    assert "96x64" in result.stdout
    program = torch.export.load(str(path)).module()
    assert_same(through_torch(program), weights, ((3, 64, 96),))


def test_command_refuses_with_its_exit_codes(weights, tmp_path):
    there = tmp_path / "there.pt"
    there.write_bytes(b"old")
    new = tmp_path / "new.pt"
    for arguments, code, words in (
        (("-o", there), 4, "--overwrite"),
        (("-o", tmp_path, "--overwrite"), 4, "folder"),
        (("-o", new, "--format", "tflite"), 2, "torchscript"),
        (("-o", new, "--width", 64), 2, "--height"),
        (("-o", new, "--width", 64, "--height", 65), 2, "height"),
        (("-o", new, "--weights", "none"), 2, "none"),
        (("-o", new, "--weights", there), 2, "there.pt"),
        ((), 2, "--output"),
    ):
        result = run("--weights", weights, *arguments)
        assert result.exit_code == code, arguments
        assert words in result.stderr, result.stderr
    assert not new.exists()
    assert there.read_bytes() == b"old"
    result = run("-o", there, "--json")
    assert json.loads(result.stdout)["kind"] == "OutputError"
