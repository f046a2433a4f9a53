"""The slot for a learned flow: with a stand-in for torch, since the real one is heavy and its weights are nobody's."""

import importlib.util
import sys
import types

import numpy as np
import pytest

from motionseg.core.errors import FrameError, MissingExtraError, ParameterError
from motionseg.flow import Raft
from motionseg.testing import FLOW_CHECKS


class Tensor:
    """As much of a tensor as the adapter asks for."""

    def __init__(self, array):
        self.array = array

    def to(self, place):
        return self

    def float(self):
        return Tensor(self.array.astype(np.float32))

    cpu = detach = lambda self: self

    def numpy(self):
        return self.array

    def __getitem__(self, key):
        return Tensor(self.array[key])


class Network:
    """Says where the brightest pixel went, and remembers what it was given."""

    given = ()

    def __init__(self, weights="default"):
        assert weights is None, "nothing is to be downloaded"
        self.training = True

    def load_state_dict(self, state):
        if set(state) != {"conv"}:
            raise RuntimeError("Missing key(s) in state_dict: conv\nand more")

    def to(self, place):
        self.place = place
        return self

    def eval(self):
        self.training = False
        return self

    def __call__(self, first, second):
        assert not self.training
        Network.given = first.array, second.array
        _, _, height, width = first.array.shape
        places = [divmod(int(a.array[0].sum(axis=0).argmax()), width) for a in (first, second)]
        flow = np.zeros((1, 2, height, width), np.float64)
        flow[0, 0], flow[0, 1] = places[1][1] - places[0][1], places[1][0] - places[0][0]
        return [Tensor(flow * 0), Tensor(flow)]


class NoMode:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


def load(path, map_location, weights_only):
    assert weights_only is True, "a pickle could execute anything"
    with open(path, "rb") as file:
        if file.read(4) != b"good":
            raise EOFError("Ran out of input")
        return {"conv": 1} if file.read(1) == b"" else {"other": 1}


def device(name):
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise RuntimeError("Expected one of cpu, cuda device type at start of device string")
    return types.SimpleNamespace(type=name.split(":")[0], name=name)


@pytest.fixture
def _torch(monkeypatch):
    torch, torchvision, models = (types.ModuleType(n) for n in ("torch", "torchvision", "torchvision.models"))
    networks = types.ModuleType("torchvision.models.optical_flow")
    torch.load, torch.device, torch.from_numpy, torch.inference_mode = load, device, Tensor, NoMode
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    networks.raft_small = networks.raft_large = Network
    torchvision.models, models.optical_flow = models, networks
    for module in (torch, torchvision, models, networks):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "raft.pth"
    path.write_bytes(b"good")
    return path


@pytest.mark.usefixtures("_torch")
def test_frames_go_in_as_padded_rgb_and_flow_comes_out(weights):
    raft = Raft(weights=weights)
    first, second = (np.zeros((130, 201, 3), np.uint8) for _ in range(2))
    first[20, 30], second[25, 27] = (10, 20, 255), (10, 20, 255)
    flow = raft.estimate(first, second)
    assert flow.shape == (130, 201, 2)
    assert flow.dtype == np.float32
    assert flow.flags.c_contiguous
    assert (flow == (-3, 5)).all()
    assert [a.shape for a in Network.given] == [(1, 3, 136, 208)] * 2
    assert [a.dtype for a in Network.given] == [np.float32] * 2
    np.testing.assert_allclose(Network.given[0][0, :, 20, 30], np.array([255, 20, 10]) / 127.5 - 1, rtol=1e-5)
    grey = raft.estimate(first[..., 2].copy(), second[..., 2].copy())
    np.testing.assert_array_equal(grey, flow)
    raft.estimate(first[:20, :30].copy(), first[:20, :30].copy())
    assert Network.given[0].shape == (1, 3, 128, 128)


@pytest.mark.usefixtures("_torch")
@pytest.mark.parametrize(
    "check", [c for c in FLOW_CHECKS if "found" not in c.__name__], ids=lambda c: c.__name__.removeprefix("_check_")
)
def test_it_keeps_the_promises_of_its_room(weights, check):
    check(Raft(weights=weights, size="large", device="cpu"))


@pytest.mark.usefixtures("_torch")
def test_bad_weights_and_devices(weights, tmp_path):
    with pytest.raises(ParameterError, match=r"weights is the path of a state dict of raft_small, not None"):
        Raft()
    with pytest.raises(ParameterError, match=r"there is no file .*nowhere\.pth"):
        Raft(weights=tmp_path / "nowhere.pth")
    (tmp_path / "bad.pth").write_bytes(b"bad")
    with pytest.raises(ParameterError, match=r"bad\.pth does not hold those of raft_small: Ran out of input"):
        Raft(weights=str(tmp_path / "bad.pth"))
    (tmp_path / "other.pth").write_bytes(b"good.")
    with pytest.raises(ParameterError, match=r"raft_large: Missing key\(s\) in state_dict: conv$"):
        Raft(weights=tmp_path / "other.pth", size="large")
    with pytest.raises(ParameterError, match="size"):
        Raft(weights=weights, size="huge")
    with pytest.raises(ParameterError, match="device 'abacus': Expected one of"):
        Raft(weights=weights, device="abacus")
    with pytest.raises(ParameterError, match="finds no GPU"):
        Raft(weights=weights, device="cuda:1")
    with pytest.raises(ParameterError, match="device is a name"):
        Raft(weights=weights, device=0)
    with pytest.raises(FrameError, match="the first one had"):
        Raft(weights=weights).estimate(np.zeros((9, 9), np.uint8), np.zeros((9, 8), np.uint8))


def test_without_torch(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="pip install torch torchvision"):
        Raft(weights=weights)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="without torchvision")
def test_the_real_network(tmp_path):
    import torch
    from torchvision.models.optical_flow import raft_small

    torch.save(raft_small(weights=None).state_dict(), tmp_path / "raft.pth")
    frame = np.random.default_rng(0).integers(0, 256, (140, 150, 3), np.uint8)
    flow = Raft(weights=tmp_path / "raft.pth", device="cpu").estimate(frame, frame)
    assert flow.shape == (140, 150, 2)
    assert np.isfinite(flow).all()
