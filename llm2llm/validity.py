"""Decide whether what a teacher wrote holds an example of the task at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llm2llm.answers import equal, extract, why_unreadable
from llm2llm.arithmetic import check_annotations
from llm2llm.leakage.normalize import words
from llm2llm.params.loading import load_section
from llm2llm.parsing import Candidate, Unparsable, parse_candidates
from llm2llm.tasks.sections import AnswerFormat, ResponseFormat, TeacherPrompt, Validity


@dataclass(frozen=True, slots=True)
class Criteria:
    """The parts of a task that say how a response is read and what holds in it."""

    response: ResponseFormat
    answer: AnswerFormat
    validity: Validity


def load_criteria(task: Path) -> Criteria:
    """Read the criteria from a task file; raises ParamsError."""
    return Criteria(
        load_section(task, "teacher", TeacherPrompt).response,
        load_section(task, "answer", AnswerFormat),
        load_section(task, "validity", Validity),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """A candidate of a response, or none in it; `gate` and `reason` say what it fails, if any."""

    candidate: Candidate | None
    gate: str | None = None
    reason: str | None = None


def read_response(
    text: str, finish_reason: str | None, seed: Candidate, criteria: Criteria
) -> list[Reading]:
    """Read a response to a request about a seed: at least one reading, in order.

    Only the first candidate can be valid, since one was asked for.
    """
    if finish_reason == "length":
        return [Reading(None, "parse", "the response was cut off at its length limit")]
    parsed = parse_candidates(text, criteria.response, seed.target, criteria.answer.fields)
    if isinstance(parsed, Unparsable):
        return [Reading(None, "parse", parsed.reason)]
    readings = []
    for place, candidate in enumerate(parsed):
        reason = invalid_reason(candidate, seed, criteria.answer, criteria.validity)
        if place > 0:
            reason = "one example was asked for, and this is a further one in its response"
        readings.append(Reading(candidate, "validity" if reason else None, reason))
    return readings


def invalid_reason(
    candidate: Candidate, seed: Candidate, answer_format: AnswerFormat, validity: Validity
) -> str | None:
    """Say what keeps a candidate from being an example; None if nothing does."""
    found = words(candidate.input)
    if not found:
        return "the input holds no visible text"
    if found == words(seed.input):
        return "the input is its seed's, word for word"
    for name, text, most in (
        ("input", candidate.input, validity.max_input_chars),
        ("target", candidate.target, validity.max_target_chars),
    ):
        if len(text) > most:
            return f"the {name} has {len(text)} characters, more than {most}"
    answer = extract(answer_format, candidate.target)
    if answer is None:
        return why_unreadable(answer_format, candidate.target)
    if validity.same_answer:
        seed_answer = extract(answer_format, seed.target)
        if seed_answer is None or not equal(answer_format, answer, seed_answer):
            return f"the answer {answer!r} is not the seed's, {seed_answer!r}"
    return check_annotations(candidate.target) if validity.arithmetic else None


def solution_text(text: str | None, finish_reason: str | None) -> str | None:
    """Give the text of a solution, or null where it was cut off, and its end may be missing."""
    return None if finish_reason == "length" else text


def outvoted_reason(
    candidate: Candidate, solutions: Sequence[str | None], answer_format: AnswerFormat
) -> str | None:
    """Say how a candidate lost the vote of its solutions; None if more than half agree with it.

    A solution is the text that a request to solve it brought, null where it brought none.
    """
    agreeing = n_agreeing(candidate, solutions, answer_format)
    if 2 * agreeing > len(solutions):
        return None
    answers = [None if text is None else extract(answer_format, text) for text in solutions]
    others = ", ".join("none" if answer is None else repr(answer) for answer in answers)
    own = extract(answer_format, candidate.target)
    return f"{agreeing} of {len(solutions)} solutions give its answer {own!r}: {others}"


def n_agreeing(
    candidate: Candidate, solutions: Sequence[str | None], answer_format: AnswerFormat
) -> int:
    """Count the solutions, as `outvoted_reason` takes them, that give the candidate's answer."""
    own = extract(answer_format, candidate.target)
    answers = [None if text is None else extract(answer_format, text) for text in solutions]
    return sum(
        answer is not None and own is not None and equal(answer_format, answer, own)
        for answer in answers
    )
