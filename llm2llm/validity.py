"""Decide whether a candidate is an example of the task at all."""

from llm2llm.answers import equal, extract
from llm2llm.arithmetic import check_annotations
from llm2llm.leakage.normalize import words
from llm2llm.parsing import Candidate
from llm2llm.tasks.sections import AnswerFormat, Validity


def invalid_reason(
    candidate: Candidate, seed_target: str, answer_format: AnswerFormat, validity: Validity
) -> str | None:
    """Say what keeps a candidate from being an example; None if nothing does."""
    if not words(candidate.input):
        return "the input holds no visible text"
    for name, text, most in (
        ("input", candidate.input, validity.max_input_chars),
        ("target", candidate.target, validity.max_target_chars),
    ):
        if len(text) > most:
            return f"the {name} has {len(text)} characters, more than {most}"
    answer = extract(answer_format, candidate.target)
    if answer is None:
        return f"no {answer_format.kind} can be read from the target"
    if validity.same_answer:
        seed_answer = extract(answer_format, seed_target)
        if seed_answer is None or not equal(answer_format, answer, seed_answer):
            return f"the answer {answer!r} is not the seed's, {seed_answer!r}"
    return check_annotations(candidate.target) if validity.arithmetic else None
