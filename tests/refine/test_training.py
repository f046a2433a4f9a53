"""The network learns: losses, batches, the loop that is stopped and resumed, and the command."""

import csv
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from motionseg.apps import cli, train_job
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.state import read_state, write_state
from motionseg.datasets import Material
from motionseg.io import write_image
from motionseg.pipeline import sample_clip
from motionseg.refine._cues import carried_along, motion_cues
from motionseg.refine._losses import batch_loss
from motionseg.refine._network import Answer, build_network
from motionseg.refine._samples import SampleSet, batch_inputs, warped
from motionseg.refine._training import Trainer, answers_to, mask_quality

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Samples of a few made-up clips."""
    folder = tmp_path_factory.mktemp("samples")
    for seed in (2, 5, 9):
        write_state(folder / f"{seed}.npz", sample_clip(Material(), seed, n_samples=4), {})
    return sorted(folder.glob("*.npz"))


def perfect(batch, sign=1.0):
    """Answers that say the truth (or its contrary) most surely."""
    answers = []
    for truth, shadow in zip(batch.truth, batch.shadow, strict=True):
        small = truth.shape[-2] // 4, truth.shape[-1] // 4
        embedding = torch.nn.functional.normalize(torch.ones(len(truth), 16, *small), dim=1)
        logits = (sign * (30 * part.nan_to_num(0.5) - 15) for part in (truth, shadow))
        answers.append(Answer(*logits, embedding))
    return answers


def test_losses_are_low_for_the_truth_and_high_for_its_contrary(files):
    samples = SampleSet(files)
    batch = batch_inputs(samples.take(range(len(samples))), generator=None, device=CPU)
    good, bad = batch_loss(perfect(batch), batch), batch_loss(perfect(batch, -1), batch)
    for part in ("bce", "jaccard", "shadow"):
        assert good[part] < 0.02 < bad[part]


def test_outlines_weigh_more():
    truth = torch.zeros(1, 1, 64, 64)
    truth[..., 20:44, 20:44] = 1
    losses = []
    for y, x in ((20, 32), (32, 32)):  # one wrong pixel at the outline, one inside
        logits = 20 * truth - 10
        logits[0, 0, y, x] = -10
        batch = batch_of(truth)
        answer = Answer(logits, torch.full_like(truth, -10), torch.ones(1, 16, 16, 16))
        losses.append(batch_loss([answer], batch)["bce"])
    assert losses[0] > 2 * losses[1]


def batch_of(truth):
    from motionseg.refine._samples import Batch

    small = torch.zeros(1, 2, 16, 16)
    return Batch([], [], [truth], [torch.zeros_like(truth)], [small[:, 0].long()], small)


def test_what_is_not_judged_does_not_count():
    truth = torch.zeros(1, 1, 64, 64)
    truth[..., :32] = float("nan")
    logits = torch.full_like(truth, -10)
    logits[..., :32] = 10
    sunny = torch.full_like(truth, -10)
    loss = batch_loss([Answer(logits, sunny, torch.ones(1, 16, 16, 16))], batch_of(truth))
    assert loss["loss"] < 0.01


def test_batches_without_chance_are_the_samples(files):
    samples = SampleSet(files)
    arrays = samples.take([0])
    batch = batch_inputs(arrays, generator=None, device=CPU)
    planes = torch.nn.functional.pixel_shuffle(batch.pixels[1], 2)[0]
    red = arrays["frame"][0, 1, ..., 2].float() / 255
    torch.testing.assert_close(planes[0], red)
    knows = bool(arrays["knows"][0, 0])
    assert batch.cues[1][0, 3].eq(float(knows)).all()
    assert batch.cues[1][0, 4:].eq(1).all()
    judged = ~batch.truth[1][0, 0].isnan()
    torch.testing.assert_close(batch.truth[1][0, 0] == 1, judged & (arrays["truth"][0, 1] == 255))


@pytest.mark.parametrize("tell", ["nothing", "change", "score", "motion"])
def test_things_that_nothing_gives_away_are_not_judged(files, tell):
    arrays = {name: torch.zeros_like(value) for name, value in SampleSet(files).take([0]).items()}
    arrays["knows"][:] = True
    arrays["truth"][..., 40:80, 40:100], arrays["labels"][..., 40:80, 40:100] = 255, 3
    arrays["truth"][..., 100:140, 40:100], arrays["labels"][..., 100:140, 40:100] = 255, 4
    part = (..., slice(44, 76), slice(44, 60))  # a fifth of thing 3, none of thing 4
    if tell == "change":
        arrays["frame"][(*part, slice(None))] = 30
    elif tell == "score":
        arrays["score"][part] = 200
    elif tell == "motion":
        arrays["cues"][..., 11:19, 11:15, 0] = 150
    truth = batch_inputs(arrays, generator=None, device=CPU).truth[1][0, 0]
    if tell == "nothing":
        assert truth[40:80, 40:100].isnan().all()
    else:
        assert truth[40:80, 40:100].eq(1).all()
    assert truth[100:140, 40:100].isnan().all()
    assert truth[:40].eq(0).all()


def test_a_fresh_network_says_what_the_score_says(files):
    batch = batch_inputs(SampleSet(files).take([0, 1]), generator=None, device=CPU)
    for name in ("small", "base"):
        torch.manual_seed(0)
        mask = build_network(name).eval()(batch.pixels[1], batch.cues[1]).mask
        score = torch.nn.functional.pixel_shuffle(batch.pixels[1], 2)[:, 7:8]
        assert ((mask > 0) == (score > 0.5)).float().mean() > 0.97


def alike(one, other):
    """Whether two truths are the same where both judge: what lacks cues judges less."""
    judged = ~(one.isnan() | other.isnan())
    return bool(judged.any()) and torch.equal(one[judged], other[judged])


def test_mirrored_batches_are_mirrored_throughout(files):
    samples = SampleSet(files)
    arrays = samples.take([1] * 16)
    plain = batch_inputs(arrays, generator=None, device=CPU)
    chance = batch_inputs(arrays, generator=torch.Generator().manual_seed(1), device=CPU)
    truth, flow, cue = plain.truth[1][0], plain.flow[0], plain.cues[1][0]
    seen = set()
    for k in range(16):
        own = chance.truth[1][k]
        flipped = alike(own, truth.flip(-1))
        assert flipped or alike(own, truth)
        seen.add(flipped)
        if chance.cues[1][k, 5].any():  # it still has its flow
            assert torch.equal(chance.cues[1][k, :2], cue[:2].flip(-1) if flipped else cue[:2])
            mirror = flow.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None]
            assert torch.equal(chance.flow[k], mirror if flipped else flow)
    assert seen == {True, False}


def test_the_last_answer_is_carried_as_it_will_be():
    """Training warps in torch, the refiner by OpenCV: both mean the same."""
    rng = np.random.default_rng(0)
    values = rng.random((40, 48), np.float32)
    flow = rng.uniform(-3, 3, (40, 48, 2)).astype(np.float32)
    ours = carried_along(values, flow)
    theirs = warped(torch.from_numpy(values)[None, None], torch.from_numpy(flow).permute(2, 0, 1)[None])[0, 0]
    np.testing.assert_allclose(ours[4:-4, 4:-4], theirs[4:-4, 4:-4].numpy(), atol=0.03)  # OpenCV has 1/32 pixels


def test_motion_cues_take_the_camera_off():
    flow = np.zeros((60, 80, 2), np.float32)
    flow[...] = (-2, 0)  # back in time: all has gone 2 pixels to the right
    flow[20:40, 20:40] = (3, 0)
    still = motion_cues(flow, None, (60, 80))
    camera = motion_cues(flow, np.array([[1, 0, 2.0], [0, 1, 0], [0, 0, 1]]), (60, 80))
    assert still[5, 5, 0] > 0.8
    assert camera[5, 5, 0] < 1e-5
    assert camera[30, 30, 0] > 0.8
    assert camera[30, 30, 1] > 0.9
    noise = np.random.default_rng(0).normal(0, 2, (60, 80, 2)).astype(np.float32)
    assert motion_cues(noise, None, (60, 80))[..., 1].mean() < 0.6


def test_regions_learn_to_know_themselves():
    from motionseg.refine._losses import _contrast

    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[0, :8, :8], labels[0, 8:, 8:] = 1, 2
    one, two = torch.eye(16)[0], torch.eye(16)[1]
    right = torch.zeros(1, 16, 16, 16)
    right[0, :, :8, :8], right[0, :, 8:, 8:] = one[:, None, None], two[:, None, None]
    wrong = right.flip(-1).flip(-2)
    blank = torch.zeros(1, 1, 64, 64)

    def answers(second):
        return [Answer(blank, blank, right), Answer(blank, blank, second)]

    assert _contrast(answers(right), [labels, labels]) < 0.01
    assert _contrast(answers(wrong), [labels, labels]) > 5


@pytest.mark.slow
def test_it_overfits_one_clip(files, tmp_path):
    """IoU above .95 on what it has seen: the loop, the losses and the network can learn."""
    one = SampleSet(files[:1])
    trainer = Trainer(tmp_path, one, one, steps=600, batch=4, every=200, learning_rate=4e-3)
    trainer.run()
    batch = batch_inputs(one.take(range(len(one))), generator=None, device=CPU)
    with torch.no_grad():
        answer = answers_to(trainer.mean, batch)[-1].mask[:, 0] > 0
    truth, judged = batch.truth[-1][:, 0] == 1, ~batch.truth[-1][:, 0].isnan()
    assert truth.any()
    assert (answer & truth & judged).sum() / ((answer | truth) & judged).sum() > 0.95


def weights_of(trainer):
    return torch.cat([value.flatten().float() for value in trainer.network.state_dict().values()])


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_not_been(files, tmp_path):
    samples = SampleSet(files)
    options = {"steps": 6, "batch": 4, "every": 3}
    whole = Trainer(tmp_path / "whole", samples, samples, **options)
    whole.run()

    def stop(step, loss):
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(tmp_path / "cut", samples, samples, **options).run(stop)
    rest = Trainer(tmp_path / "cut", samples, samples, **options)
    assert rest.step == 4
    rest.run()
    torch.testing.assert_close(weights_of(rest), weights_of(whole), atol=1e-5, rtol=1e-4)
    with (tmp_path / "cut" / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["3", "6"]
    with pytest.raises(ParameterError, match="learning_rate"):
        Trainer(tmp_path / "cut", samples, samples, **options, learning_rate=0.5)


def test_a_broken_checkpoint_is_said(files, tmp_path):
    samples = SampleSet(files)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(StateError, match=r"checkpoint\.pt"):
        Trainer(tmp_path, samples, samples)


def test_it_stops_early(files, tmp_path):
    samples = SampleSet(files[:1])
    trainer = Trainer(tmp_path, samples, samples, steps=50, batch=4, every=1, patience=2, learning_rate=1e-9)
    trainer.best = 2.0  # nothing is better
    trainer.run()
    assert trainer.step == 2


def test_quality_tells_a_network_from_its_prior(files):
    quality = mask_quality(build_network("small").eval(), SampleSet(files), 4, CPU)
    assert 0 <= quality["iou"] <= 1
    assert 0 < quality["prior_iou"] <= 1


# --- the command ---------------------------------------------------------------------------------------

CONFIG = """
[data]
clips = 3
stills = 0
validation = 1
[training]
steps = 4
batch = 4
judge_every = 2
device = "cpu"
"""


def train(*arguments):
    return CliRunner().invoke(cli.app, ["train", *(str(a) for a in arguments)])


@pytest.fixture
def config(tmp_path, files, monkeypatch):
    monkeypatch.setattr(train_job, "render_samples", lambda *a, **k: files)
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return path


def test_the_command_leaves_a_network_and_says_so(config, tmp_path):
    result = train(config, "-o", tmp_path / "run", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["complete"]
    assert summary["steps"] == 4
    assert {"best.safetensors", "metrics.csv", "curves.png", "checkpoint.pt", "summary.json"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    (events,) = (tmp_path / "run").glob("events.out.tfevents.*")  # TensorBoard's
    assert b"valid/iou" in events.read_bytes()
    assert train(config, "-o", tmp_path / "run").exit_code == 4
    assert train(config, "-o", tmp_path / "run", "--resume").exit_code == 0
    from motionseg.refine import Refiner

    score = Refiner(weights=tmp_path / "run" / "best.safetensors").refine(np.zeros((64, 64, 3), np.uint8))
    assert np.isfinite(score).all()


def test_an_interrupted_command_can_be_resumed(config, tmp_path, monkeypatch):
    def interrupt(self, done):
        if self._unit == "steps" and done == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("motionseg.apps.manners.FrameProgress.advance_to", interrupt)
        result = train(config, "-o", tmp_path / "run")
    assert result.exit_code == 130
    assert "--resume" in result.output
    assert not json.loads((tmp_path / "run" / "summary.json").read_text())["complete"]
    assert train(config, "-o", tmp_path / "run", "--resume").exit_code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data]\nclips = -1", "data.clips"),
        ("[data]\nclips = 0\nstills = 0", "nothing to learn from"),
        ("[network]\nn_classes = 3", "n_classes"),
        ("[training]\nspeed = 3", "training.speed"),
        ("[training", "no TOML"),
        ('[network]\nname = "huge"', "huge"),
        ("[data]\nclips = 4\nvalidation = 4", "data.validation"),
        ("[data]\nclips = 4\nstills = 1\nvalidation = 1", "data.validation"),
        ('[network]\nweights = "none.safetensors"', "none.safetensors"),
        ('[training]\ndevice = "cuda:99"', "cuda:99"),
    ],
)
def test_wrong_configs_are_named(config, tmp_path, text, message):
    config.write_text(text)
    result = train(config, "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert message in result.output
    assert train(tmp_path / "none.toml", "-o", tmp_path / "run").exit_code == 2


def write_pictures(folder, n, masks):
    """Frames of noise with a bright square, and masks of it."""
    rng = np.random.default_rng(n)
    for i in range(n):
        frame, mask = rng.integers(0, 90, (64, 80, 3), np.uint8), np.zeros((64, 80), np.uint8)
        x, kind = 2 * i % 50, 1 + i % (masks - 1)
        frame[20:44, x : x + 24, kind - 1], mask[20:44, x : x + 24] = 250, kind if masks > 2 else 255
        mask[:2] = 255 if masks > 2 else 170
        write_image(folder / "frames" / f"{i:03d}.png", frame)
        write_image(folder / "masks" / f"{i:03d}.png", mask)


def test_data_of_ones_own_is_mixed_in(config, tmp_path):
    for name in ("walk", "run"):
        write_pictures(tmp_path / "mine" / name, 12, masks=2)
    own = '[[data.datasets]]\nreader = "folder"\nroot = "mine"\nmethod = "running_average"\nsamples = 10\n'
    config.write_text(CONFIG + own)
    assert train(config, "-o", tmp_path / "run").exit_code == 0
    files = list((tmp_path / "run" / "samples").glob("data_*.npz"))
    assert len(files) == len(list((tmp_path / "run" / "samples").iterdir())) == 4
    arrays, _ = read_state(next(path for path in files if path.stem.endswith("_learn")))
    assert len(arrays["knows"]) == 9
    assert arrays["knows"].all()
    assert set(np.unique(arrays["truth"])) == {0, 170, 255}
    config.write_text(CONFIG + own.replace("samples = 10", "samples = 8"))
    result = train(config, "-o", tmp_path / "run", "--resume")  # other samples: the run cannot go on with them
    assert result.exit_code == 2
    assert len(list((tmp_path / "run" / "samples").glob("data_*.npz"))) == 8
    config.write_text(CONFIG + own.replace("mine", "yours"))
    result = train(config, "-o", tmp_path / "other")
    assert result.exit_code == 3
    assert "yours" in result.output


@pytest.mark.slow
def test_classes_are_learned_from_pictures_alone(tmp_path):
    write_pictures(tmp_path / "mine" / "toys", 30, masks=4)
    config = tmp_path / "c.toml"
    config.write_text(
        """
        [data]
        clips = 0
        stills = 0
        [[data.datasets]]
        reader = "labelled_folder"
        root = "mine"
        method = "none"
        samples = 30
        [network]
        name = "small"
        n_classes = 4
        [training]
        steps = 60
        batch = 4
        judge_every = 30
        device = "cpu"
        """
    )
    assert train(config, "-o", tmp_path / "run").exit_code == 0
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["valid_accuracy"]) > 0.8
    from motionseg.refine import Refiner

    refiner = Refiner(weights=tmp_path / "run" / "best.safetensors")
    frame = np.full((64, 80, 3), 45, np.uint8)
    frame[20:44, 30:54, 0] = 250
    refiner.refine(frame)
    classes = refiner.classes()
    assert classes[32, 42] == 1
    assert classes[5, 5] == 0
    config.write_text(config.read_text().replace("n_classes = 4", "n_classes = 3"))
    result = train(config, "-o", tmp_path / "fewer")
    assert result.exit_code != 0
    assert "class 3" in result.output
