"""The model card of an exported student."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from llm2llm.answer_verdicts import by_split, in_words, names_of
from llm2llm.grading import Accuracy
from llm2llm.lineage.students import Student
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.student.base import Base
from llm2llm.tasks.sections import StudentFormat


def model_card(
    student: Student,
    manifest: Mapping[str, Any],
    base: Base,
    student_format: StudentFormat,
    *,
    task: str,
    citation: str,
    is_adapter: bool,
    judgments: Sequence[AnswerJudgment] = (),
) -> str:
    """Write README.md with the Hub's YAML header; equal facts give equal bytes.

    `judgments` are those of this student's answers, empty where answers were compared.
    """
    classifies = manifest.get("kind") == "classifier"
    header = {
        "base_model": base.model if base.kind == "hub" else None,
        "library_name": "peft" if is_adapter else "transformers",
        "pipeline_tag": "text-classification" if classifies else "text-generation",
        "license": "unknown",
        "tags": ["llm2llm"],
    }
    told = yaml.safe_dump(
        {name: value for name, value in header.items() if value is not None}, sort_keys=False
    )
    parts = [
        f"# {task}, student of iteration {student.iteration}",
        f"Trained by llm2llm from pretrained weights; {student.chosen_by} of its run.",
        "## Origin",
        _origin(manifest, base, is_adapter),
        "## Accuracy",
        _accuracies(student.accuracy, judgments),
        "## Use",
        _use(student_format, base, is_adapter, manifest.get("labels")),
        "## License",
        "Nobody has declared a license. These weights derive from the base model, whose license"
        " goes on to hold, and from the training set: the terms of its seeds and of the teacher"
        " that wrote the other examples apply too.",
        "## Citation",
        citation,
    ]
    return f"---\n{told}---\n\n" + "\n\n".join(parts) + "\n"


def _origin(manifest: Mapping[str, Any], base: Base, is_adapter: bool) -> str:
    revision = f" at {base.revision}" if base.revision else ""
    counts = manifest["counts"]
    return "\n".join(
        [
            f"- base model: {base.model}{revision}, digest `{base.digest}`",
            f"- weights: {'LoRA adapter' if is_adapter else 'whole'}, of checkpoint"
            f" `{manifest['checkpoint_sha256']}`",
            f"- training set: {counts['examples']} examples, hash `{manifest['set_sha256']}`",
            f"- {manifest['n_updates']} updates, method {manifest['params']['method']}, random_seed"
            f" {manifest['random_seed']}",
        ]
    )


def _accuracies(accuracies: Mapping[str, Accuracy], judgments: Sequence[AnswerJudgment]) -> str:
    lines = ["| rows | right | 95 % interval (Wilson) | unparsable |", "|---|---|---|---|"]
    for split, found in accuracies.items():
        if found.n:
            lines.append(
                f"| {found.n} {split} | {100 * found.share:.1f} %"
                f" | {100 * found.low:.1f} to {100 * found.high:.1f} % | {found.n_unparsable} |"
            )
    lines.append("")
    lines.append("The seed rows were trained on. The test rows were used to measure alone.")
    if by_split(judgments):
        counts = [
            f"{sum(each.values())} to {split} rows ({in_words(each)})"
            for split, each in by_split(judgments).items()
        ]
        lines.append(
            "Answers are free text: one that was not equal to its reference is right where a model,"
            f" {names_of(judgments)}, said yes. It was asked about {', '.join(counts)}."
        )
    return "\n".join(lines)


def _use(
    student_format: StudentFormat, base: Base, is_adapter: bool, labels: list[str] | None
) -> str:
    """Say how to ask the student; `labels` are a classifier's, in the order of its logits."""
    indented = "\n".join(
        f"    {line}".rstrip() for line in student_format.prompt.splitlines() or [""]
    )
    lead = "as the user's turn of the chat template" if student_format.chat else "as plain text"
    parts = [
        "`llm2llm predict FILE --student THIS_FOLDER` asks it as it was trained: with the prompt",
        indented,
        f"{lead}.",
    ]
    auto = "AutoModelForCausalLM" if labels is None else "AutoModelForSequenceClassification"
    given = "THIS_FOLDER"
    if is_adapter and labels is not None:
        # The base's configuration, which is read first, knows of another head.
        given += f", id2label={dict(enumerate(labels))}"
    parts.append("In transformers, with peft installed:" if is_adapter else "In transformers:")
    parts.append(f"    {auto}.from_pretrained({given})")
    if is_adapter:
        parts.append("The base is found by `adapter_config.json`.")
        if base.kind == "path":
            parts.append("It is a folder of the machine that exported it.")
    if labels is None:
        served = "BASE --enable-lora --lora-modules it=THIS_FOLDER" if is_adapter else "THIS_FOLDER"
        parts.append(f"In vLLM: `vllm serve {served}`.")
    return "\n\n".join(part.strip("\n") for part in parts)
