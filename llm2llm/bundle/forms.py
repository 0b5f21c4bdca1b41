"""The forms of the set that trainers read: one JSON line for each example, in the set's order."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path

from llm2llm.bundle.layout import FORMS
from llm2llm.files import replacing
from llm2llm.ids import Json, canonical_json
from llm2llm.records.examples import Example


def line(form: str, example: Example) -> str:
    """Write one example as a line of a form, newline included.

    The input stands as it is, not in the student's prompt: who trains on it brings a template.
    """
    return canonical_json({"example_id": example.example_id, **_fields(form, example)}) + "\n"


def _fields(form: str, example: Example) -> Mapping[str, Json]:
    if form == "chat":
        return {
            "messages": [
                {"role": "user", "content": example.input},
                {"role": "assistant", "content": example.target},
            ]
        }
    if form == "prompt_completion":
        return {"prompt": example.input, "completion": example.target}
    if form == "alpaca":
        return {"instruction": example.input, "input": "", "output": example.target}
    if form == "sharegpt":
        return {
            "conversations": [
                {"from": "human", "value": example.input},
                {"from": "gpt", "value": example.target},
            ]
        }
    raise ValueError(f"no form {form!r}; there are {', '.join(FORMS)}")


def write_form(path: Path, form: str, examples: Iterable[Example]) -> None:
    """Write a whole form, a line at a time."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(line(form, example) for example in examples)


def first_difference(path: Path, form: str, examples: Iterable[Example]) -> tuple[int, str] | None:
    """Find the first line, from 1, that is not the example's, and that example's id.

    The id is empty for a line after the last example.
    """
    with path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
        for number, (found, example) in enumerate(zip_longest(stream, examples), start=1):
            if example is None:
                return number, ""
            if found != line(form, example):
                return number, example.example_id
    return None


def dataset_info(name: str, forms: Iterable[str]) -> dict[str, Json]:
    """Describe the forms as LLaMA-Factory's dataset_info.json does."""
    described: dict[str, dict[str, Json]] = {
        "alpaca": {
            "formatting": "alpaca",
            "columns": {"prompt": "instruction", "query": "input", "response": "output"},
        },
        "sharegpt": {"formatting": "sharegpt", "columns": {"messages": "conversations"}},
        "chat": {
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            },
        },
        "prompt_completion": {
            "formatting": "alpaca",
            "columns": {"prompt": "prompt", "response": "completion"},
        },
    }
    return {f"{name}_{form}": {"file_name": FORMS[form], **described[form]} for form in forms}
