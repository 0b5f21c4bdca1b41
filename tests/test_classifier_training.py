"""A classifier as a student: its labels, its loss, its files."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_student import LABELED, LABELS, a_classifier, make_base, make_encoder, train

from llm2llm.exceptions import StudentError
from llm2llm.student import trainer_run
from llm2llm.student.classes import Labeled, labeled
from llm2llm.student.collating import class_collator, class_loss
from llm2llm.student.formatting import Template
from llm2llm.student.pretrained import context_of, load_classifier
from llm2llm.student.training_facts import training_key
from llm2llm.tasks.sections import StudentFormat


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one encoder without dropout for all tests here."""
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def manifest(student: Path) -> dict:
    """Read a student's manifest."""
    return json.loads((student / "manifest.json").read_text())


def classes(model, tokenizer, texts: list[str]) -> list[str]:
    """Let a classifier answer."""
    model.eval()
    with torch.no_grad():
        rows = [
            model(input_ids=torch.tensor([tokenizer(text)["input_ids"]])).logits[0]
            for text in texts
        ]
    return [LABELS[int(row.argmax())] for row in rows]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_trained_classifier_loads_and_answers(encoder: Path, tmp_path: Path, method: str) -> None:
    """It has learned its examples, and its manifest names kind and labels in order."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    student = train(a_classifier(encoder, method=method, epochs=12), tmp_path)
    written = manifest(student)
    assert (written["kind"], written["labels"]) == ("classifier", LABELS)
    assert written["counts"]["examples"] == len(LABELED)
    model, tokenizer = load_classifier(encoder, LABELS)
    if method == "full":
        model = AutoModelForSequenceClassification.from_pretrained(student)
        assert model.config.id2label == dict(enumerate(LABELS))
    else:
        model = PeftModel.from_pretrained(model, str(student)).merge_and_unload()
    texts, targets = zip(*LABELED, strict=True)
    assert classes(model, tokenizer, list(texts)) == list(targets)


def test_an_adapter_brings_the_parts_that_its_base_lacks(tmp_path: Path) -> None:
    """A pooler that the base lacks is trained whole and saved: loading draws none at random."""
    from peft import PeftModel

    base = make_encoder(tmp_path / "base", pooler=False)
    student = train(a_classifier(base, method="lora", epochs=12), tmp_path)
    assert any(
        "pooler.dense.weight" in name for name in load_file(next(student.glob("*.safetensors")))
    )
    logits = []
    for random_seed in (1, 2):
        torch.manual_seed(random_seed)
        model, tokenizer = load_classifier(base, LABELS)
        model = PeftModel.from_pretrained(model, str(student)).eval()
        ids = torch.tensor([tokenizer(LABELED[0][0])["input_ids"]])
        logits.append(model(input_ids=ids).logits)
    assert torch.equal(*logits)


def test_a_decoder_can_classify_too(tmp_path: Path) -> None:
    """A causal model gets a head over each row's last token; padding is told from tokens."""
    base = make_base(tmp_path / "base")
    student = train(a_classifier(base, epochs=12), tmp_path)
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(student)
    _, tokenizer = load_classifier(base, LABELS)
    texts, targets = zip(*LABELED, strict=True)
    assert classes(model, tokenizer, list(texts)) == list(targets)


def test_an_update_weighs_every_row_the_same(encoder: Path) -> None:
    """The loss of uneven micro-batches, an empty one too, adds up to that of the whole update."""
    model, tokenizer = load_classifier(encoder, LABELS)
    model.eval()
    rows = labeled(
        Template(StudentFormat(prompt="{{ input }}", chat=False), tokenizer),
        LABELED[:5],
        a_classifier(encoder).answer_format,
    )
    collate = class_collator(tokenizer.pad_token_id, None)

    def loss(part: list[Labeled]):
        batch = collate([part])
        labels = batch.pop("labels")
        return class_loss(model(**batch), labels, 5)

    parts = loss(rows[:3]) + loss(rows[3:]) + loss([])
    assert torch.allclose(parts, loss(rows))
    single = [
        torch.nn.functional.cross_entropy(
            model(input_ids=torch.tensor([row.input_ids])).logits, torch.tensor([row.label])
        )
        for row in rows
    ]
    assert torch.allclose(loss(rows), torch.stack(single).mean(), atol=1e-6)


def test_halves_and_micro_batches_change_rounding_only(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In halves, in parts or as a whole: the same weights but for rounding."""
    halved = train(a_classifier(encoder, n_updates=6), tmp_path)
    parts = train(a_classifier(encoder, n_updates=6, micro_batch_size=2), tmp_path)
    monkeypatch.setattr(trainer_run, "Halves", _Whole)
    whole = train(a_classifier(encoder, n_updates=6), tmp_path / "whole")
    expected = load_file(whole / "model.safetensors")
    for student in (halved, parts):
        for name, tensor in load_file(student / "model.safetensors").items():
            assert torch.allclose(tensor, expected[name], atol=1e-4), name


class _Whole:
    """Computes a batch as transformers does."""

    def __init__(self, *_: object) -> None:
        pass

    def backward(self, batch, loss_of):
        loss = loss_of(batch)
        loss.backward()
        return loss.detach()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer_format": None}, "no labels"),
        ({"examples": [*LABELED, ("text", "MIDDLE")]}, "example 23 has the target 'MIDDLE'"),
        ({"student_format": StudentFormat(prompt="{{ input }}", chat=True)}, "without turns"),
        ({"max_tokens": 3}, "all 22 examples are longer than 3 tokens"),
    ],
    ids=["no labels", "no such label", "chat", "all too long"],
)
def test_what_cannot_be_classified_is_said(
    encoder: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    """Each failure names what was found, and leaves no student."""
    with pytest.raises(StudentError, match=message):
        train(a_classifier(encoder, **changes), tmp_path)
    assert not list(tmp_path.glob("work/*/student/complete"))


def test_rows_over_the_context_are_counted(encoder: Path, tmp_path: Path) -> None:
    """A text longer than the encoder reads is left out and counted, not cut."""
    training = a_classifier(encoder, examples=[*LABELED, ("x" * 80, "LOW")], epochs=1)
    written = manifest(train(training, tmp_path))
    assert written["counts"]["examples_too_long"] == 1
    assert written["max_tokens"] == 64


def test_the_order_of_the_labels_is_part_of_the_key(encoder: Path) -> None:
    """Labels in another order, or another label, name another training."""
    training = a_classifier(encoder)
    turned, more = (
        a_classifier(
            encoder, answer_format=training.answer_format.model_copy(update={"labels": labels})
        )
        for labels in (LABELS[::-1], [*LABELS, "NEW"])
    )
    assert len({training_key(one) for one in (training, turned, more)}) == 3


def test_the_first_positions_of_roberta_do_not_count() -> None:
    """Its positions begin behind the padding token's, which leaves two less than the table has."""
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

    sizes = {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1,
             "intermediate_size": 8, "vocab_size": 9}  # fmt: skip
    assert context_of(BertModel(BertConfig(max_position_embeddings=64, **sizes))) == 64
    roberta = RobertaConfig(max_position_embeddings=66, pad_token_id=1, **sizes)
    assert context_of(RobertaModel(roberta)) == 64
