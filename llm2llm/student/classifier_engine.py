"""Answers of a classifier: the text of the label with the highest logit."""

from collections.abc import Sequence
from pathlib import Path

from llm2llm.params.predict import PredictParams
from llm2llm.student.batch_memory import explained_batch
from llm2llm.student.compute import Device, set_up, uses_bf16
from llm2llm.student.engine import Question
from llm2llm.student.formatting import Template
from llm2llm.student.generating import Generation, batches_by_length
from llm2llm.student.loading import files_of, load_student, student_labels
from llm2llm.student.pretrained import context_of
from llm2llm.tasks.sections import StudentFormat


class ClassifierEngine:
    """A classifying student; a row longer than its context is cut there and marked truncated."""

    context: int | None = None

    def __init__(
        self,
        student: Path,
        base_folder: Path,
        student_format: StudentFormat,
        params: PredictParams,
        device: Device,
    ) -> None:
        set_up(device, params.threads)
        self._device = device
        self._bf16 = uses_bf16(params.precision, device)
        self._weights = lambda: files_of(student, base_folder)[0]
        self._model, self._tokenizer = load_student(
            student, base_folder, bf16=self._bf16, device=device
        )
        self._labels = student_labels(student)
        self._template = Template(student_format, self._tokenizer)
        self._params = params
        self._most_tokens = context_of(self._model)
        self.at_a_time = 2 if device == "cpu" and params.threads == 1 else 1

    def encode(self, inputs: Sequence[str]) -> list[list[int]]:
        """Turn inputs into rows of tokens."""
        return self._template.encode_texts(inputs)

    def count_target_tokens(self, targets: Sequence[str]) -> list[int]:
        """Count nothing: a label is not generated."""
        return [1 for _ in targets]

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Group rows of similar length."""
        return batches_by_length(lengths, self._params.batch_size)

    def answer(self, questions: Sequence[Question], max_new_tokens: int) -> list[Generation]:  # noqa: ARG002 - of the interface
        """Label one batch."""
        import torch

        rows = [self._cut(list(question.prompt)) for question in questions]
        width = max(len(row) for row in rows)
        pad = self._tokenizer.pad_token_id
        input_ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with (
            explained_batch(self._weights, len(rows), width, bf16=self._bf16, device=self._device),
            torch.inference_mode(),
        ):
            logits = self._model(
                input_ids=input_ids.to(self._model.device),
                attention_mask=mask.to(self._model.device),
            ).logits
        return [
            Generation(self._labels[best], len(row) < len(question.prompt), 0)
            for best, row, question in zip(logits.argmax(-1).tolist(), rows, questions, strict=True)
        ]

    def _cut(self, row: list[int]) -> list[int]:
        """Shorten a row to the context; its last token, which ends it, stays."""
        if self._most_tokens is None or len(row) <= self._most_tokens:
            return row
        return [*row[: self._most_tokens - 1], row[-1]]
