"""Early stopping and continuous training: what is looked at, kept and gone on from."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_student import (
    EXAMPLES,
    a_classifier,
    a_training,
    in_child,
    make_base,
    make_encoder,
    train,
)

from llm2llm.exceptions import StudentError
from llm2llm.params.train_iter import EarlyStoppingParams
from llm2llm.student.batches import set_sizes
from llm2llm.student.training_facts import training_key

DEV = [(f"dev {number}", "ba" * (1 + number % 3)) for number in range(6)]
STOP = EarlyStoppingParams(patience=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one base model for all tests here."""
    return make_base(tmp_path_factory.mktemp("base"))


def manifest(student: Path) -> dict:
    """Read a student's manifest."""
    return json.loads((student / "manifest.json").read_text())


def finished(store: Path) -> Path:
    """Find the one student of a store."""
    (student,) = store.glob("work/*/student")
    return student


def test_training_stops_and_keeps_the_best(base: Path, tmp_path: Path) -> None:
    """It ends two epochs after the lowest loss on dev, with the weights of that epoch."""
    stopped = train(
        a_training(
            base, epochs=20, schedule="constant", warmup_share=0, early_stopping=STOP, dev=DEV
        ),
        tmp_path,
    )
    seen = manifest(stopped)["early_stopping"]
    steps, losses = zip(*seen["dev_losses"], strict=True)
    assert list(steps) == [4 * (i + 1) for i in range(len(steps))]
    best = losses.index(min(losses))
    assert seen["best_update"] == steps[best]
    assert best == len(losses) - 3 < 17
    # A constant rate without warm-up makes a shorter training the beginning of a longer one.
    shorter = a_training(
        base, epochs=20, schedule="constant", n_updates=steps[best], warmup_share=0
    )
    alone = train(shorter, tmp_path)
    assert manifest(stopped)["checkpoint_sha256"] == manifest(alone)["checkpoint_sha256"]


def test_looking_at_dev_rows_changes_no_update(base: Path, tmp_path: Path) -> None:
    """With patience to the end, and the best at the end, the student is that without looking."""
    watched = train(a_training(base, early_stopping=STOP, dev=EXAMPLES), tmp_path)
    alone = train(a_training(base), tmp_path)
    assert manifest(watched)["early_stopping"]["best_update"] == 16
    assert manifest(watched)["checkpoint_sha256"] == manifest(alone)["checkpoint_sha256"]


@pytest.mark.parametrize("kind", ["causal", "classifier"])
def test_a_killed_training_stops_at_the_same_update(base: Path, tmp_path: Path, kind: str) -> None:
    """What was seen on dev is part of a training state; a kill changes no byte."""
    changes = {"epochs": 9, "schedule": "constant", "early_stopping": STOP}
    if kind == "causal":
        training = a_training(base, dev=DEV, **changes)
    else:
        dev = [("lots of", "LOW"), ("little", "LOW"), ("lots", "HIGH")]
        training = a_classifier(make_encoder(tmp_path / "encoder"), dev=dev, **changes)
    assert in_child(train, training, tmp_path / "clean") == 0
    last = manifest(finished(tmp_path / "clean"))["early_stopping"]["dev_losses"][-1][0]
    for kill_at in (7, last - 1, last):
        assert in_child(train, training, tmp_path / "killed", kill_at) == -9
    assert in_child(train, training, tmp_path / "killed") == 0
    names = ("manifest.json", "model.safetensors")
    clean, killed = finished(tmp_path / "clean"), finished(tmp_path / "killed")
    for name in names:
        assert (clean / name).read_bytes() == (killed / name).read_bytes()


def test_early_stopping_needs_dev_rows(base: Path, tmp_path: Path) -> None:
    """Without them the message names the param that gives some."""
    with pytest.raises(StudentError, match=r"subsample\.dev"):
        train(a_training(base, early_stopping=STOP), tmp_path)


def test_dev_rows_count_only_where_they_are_looked_at(base: Path) -> None:
    """Other dev rows name another training with early stopping, and the same one without."""
    assert training_key(a_training(base, dev=DEV)) == training_key(a_training(base))
    keys = {training_key(a_training(base, early_stopping=STOP, dev=dev)) for dev in (DEV, DEV[1:])}
    assert len(keys) == 2


def test_no_training_stage_reads_the_test_set() -> None:
    """The stages that train neither read the test rows nor depend on them."""
    root = Path(__file__).parent.parent
    for name in ("stages/train_iter", "stages/train_control", "llm2llm/training_stage"):
        assert "test" not in (root / f"{name}.py").read_text()
    for pipeline, name, after in (("dvc.yaml", "train-control", "predict-control"),
                                  ("stages/dvc.yaml", "train-iter", "predict")):  # fmt: skip
        text = (root / pipeline).read_text()
        stage = text[text.index(f"  {name}:") : text.index(f"  {after}:")]
        assert "split/dev.parquet" in stage
        assert "split/test" not in stage


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_continuous_training_goes_on_from_the_student_before(
    base: Path, tmp_path: Path, method: str
) -> None:
    """With a rate of nearly zero its weights are those it started from, not the base's."""
    first = train(a_training(base, method=method), tmp_path)
    training = a_training(base, method=method, continuous=True, start=first, learning_rate=1e-12)
    second = train(training, tmp_path)
    (mine,), (theirs,) = (list(folder.glob("*.safetensors")) for folder in (second, first))
    expected = load_file(theirs)
    for name, tensor in load_file(mine).items():
        assert (tensor - expected[name]).abs().max() < 1e-6, name
    assert manifest(second)["start"] == manifest(first)["checkpoint_sha256"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_killed_continuous_training_ends_in_the_same_bytes(
    base: Path, tmp_path: Path, method: str
) -> None:
    """SIGKILL and resume change nothing where the start is a student."""
    first = train(a_training(base, method=method, epochs=1), tmp_path / "first")
    training = a_training(base, method=method, continuous=True, start=first, epochs=2)
    assert in_child(train, training, tmp_path / "clean") == 0
    assert in_child(train, training, tmp_path / "killed", 5) == -9
    assert in_child(train, training, tmp_path / "killed") == 0
    checkpoints = {
        manifest(finished(tmp_path / n))["checkpoint_sha256"] for n in ("clean", "killed")
    }
    assert len(checkpoints) == 1


def test_the_start_counts_only_where_it_is_gone_on_from(base: Path, tmp_path: Path) -> None:
    """Another student before names another training if `continuous` is set, else the same."""
    first, other = (train(a_training(base, epochs=n), tmp_path) for n in (1, 2))
    keys = [
        training_key(a_training(base, continuous=True, start=start)) for start in (first, other)
    ]
    assert keys[0] != keys[1]
    assert training_key(a_training(base, start=first)) == training_key(a_training(base))


@pytest.mark.parametrize("change", ["base", "method", "tensors"])
def test_a_start_that_does_not_fit_is_refused(base: Path, tmp_path: Path, change: str) -> None:
    """A student of another base, of another method or with other tensors is not gone on from."""
    first = train(a_training(base, epochs=1), tmp_path)
    training = a_training(base, continuous=True, start=first)
    if change == "base":
        training = a_training(
            make_base(tmp_path / "b", random_seed=1), continuous=True, start=first
        )
    elif change == "method":
        training = a_training(base, method="lora", continuous=True, start=first)
    else:
        path = first / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(StudentError, match=r"expected (one trained with|them unchanged)"):
        train(training, tmp_path / "store")


def test_the_sizes_of_all_sets_are_read_from_the_last() -> None:
    """Seeds are in every set, an example from the one after its iteration on."""
    assert set_sizes([None, None, 0, 1, 1], 2) == [2, 3, 5]
