"""The refiner: numpy in, numpy out, whatever is missing; and weights that are refused."""

import numpy as np
import pytest
import torch

from motionseg.core.errors import FrameError, ParameterError, StateError
from motionseg.refine import Refiner, View, refine_together
from motionseg.refine._network import NETWORKS, Answer, build_network, fold_norms
from motionseg.refine._packing import pack_pixels
from motionseg.refine._weights import read_weights, write_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    write_weights(path, build_network("small"), "small", {"n_classes": 1})
    return path


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    background = rng.integers(60, 120, (90, 130, 3)).astype(np.uint8)
    frame = background.copy()
    frame[30:60, 40:80] = (20, 40, 220)
    score = np.zeros((90, 130), np.float32)
    score[30:60, 40:80] = 0.9
    return frame, background, score


def twin(frame, background, score, mask):
    """The network's pixels as torch would make them."""
    planes = [frame[..., ::-1] / 255, background[..., ::-1] / 255]
    change = np.abs(frame.astype(int) - background).max(axis=2)
    coded = np.where(mask == 255, 255, np.where(mask == 127, 128, 0))
    planes += [p[..., None] / 255 for p in (change, np.rint(score * np.float32(255)), coded)]
    stacked = torch.from_numpy(np.concatenate(planes, axis=-1).astype(np.float32)).permute(2, 0, 1)[None]
    return torch.nn.functional.pixel_unshuffle(stacked, 2)[0].permute(1, 2, 0).numpy()


def test_packing_is_what_training_sees(scene):
    frame, background, score = scene
    mask = np.zeros(score.shape, np.uint8)
    mask[30:60, 40:60], mask[60:70, 40:80] = 255, 127
    packed = pack_pixels(frame, background, score, mask, size=(90, 130), bfloat=False)
    np.testing.assert_allclose(packed, twin(frame, background, score, mask), atol=1e-6)
    bits = pack_pixels(frame, background, score, mask, size=(90, 130), bfloat=True)
    rounded = torch.from_numpy(packed).to(torch.bfloat16).view(torch.int16).numpy()
    np.testing.assert_array_equal(bits.view(np.int16), rounded)


def test_packing_repeats_the_border(scene):
    packed = pack_pixels(*scene, None, size=(96, 160), bfloat=False)
    np.testing.assert_array_equal(packed[45:], np.broadcast_to(packed[45:46], packed[45:].shape))
    assert (packed[..., 32:] == 0).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n_classes", [1, 4])
def test_networks_answer_at_full_size(name, n_classes):
    torch.manual_seed(0)
    network = build_network(name, n_classes).eval()
    with torch.no_grad():
        answer = network(torch.rand(2, 36, 32, 48), torch.rand(2, 6, 16, 24))
    assert answer.mask.shape == (2, n_classes, 64, 96)
    assert answer.shadow.shape == (2, 1, 64, 96)
    assert answer.embedding.shape == (2, 16, 16, 24)
    torch.testing.assert_close(answer.embedding.norm(dim=1), torch.ones(2, 16, 24))


@pytest.mark.parametrize(("name", "most"), [("small", 300_000), ("base", 2_000_000)])
def test_networks_are_small(name, most):
    assert sum(p.numel() for p in build_network(name).parameters()) <= most


def test_folding_changes_nothing():
    torch.manual_seed(1)
    network = build_network("small")
    pixels, cues = torch.rand(4, 36, 32, 32), torch.rand(4, 6, 16, 16)
    network.train()(pixels, cues)
    with torch.no_grad():
        before = network.eval()(pixels, cues).mask
        after = fold_norms(network)(pixels, cues).mask
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in network.modules())


def test_what_is_missing_may_be_missing(weights, scene):
    frame, background, score = scene
    flow = np.ones((45, 65, 2), np.float32)
    for cues in (
        {},
        {"background": background},
        {"score": score},
        {"flow_back": flow},
        {"flow_back": flow, "camera": np.eye(3)},
    ):
        result = Refiner(weights=weights).refine(frame, **cues)
        assert result.shape == (90, 130)
        assert result.dtype == np.float32
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1


def test_input_is_untouched_and_grey_frames_work(weights, scene):
    frame, background, score = (array.copy() for array in scene)
    Refiner(weights=weights).refine(frame, background, score)
    for before, after in zip(scene, (frame, background, score), strict=True):
        np.testing.assert_array_equal(before, after)
    grey = Refiner(weights=weights).refine(frame[..., 0], background[..., 0])
    same = Refiner(weights=weights).refine(np.dstack([frame[..., 0]] * 3), np.dstack([background[..., 0]] * 3))
    np.testing.assert_array_equal(grey, same)


def test_bfloat_masks_are_those_of_float(scene):
    single = Refiner(dtype="float32").refine(*scene)
    half = Refiner(dtype="bfloat16").refine(*scene)
    assert np.mean((single >= 0.5) != (half >= 0.5)) <= 1e-3


def test_cameras_together_are_as_one_by_one(weights, scene):
    frame, background, score = scene
    views = [View(frame, background, score), View(frame[::-1].copy(), background), View(frame[:64].copy())]
    together = refine_together([Refiner(weights=weights, dtype="float32") for _ in views], views)
    for view, result in zip(views, together, strict=True):
        alone = Refiner(weights=weights, dtype="float32").refine(view.frame, view.background, view.score)
        np.testing.assert_allclose(result, alone, atol=1e-4)
    one = Refiner(weights=weights)
    with pytest.raises(FrameError, match="twice"):
        refine_together([one, one], views[:2])


def test_state_continues(weights, scene):
    frame, background, score = scene
    first, second = Refiner(weights=weights), Refiner(weights=weights)
    first.refine(frame, background, score)
    second.load_state(first.state())
    np.testing.assert_array_equal(first.refine(frame, background), second.refine(frame, background))
    with pytest.raises(StateError):
        second.load_state({"shape": np.array([90, 130, 3]), "last": np.zeros((3, 3))})


def test_a_model_that_the_network_agrees_with_is_trusted(weights):
    refiner = Refiner(weights=weights)
    mask = np.zeros((90, 130), np.uint8)
    mask[30:60, 40:80] = 255
    logits = torch.full((1, 1, 96, 160), -5.0)
    logits[..., 30:60, 40:80] = 5
    nothing = torch.zeros(1, 1, 96, 160)

    def trusting(mask, logits):
        return refiner._trusting(mask, Answer(logits, nothing, nothing)).mask[0, 0, :90, :130]

    assert trusting(mask, logits)[45, 60] < 6  # one frame is no proof
    for _ in range(60):
        trusting(mask, logits)
    unsure = logits.clone()
    unsure[..., 5, 5], unsure[..., 10, 10], unsure[..., 45, 60], unsure[..., 45, 70] = 1.5, 4.0, -1.5, -4.0
    told = trusting(mask, unsure) > 0
    assert (bool(told[5, 5]), bool(told[10, 10]), bool(told[45, 60]), bool(told[45, 70])) == (False, True, True, False)
    assert refiner._agreed[0] / refiner._agreed[1] > 0.95
    for _ in range(300):  # it calls foreground what the network does not
        trusting(255 - mask, logits)
    torch.testing.assert_close(trusting(mask, unsure), unsure[0, 0, :90, :130])
    refiner.reset()
    assert not refiner._agreed.any()


def test_embeddings_are_unit_vectors(weights, scene):
    refiner = Refiner(weights=weights)
    with pytest.raises(StateError):
        refiner.embed(np.zeros((90, 130), np.int32))
    refiner.refine(*scene)
    labels = np.zeros((90, 130), np.int32)
    labels[30:60, 40:80], labels[0:3, 0:3] = 1, 3
    vectors = refiner.embed(labels)
    assert vectors.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-5)
    with pytest.raises(FrameError):
        refiner.embed(labels[:10])


def test_tiles_give_about_the_same(weights):
    frame = np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    whole = Refiner(weights=weights, dtype="float32").refine(frame)
    tiled = Refiner(weights=weights, dtype="float32", tile=256).refine(frame)
    assert np.abs(whole - tiled).mean() < 0.05
    np.testing.assert_allclose(tiled[:64, :64], whole[:64, :64], atol=0.1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f, b, s: (f, b[:50], s), "size|shape"),
        (lambda f, b, s: (f, b, s[:50]), "score"),
        (lambda f, b, s: (f, b, np.full_like(s, np.nan)), "NaN"),
        (lambda f, b, s: (f.astype(np.float32), b, s), "uint8"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(weights, scene, spoil, message):
    refiner = Refiner(weights=weights)
    refiner.refine(*scene)
    before = refiner.state()
    with pytest.raises(FrameError, match=message):
        refiner.refine(*spoil(*scene))
    np.testing.assert_array_equal(before["last"], refiner.state()["last"])


def test_weights_that_are_refused(tmp_path, weights):
    with pytest.raises(StateError, match="no such file"):
        Refiner(weights=tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(StateError, match="readable"):
        read_weights(cut)
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, other)
    with pytest.raises(StateError, match="not of motionseg"):
        read_weights(other)
    wrong = tmp_path / "wrong.safetensors"
    write_weights(wrong, build_network("fcn"), "small")
    with pytest.raises(StateError, match="lacks"):
        read_weights(wrong)
    with pytest.raises(ParameterError, match="device"):
        Refiner(weights=weights, device="cuda:77")
    with pytest.raises(ParameterError, match="dtype"):
        Refiner(weights=weights, dtype="int8")


def test_too_little_memory_means_tiles_and_a_warning(weights, monkeypatch):
    refiner = Refiner(weights=weights, dtype="float32")
    network, frame = refiner._engine.network, np.random.default_rng(0).integers(0, 255, (300, 700, 3)).astype(np.uint8)
    sizes = []

    def small_memory(pixels, cues):
        sizes.append(pixels.shape[3])
        if pixels.shape[3] > 200:
            raise torch.OutOfMemoryError("too large")
        return network(pixels, cues)

    monkeypatch.setattr(refiner._engine, "network", small_memory)
    with pytest.warns(RuntimeWarning, match="tiles"):
        score = refiner.refine(frame)
    assert np.isfinite(score).all()
    assert max(sizes[1:]) <= 200


def test_networks_for_classes_tell_them(tmp_path):
    path = tmp_path / "classes.safetensors"
    write_weights(path, build_network("small", 5), "small", {"n_classes": 5})
    refiner = Refiner(weights=path, dtype="float32")
    with pytest.raises(StateError, match="no frame"):
        refiner.classes()
    frame = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    score = refiner.refine(frame)
    classes = refiner.classes()
    assert classes.shape == score.shape == (70, 90)
    assert classes.dtype == np.int32
    assert set(np.unique(classes)) <= set(range(5))
    assert len(np.unique(classes)) > 1
    assert (classes[score < 0.5] == 0).all()  # what is background rather than all others together is so in any case
