"""The vllm teacher in this process, with random weights."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_llama import PLAIN, SCHEMA, make_llama
from vllm_inputs import MAX_MODEL_LEN, request, vllm_params

from llm2llm.tasks.sections import ResponseFormat
from llm2llm.teacher.protocol import Answer, Message, Refusal, TeacherStoppedError
from llm2llm.teacher.vllm import VllmTeacher
from llm2llm.teacher_prompts import response_schema

pytestmark = pytest.mark.timeout(300)


def answers(teacher: VllmTeacher, *requests) -> list[Answer]:
    """Ask a group of good requests."""
    outcomes = teacher.ask_group(requests)
    assert [type(outcome) for outcome in outcomes] == [Answer] * len(requests)
    return outcomes


def rendered(user: str) -> str:
    """Write the prompt that the model's own template makes."""
    return f"[system] Be brief.\n[user] {user}\n[assistant] "


def test_answers_come_in_the_order_of_the_requests(teacher: VllmTeacher) -> None:
    """Each prompt's length in tokens shows which request an answer belongs to."""
    users = ["a" * n for n in (40, 3, 90, 1, 17)]
    found = answers(teacher, *(request(user) for user in users))
    assert [answer.n_prompt_tokens for answer in found] == [len(rendered(user)) for user in users]


def test_an_answer_is_kept_as_it_came(teacher: VllmTeacher) -> None:
    """Text, counts and endings stand in `raw` too, with the exact version of vLLM."""
    import vllm

    (answer,) = answers(teacher, request(response_schema=SCHEMA))
    assert answer.teacher == "tiny-chat"
    assert answer.n_attempts == 1
    assert json.loads(answer.raw) == {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "stop_reason": None,
        "n_prompt_tokens": answer.n_prompt_tokens,
        "n_completion_tokens": answer.n_completion_tokens,
        "vllm": vllm.__version__,
    }


def test_an_answer_is_cut_where_the_context_ends(teacher: VllmTeacher) -> None:
    """A text that runs into the limit says so, with what there was."""
    (answer,) = answers(teacher, request("a" * (MAX_MODEL_LEN - len(rendered("")) - 4)))
    assert (answer.finish_reason, answer.n_completion_tokens) == ("length", 4)


def test_a_schema_holds_whatever_the_weights(teacher: VllmTeacher) -> None:
    """Forty draws under a schema are forty different texts, all JSON of that schema, unpadded."""
    found = answers(teacher, *(request(draw=draw, response_schema=SCHEMA) for draw in range(40)))
    assert [answer.finish_reason for answer in found] == ["stop"] * 40
    assert len({answer.text for answer in found}) > 35
    form = re.compile(r'{"question":"[A-Z][a-z ]{3,11}","kind":"(LOC|NUM)"}')
    assert [answer.text for answer in found if not form.fullmatch(answer.text)] == []


def test_a_candidate_is_json_whatever_the_weights(teacher: VllmTeacher) -> None:
    """The schema of a task holds for every answer that was not cut short."""
    schema = response_schema(ResponseFormat(kind="json", input="text", target=None, pattern=None))
    found = answers(teacher, *(request(draw=draw, response_schema=schema) for draw in range(60)))
    whole = [answer.text for answer in found if answer.finish_reason == "stop"]
    assert len(whole) > 5
    for text in whole:
        ((name, value),) = json.loads(text).items()
        assert (name, type(value)) == ("text", str)


def test_free_text_and_schemas_share_a_group(teacher: VllmTeacher) -> None:
    """Requests with different schemas, and with none, are answered together, each as it asked."""
    number = {"type": "integer", "minimum": 10, "maximum": 99}
    free, held, counted = answers(
        teacher, request(), request(response_schema=SCHEMA), request(response_schema=number)
    )
    assert not free.text.startswith("{")
    assert held.text.startswith('{"question":"')
    assert 10 <= int(counted.text) <= 99


def test_bad_requests_do_not_take_the_group_down(teacher: VllmTeacher) -> None:
    """Prompts too long, schemas unknown to the library: rows of their own among the answers."""
    good, long, fits_not, odd, last = teacher.ask_group(
        [
            request("first"),
            request("a" * (MAX_MODEL_LEN + 1)),
            # All of the context, and no room for an answer.
            request("a" * (MAX_MODEL_LEN - len(rendered("")))),
            request(response_schema={"type": "nonsense"}),
            request("last"),
        ]
    )
    assert isinstance(good, Answer)
    assert isinstance(last, Answer)
    for refusal, reason in ((long, "512 tokens"), (fits_not, "length 512"), (odd, "nonsense")):
        assert isinstance(refusal, Refusal)
        assert refusal.reason.startswith("bad request (")
        assert reason in refusal.reason
        assert refusal.teacher == "tiny-chat"
    assert good == answers(teacher, request("first"))[0]


def test_a_group_of_bad_requests_alone_is_answered(teacher: VllmTeacher) -> None:
    """Where nothing is left to generate the refusals come back all the same."""
    outcomes = teacher.ask_group([request("a" * 600), request("b" * 700)])
    assert [type(outcome) for outcome in outcomes] == [Refusal, Refusal]
    assert teacher.ask_group([]) == []


def test_a_request_gives_its_answer_again(teacher: VllmTeacher) -> None:
    """The same request gives the same text, alone or in a group."""
    alone = answers(teacher, request())
    grouped = answers(teacher, *(request(f"another {n}") for n in range(5)), request())
    assert alone[0] == grouped[-1]


def test_each_draw_samples_anew(teacher: VllmTeacher) -> None:
    """Another draw, seed example or random_seed samples other text for the same messages."""
    found = answers(
        teacher, request(), request(draw=1), request(seed_id="ex-2"), request(random_seed=1)
    )
    assert len({answer.text for answer in found}) == 4


STOPPED = """
import os, sys
from pathlib import Path
from vllm_inputs import request, vllm_params
from llm2llm.teacher.protocol import TeacherStoppedError
from llm2llm.teacher.vllm import VllmTeacher

template = sys.argv[2] if len(sys.argv) > 2 else None
params = vllm_params(Path(sys.argv[1]), chat_template=template)
try:
    VllmTeacher(params, set_default=os.environ.setdefault).ask_group([request()] * 2)
except TeacherStoppedError as failure:
    print("stopped:", failure)
"""


def stopped_in_child(*arguments: str) -> str:
    """Ask a model in a process of its own, as this one has its engine, and give the message."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("stopped:")]
    return said


def test_a_model_without_chat_template_needs_one(bare_model: Path) -> None:
    """The params must say how such a model is asked; the message names the key."""
    said = stopped_in_child(str(bare_model))
    assert "has no chat template; write" in said
    assert "`teacher_batch.vllm.chat_template`" in said


def test_an_engine_that_fails_keeps_nothing_of_the_group(tmp_path: Path) -> None:
    """Heads of 16, which vLLM finds too small for a CPU at its first step, end the stage."""
    said = stopped_in_child(str(make_llama(tmp_path / "odd", None, n_heads=4)), PLAIN)
    assert "vLLM failed on a group of 2 requests" in said
    assert "head_dim=16" in said
    assert "no answer of this group was kept" in said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"max_model_len": 100_000}, "max_model_len"),
        ({"quantization": "awq"}, "awq"),
        ({"tensor_parallel_size": 4}, "tensor parallel"),
    ],
)
def test_an_engine_that_cannot_start_is_one_sentence(
    chat_model: Path, changes: dict, reason: str
) -> None:
    """What vLLM cannot do with the model ends the stage with its reason and the section's name."""
    stopped = VllmTeacher(vllm_params(chat_model, **changes), set_default=os.environ.setdefault)
    with pytest.raises(TeacherStoppedError, match=r"as `teacher_batch\.vllm` says") as failure:
        stopped.ask_group([request()])
    assert reason in str(failure.value)
    assert "\n" not in str(failure.value)


def test_params_of_the_template_reach_vllm(teacher: VllmTeacher, chat_model: Path) -> None:
    """A template in the params goes before the model's own."""
    other = VllmTeacher(
        vllm_params(chat_model, chat_template=PLAIN), set_default=os.environ.setdefault
    )
    # A process has one engine, and a template belongs to the request.
    other._llm = teacher._llm
    (answer,) = answers(other, request("What is it?"))
    assert answer.n_prompt_tokens == len("Be brief.\n\nWhat is it?\n\n")


def test_empty_messages_are_refused(teacher: VllmTeacher, chat_model: Path) -> None:
    """A prompt that renders to nothing is a bad request."""
    other = VllmTeacher(
        vllm_params(chat_model, chat_template="{{ messages[0].content }}"),
        set_default=os.environ.setdefault,
    )
    other._llm = teacher._llm
    (refusal,) = other.ask_group([request(messages=(Message("user", ""),))])
    assert isinstance(refusal, Refusal)
    assert "empty" in refusal.reason


def test_a_template_that_fails_names_its_reason(teacher: VllmTeacher, chat_model: Path) -> None:
    """A template may refuse what it cannot show, such as a system message."""
    other = VllmTeacher(
        vllm_params(chat_model, chat_template="{{ raise_exception('no system role') }}"),
        set_default=os.environ.setdefault,
    )
    other._llm = teacher._llm
    (refusal,) = other.ask_group([request()])
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "bad request (no system role)"
