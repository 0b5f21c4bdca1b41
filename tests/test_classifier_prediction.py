"""A classifier answers with the text of its likeliest label, from weights and from an adapter."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_prediction import ask
from tiny_student import LABELED, LABELS, PREDICT, a_classifier, make_encoder, train

from llm2llm.exceptions import ParamsError
from llm2llm.student.prediction import Asking, asking_key
from llm2llm.tasks.sections import StudentFormat

TEXTS, TARGETS = (list(column) for column in zip(*LABELED, strict=True))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one encoder for all tests here."""
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def students(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train one classifier by each method."""
    store = tmp_path_factory.mktemp("students")
    return {
        method: train(a_classifier(encoder, method=method, epochs=12), store)
        for method in ("full", "lora")
    }


def asking(encoder: Path, student: Path, **changes) -> Asking:
    """Describe a prediction; `changes` are of params, or of the asking itself."""
    params = {name: changes.pop(name) for name in list(changes) if hasattr(PREDICT, name)}
    student_format = StudentFormat(prompt="{{ input }}", chat=False)
    whole = Asking(
        TEXTS, TARGETS, student, encoder, student_format, PREDICT.model_copy(update=params), 1
    )
    return replace(whole, **changes)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_label_is_the_answer(
    encoder: Path, students: dict[str, Path], tmp_path: Path, method: str
) -> None:
    """What was learned is answered in input order, in batches as alone, with nothing generated."""
    together = ask(asking(encoder, students[method]), tmp_path)
    alone = ask(asking(encoder, students[method], batch_size=1), tmp_path)
    assert [generation.text for generation in together] == TARGETS
    assert together == alone
    assert {(generation.truncated, generation.n_tokens) for generation in together} == {(False, 0)}


def test_a_row_longer_than_the_context_is_cut_and_says_so(
    encoder: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """Of 64 positions none is overrun; the other rows of the batch are not marked."""
    texts = ["lots", "little " * 30, "little"]
    found = ask(asking(encoder, students["full"], inputs=texts), tmp_path)
    assert [generation.truncated for generation in found] == [False, True, False]
    assert {generation.text for generation in found} <= set(LABELS)


def test_a_classifier_is_not_run_by_vllm(encoder: Path, students: dict[str, Path]) -> None:
    """Asking for vLLM is refused before anything is loaded."""
    with pytest.raises(ParamsError, match="the student is a classifier"):
        asking_key(asking(encoder, students["lora"], engine="vllm"))
