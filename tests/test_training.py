"""Training: what the loss falls on, what is counted, and that a killed one ends the same."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_student import (
    EXAMPLES,
    FORMAT,
    TRAIN,
    a_classifier,
    a_training,
    in_child,
    make_base,
    make_encoder,
    train,
)

from llm2llm.exceptions import StudentError
from llm2llm.ids import canonical_json
from llm2llm.params.train_iter import EarlyStoppingParams, TrainIterParams
from llm2llm.student import training_facts
from llm2llm.student.batches import n_updates_for, plan_updates, split_update
from llm2llm.student.training import deliver
from llm2llm.student.training_facts import set_sha256, training_key


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one base model for all tests here."""
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one encoder, with dropout, for all tests here."""
    return make_encoder(tmp_path_factory.mktemp("encoder"), dropout=0.1)


def manifest(student: Path) -> dict:
    """Read a student's manifest."""
    return json.loads((student / "manifest.json").read_text())


def files(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def finished(store: Path) -> Path:
    """Find the one student of a store."""
    (student,) = store.glob("work/*/student")
    return student


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("kind", ["causal", "classifier"])
def test_a_killed_training_ends_in_the_same_bytes(
    base: Path, encoder: Path, tmp_path: Path, kind: str, method: str
) -> None:
    """SIGKILL at the first, at the last and at random updates changes no byte."""
    training = (
        a_training(base, method=method)
        if kind == "causal"
        else a_classifier(encoder, method=method)
    )
    assert in_child(train, training, tmp_path / "clean") == 0
    draw = random.Random(f"{kind} {method}")
    for kill_at in (1, *sorted(draw.sample(range(4, 16), 3)), 16):
        assert in_child(train, training, tmp_path / "killed", kill_at) == -9
    assert in_child(train, training, tmp_path / "killed") == 0
    assert files(finished(tmp_path / "killed")) == files(finished(tmp_path / "clean"))
    assert not list(tmp_path.glob("*/work/*/states"))


def test_a_killed_training_goes_on_and_does_not_start_again(base: Path, tmp_path: Path) -> None:
    """After a kill at update 8 only the updates from the state of 6 on are made."""
    training = a_training(base)
    assert in_child(train, training, tmp_path, 8) == -9
    seen = tmp_path / "seen"
    assert in_child(_note_updates, training, tmp_path, seen) == 0
    assert seen.read_text().split() == [str(step) for step in range(7, 17)]


def _note_updates(training, store: Path, seen: Path) -> None:
    from llm2llm.student.training import train_student

    with seen.open("w") as stream:
        train_student(
            training,
            store=store,
            checkpoint_every_steps=3,
            on_wait=lambda _: None,
            on_progress=lambda at: stream.write(f"{at.n_done}\n" if at.n_new else ""),
            use=lambda _student: None,
        )


def test_a_half_written_state_is_passed_over(base: Path, tmp_path: Path) -> None:
    """A newest state without its completion mark is deleted; the one before it counts."""
    training = a_training(base)
    assert in_child(train, training, tmp_path / "clean") == 0
    assert in_child(train, training, tmp_path / "killed", 7) == -9
    (newest,) = (tmp_path / "killed").glob("work/*/states/checkpoint-6")
    half = newest.with_name("checkpoint-9")
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert in_child(train, training, tmp_path / "killed") == 0
    assert files(finished(tmp_path / "killed")) == files(finished(tmp_path / "clean"))


def test_a_finished_training_is_taken_without_torch(base: Path, tmp_path: Path) -> None:
    """The second time the student comes from the store, and torch is not imported."""
    training = a_training(base)
    assert in_child(train, training, tmp_path) == 0
    code = (
        "import sys; from pathlib import Path; from tiny_student import a_training, train\n"
        f"print(train(a_training(Path({str(base)!r})), Path({str(tmp_path)!r})))\n"
        "assert not {'torch', 'transformers', 'peft'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(finished(tmp_path))


def test_the_loss_falls_on_target_and_end_token_only(base: Path) -> None:
    """In a batch every prompt and padding position is masked, and no other one."""
    from llm2llm.student.collating import causal_collator
    from llm2llm.student.formatting import Template
    from llm2llm.student.pretrained import load_base

    model, tokenizer = load_base(base)
    rows = Template(FORMAT, tokenizer).encode(["x", "longer one"], ["abc", "d"])
    batch = causal_collator(model)([rows])
    width = batch["input_ids"].shape[1]
    assert batch["labels"].shape[1] == batch["logits_to_keep"]
    first = width - batch["logits_to_keep"]
    for i, row in enumerate(rows):
        n = len(row.input_ids)
        assert batch["input_ids"][i, :n].tolist() == row.input_ids
        trained = batch["input_ids"][i][first:][batch["labels"][i] != -100].tolist()
        assert trained == row.input_ids[row.n_prompt :]
        kept = batch["labels"][i] != -100
        assert batch["labels"][i][kept].tolist() == trained
    assert tokenizer.decode(rows[0].input_ids[rows[0].n_prompt :]) == "abc</s>"


def test_the_loss_is_that_of_the_whole_sequence(base: Path) -> None:
    """Leaving out the logits before the first target changes neither loss nor gradient."""
    import torch

    from llm2llm.student.collating import causal_collator
    from llm2llm.student.formatting import Template
    from llm2llm.student.pretrained import load_base

    model, tokenizer = load_base(base)
    row = Template(FORMAT, tokenizer).encode(["question"], ["answer"])[0]
    short = model(**causal_collator(model)([[row]])).loss
    whole = model(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels])).loss
    assert torch.allclose(short, whole)


def test_micro_batches_change_the_memory_and_not_the_training(base: Path, tmp_path: Path) -> None:
    """Accumulating parts, empty ones too, gives the weights of whole batches but for rounding."""
    import torch
    from safetensors.torch import load_file

    whole = train(a_training(base, n_updates=6), tmp_path)
    parts = train(a_training(base, n_updates=6, micro_batch_size=1), tmp_path)
    theirs = load_file(parts / "model.safetensors")
    for name, tensor in load_file(whole / "model.safetensors").items():
        assert torch.allclose(tensor, theirs[name], atol=1e-4), name
    assert manifest(whole)["checkpoint_sha256"] != manifest(parts)["checkpoint_sha256"]


def test_a_training_leaves_torch_and_random_generators_as_they_were(
    base: Path, tmp_path: Path
) -> None:
    """What decides its bytes it sets for itself, and nobody after it in the process sees that."""
    import numpy
    import torch

    def settings() -> tuple[object, ...]:
        return (
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            random.getstate(),
            numpy.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
        )

    begun = settings()
    try:
        torch.set_num_threads(3)
        torch.use_deterministic_algorithms(False)
        before = settings()
        one = train(a_training(base, n_updates=2), tmp_path / "one")
        assert settings() == before
        random.random(), numpy.random.random(), torch.rand(1)
        two = train(a_training(base, n_updates=2), tmp_path / "two")
    finally:
        torch.set_num_threads(begun[0])
        torch.use_deterministic_algorithms(begun[1], warn_only=begun[2])
    assert manifest(one)["checkpoint_sha256"] == manifest(two)["checkpoint_sha256"]


def test_rows_too_long_are_left_out_and_counted(base: Path, tmp_path: Path) -> None:
    """The manifest counts the rows over the limit, and the others' tokens."""
    student = train(a_training(base, max_tokens=24, epochs=1), tmp_path)
    counts = manifest(student)["counts"]
    lengths = [1 + len(f"Q: {i}\nA: ") + len(t) + 1 for i, t in EXAMPLES]
    fitting = [length for length in lengths if length <= 24]
    assert counts["examples"] == len(EXAMPLES)
    assert counts["examples_too_long"] == len(EXAMPLES) - len(fitting) > 0
    assert counts["tokens"] == sum(fitting)


def test_the_default_limit_is_the_longest_row(base: Path, tmp_path: Path) -> None:
    """Without a limit nothing is left out, and the manifest says how long the longest row is."""
    student = train(a_training(base, epochs=1), tmp_path)
    written = manifest(student)
    assert written["counts"]["examples_too_long"] == 0
    assert written["max_tokens"] == max(1 + len(f"Q: {i}\nA: ") + len(t) + 1 for i, t in EXAMPLES)
    assert written["set_sha256"] == set_sha256(EXAMPLES)
    assert str(tmp_path) not in canonical_json(written)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": []}, "no examples"),
        ({"max_tokens": 5}, "all 22 examples are longer than 5 tokens"),
        ({"learning_rate": 1e30, "max_grad_norm": None}, "loss of"),
        (
            {
                "method": "lora",
                "lora": TRAIN.lora.model_copy(update={"target_modules": ["nowhere"]}),
            },
            "target_modules",
        ),
    ],
    ids=["no rows", "all too long", "loss no number", "no such module"],
)
def test_what_cannot_be_trained_is_said(
    base: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    """Each failure is a StudentError that names what was found, and leaves no student."""
    with pytest.raises(StudentError, match=message):
        train(a_training(base, **changes), tmp_path)
    assert not list(tmp_path.glob("work/*/student/complete"))


@pytest.mark.parametrize("field", sorted(set(TrainIterParams.model_fields) - {"lora"}))
def test_every_param_is_part_of_the_key(
    base: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """Changing one field of the section names another training."""
    # bitsandbytes is an extra of its own.
    versions = dict.fromkeys(("bitsandbytes", "torch"), "1")
    monkeypatch.setattr(training_facts, "package_versions", lambda _quantized: versions)
    others = {
        "method": "lora",
        "schedule": "cosine",
        "precision": "fp32",
        "device": "cuda",
        "max_grad_norm": None,
        "micro_batch_size": 3,
        "max_tokens": 50,
        "length_grouped": False,
        "gradient_checkpointing": True,
        "kind": "classifier",
        "continuous": True,
        "early_stopping": EarlyStoppingParams(patience=1),
        "quantize": "nf4",
    }
    answer = a_classifier(base).answer_format
    other = others[field] if field in others else getattr(TRAIN, field) * 2
    assert training_key(a_training(base, answer_format=answer, **{field: other})) != training_key(
        a_training(base, answer_format=answer)
    )


def test_the_key_names_set_base_format_seed_and_updates(base: Path, tmp_path: Path) -> None:
    """What else decides a training is in its key; LoRA's settings are for LoRA only."""
    another = make_base(tmp_path / "other", random_seed=1)
    lora = TRAIN.lora.model_copy(update={"rank": 2})
    keys = {
        training_key(training)
        for training in (
            a_training(base),
            a_training(base, examples=EXAMPLES[:-1]),
            a_training(another),
            a_training(base, student_format=FORMAT.model_copy(update={"prompt": "{{ input }}"})),
            a_training(base, random_seed=2),
            a_training(base, n_updates=5),
            a_training(base, method="lora"),
            a_training(base, method="lora", lora=lora),
        )
    }
    assert len(keys) == 8
    assert training_key(a_training(base, lora=lora)) == training_key(a_training(base))


def test_delivered_files_are_those_of_the_store(base: Path, tmp_path: Path) -> None:
    """A stage's output has every file but the completion mark."""
    student = train(a_training(base, epochs=1), tmp_path)
    deliver(student, tmp_path / "out")
    expected = files(student)
    del expected["complete"]
    assert files(tmp_path / "out") == expected


@pytest.mark.parametrize("length_grouped", [True, False])
def test_an_epoch_takes_every_example_once(length_grouped: bool) -> None:
    """Batches of an epoch differ by one example at most, and epochs differ in order."""
    lengths = [10 + (7 * i) % 13 for i in range(45)]
    plan = plan_updates(
        lengths, batch_size=8, n_updates=14, length_grouped=length_grouped, random_seed=3
    )
    assert len(plan) == 14
    first, second, rest = plan[:6], plan[6:12], plan[12:]
    for epoch in (first, second):
        assert sorted(index for batch in epoch for index in batch) == list(range(45))
        assert {len(batch) for batch in epoch} == {7, 8}
    assert first != second
    assert len(rest) == 2
    spread = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in first]
    assert (sum(spread) / len(spread) < 5) is length_grouped


def test_updates_are_counted_by_epoch() -> None:
    """45 examples in batches of 8 are 6 updates an epoch."""
    assert n_updates_for(45, 8, 4) == 24


def test_an_update_is_split_into_as_many_parts_as_asked() -> None:
    """Too few examples leave empty parts, and none is lost."""
    assert split_update([4, 5, 6, 7, 8], 4) == [[4, 5], [6, 7], [8], []]
    assert split_update([4], 2) == [[4], []]
