"""Render what a teacher is told about one seed, or about one candidate to solve."""

from collections.abc import Sequence

from llm2llm.ids import Json, sha256_json
from llm2llm.json_answers import json_schema
from llm2llm.parsing import Candidate
from llm2llm.prompts import render
from llm2llm.records.errors import SeedError
from llm2llm.tasks.sections import AnswerField, ResponseFormat, TeacherPrompt
from llm2llm.teacher.protocol import Message, TeacherRequest


def prompt_sha256(prompt: TeacherPrompt) -> str:
    """Name the templates and switches behind a request."""
    return sha256_json(prompt.model_dump())


def response_schema(
    response_format: ResponseFormat, target_fields: Sequence[AnswerField] | None = None
) -> dict[str, Json] | None:
    """Write the JSON schema of one candidate: an object, all required; null for text.

    Its values are texts, but for a target of `target_fields`, which is an object of its own.
    """
    if response_format.kind == "text":
        return None
    names = [response_format.input]
    if response_format.target is not None:
        names.append(response_format.target)
    properties: dict[str, Json] = {name: {"type": "string"} for name in names}
    if target_fields and response_format.target is not None:
        properties[response_format.target] = json_schema(target_fields)
    return {
        "type": "object",
        "properties": properties,
        "required": [*names],
        "additionalProperties": False,
    }


def ask_to_write(
    error: SeedError,
    seed: Candidate,
    earlier: Sequence[str],
    *,
    prompt: TeacherPrompt,
    draw: int,
    random_seed: int,
    target_fields: Sequence[AnswerField] | None = None,
) -> TeacherRequest:
    """Make the request, still without an id, for a new example like a seed.

    `target_fields` are those of a task whose answers are JSON objects.
    """
    fields: dict[str, str | Sequence[str] | None] = {
        "input": seed.input,
        "target": seed.target,
        "student_text": error.text if prompt.show_student_text else None,
        "earlier": list(earlier) if prompt.show_earlier and earlier else None,
    }
    messages = []
    if prompt.system is not None:
        messages.append(Message("system", render(prompt.system, **fields)))
    if prompt.exchange is not None:
        messages.append(Message("user", prompt.exchange.user))
        messages.append(Message("assistant", prompt.exchange.assistant))
    messages.append(Message("user", render(prompt.user, **fields)))
    return TeacherRequest(
        request_id="",
        seed_id=error.seed_id,
        purpose="write",
        about=None,
        draw=draw,
        random_seed=random_seed,
        messages=tuple(message for message in messages if message.content),
        seed_input=seed.input,
        seed_target=seed.target,
        response_schema=response_schema(prompt.response, target_fields),
    )


def ask_to_solve(
    candidate: Candidate, about: TeacherRequest, *, template: str, draw: int
) -> TeacherRequest:
    """Make the request, still without an id, to solve what the request `about` brought.

    Its answer is free text.
    """
    return TeacherRequest(
        request_id="",
        seed_id=about.seed_id,
        purpose="solve",
        about=about.request_id,
        draw=draw,
        random_seed=about.random_seed,
        messages=(Message("user", render(template, input=candidate.input)),),
        seed_input=candidate.input,
        seed_target="",
        response_schema=None,
    )
