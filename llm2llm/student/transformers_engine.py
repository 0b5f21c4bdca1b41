"""Answers by transformers: batches sorted by length, padded on the left, fixed beforehand."""

from collections.abc import Sequence
from pathlib import Path

from llm2llm.params.predict import PredictParams
from llm2llm.student.batch_memory import explained_batch
from llm2llm.student.compute import Device, set_up, uses_bf16
from llm2llm.student.drawing import Noise
from llm2llm.student.engine import Question
from llm2llm.student.formatting import Template
from llm2llm.student.generating import Generation, batches_by_length, generate_batch
from llm2llm.student.loading import files_of, load_student
from llm2llm.tasks.sections import StudentFormat


class TransformersEngine:
    """A causal student in this process; its adapter is merged into the base."""

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
        self._template = Template(student_format, self._tokenizer)
        self._params = params
        config = getattr(self._model, "config", None)
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        # Two threads of one thread each: no byte depends on it.
        self.at_a_time = 2 if device == "cpu" and params.threads == 1 else 1

    def encode(self, inputs: Sequence[str]) -> list[list[int]]:
        """Turn inputs into prompts."""
        return self._template.encode_prompts(inputs)

    def count_target_tokens(self, targets: Sequence[str]) -> list[int]:
        """Count the tokens of targets, the end token included."""
        return self._template.count_target_tokens(targets)

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Group prompts of similar length; in bf16 a batch's rows depend on each other."""
        return batches_by_length(lengths, self._params.batch_size)

    def answer(self, questions: Sequence[Question], max_new_tokens: int) -> list[Generation]:
        """Answer one batch, greedily or drawn."""
        random_seeds = [q.random_seed for q in questions if q.random_seed is not None]
        n_tokens = max(len(question.prompt) for question in questions) + max_new_tokens
        with explained_batch(
            self._weights, len(questions), n_tokens, bf16=self._bf16, device=self._device
        ):
            return generate_batch(
                self._model,
                self._tokenizer,
                [question.prompt for question in questions],
                max_new_tokens=max_new_tokens,
                calculator=self._params.calculator,
                noise=Noise(random_seeds, self._params.temperature) if random_seeds else None,
            )
