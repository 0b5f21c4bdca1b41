"""Prediction: in input order, the same in batches as alone, kept when it was killed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_student import EXAMPLES, FORMAT, PREDICT, a_training, in_child, make_base, train

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.files import read_json, write_json
from llm2llm.measuring import graded, graded_samples
from llm2llm.params.predict import PredictParams
from llm2llm.records.split import SplitRow
from llm2llm.student import transformers_engine
from llm2llm.student.base import describe_embedded, write_base
from llm2llm.student.generating import Generation, batches_by_length
from llm2llm.student.handover import write_weights
from llm2llm.student.pace import Pace, Progress
from llm2llm.student.prediction import Answered, Asking, answers, asking_key
from llm2llm.student.transformers_engine import TransformersEngine
from llm2llm.tasks.sections import AnswerFormat

EPOCHS = {"full": 20, "lora": 1}
INPUTS = [text + "!" * (7 * i % 11) for i, (text, _) in enumerate(EXAMPLES[:10])]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one base model for all tests here."""
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def students(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train one student by each method."""
    store = tmp_path_factory.mktemp("students")
    return {
        method: train(a_training(base, method=method, epochs=epochs), store)
        for method, epochs in EPOCHS.items()
    }


def asking(base: Path, student: Path, **changes) -> Asking:
    """Describe a prediction; `changes` are of params, or of the asking itself."""
    fields = PredictParams.model_fields
    params = {name: changes.pop(name) for name in list(changes) if name in fields}
    changed = PREDICT.model_copy(update=params)
    whole = Asking(INPUTS, ["abab"], student, base, FORMAT, changed, random_seed=5)
    return replace(whole, **changes)


def ask(asking: Asking, store: Path, kill_at: int | None = None) -> list[Generation]:
    """Predict; when `kill_at` answers are there this process kills itself."""
    return ask_all(asking, store, kill_at).greedy


def ask_all(asking: Asking, store: Path, kill_at: int | None = None) -> Answered:
    """Predict, and give the draws too."""

    def on_progress(progress: Progress) -> None:
        if progress.n_done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return answers(
        asking,
        store=store,
        set_default=lambda _name, _value: None,
        on_wait=lambda _: None,
        on_progress=on_progress,
    )


@pytest.mark.parametrize("method", ["full", "lora"])
def test_batches_answer_like_one_by_one(
    base: Path, students: dict[str, Path], tmp_path: Path, method: str
) -> None:
    """Sorting by length, padding and batching change neither answers nor their order."""
    together = ask(asking(base, students[method], max_new_tokens=12), tmp_path)
    alone = ask(asking(base, students[method], max_new_tokens=12, batch_size=1), tmp_path)
    assert together == alone
    assert len({generation.text for generation in together}) > 1


# transformers refuses to write the temperature, as nothing is drawn.
ASKED_FOR = {
    "repetition_penalty": 1.5,
    "num_beams": 4,
    "min_new_tokens": 5,
    "temperature": 0.6,
    "eos_token_id": [2, 100],
}


@pytest.mark.parametrize("method", EPOCHS)
def test_a_bases_generation_config_changes_no_answer(
    base: Path, students: dict[str, Path], tmp_path: Path, method: str
) -> None:
    """Neither training, answers nor export take penalties, beams and the like from its file."""
    asking_for = make_base(tmp_path / "base")
    write_json(asking_for / "model/generation_config.json", ASKED_FOR)
    write_base(asking_for, describe_embedded(asking_for / "model"))
    student = train(a_training(asking_for, method=method, epochs=EPOCHS[method]), tmp_path)
    plain = students[method]
    found, expected = (read_json(each / "manifest.json") for each in (student, plain))
    assert found["checkpoint_sha256"] == expected["checkpoint_sha256"]
    (tmp_path / "out").mkdir()
    write_weights(student, asking_for, tmp_path / "out", merge=True)
    exported = read_json(tmp_path / "out/generation_config.json")
    assert exported == read_json(students["full"] / "generation_config.json")
    wanted = ask(asking(base, plain, max_new_tokens=12), tmp_path / "plain")
    assert ask(asking(asking_for, student, max_new_tokens=12), tmp_path) == wanted
    if method == "full":
        write_json(student / "generation_config.json", ASKED_FOR)
        assert ask(asking(asking_for, student, max_new_tokens=12), tmp_path / "again") == wanted


def test_two_batches_at_a_time_answer_like_one(
    base: Path, students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU two threads answer; which is done first changes no answer and no file."""
    wanted = asking(base, students["full"], max_new_tokens=12, batch_size=3, calculator=True)
    together = ask(wanted, tmp_path / "two")
    made = TransformersEngine.__init__
    threads: list[int] = []

    def one_thread(self: TransformersEngine, *arguments: object) -> None:
        made(self, *arguments)
        threads.append(self.at_a_time)
        self.at_a_time = 1

    monkeypatch.setattr(TransformersEngine, "__init__", one_thread)
    assert ask(wanted, tmp_path / "one") == together
    assert threads == [2]
    (one,), (two,) = (list((tmp_path / name).rglob("*.parquet")) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_failure_ends_the_answering(
    base: Path, students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory in one batch: the others are not begun, and the message names the knob."""
    begun: list[int] = []

    def failing(*arguments: object, **options: object) -> list[Generation]:
        begun.append(len(begun))
        time.sleep(0.1 * (len(begun) > 1))
        raise MemoryError("no more")

    monkeypatch.setattr(transformers_engine, "generate_batch", failing)
    with pytest.raises(MachineError, match=r"no more.*about .* GiB.*`predict\.batch_size`"):
        ask(asking(base, students["full"], batch_size=1), tmp_path)
    assert len(begun) < len(INPUTS)
    assert not list(tmp_path.rglob("*.json"))


def test_truncated_says_that_no_end_token_came(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """A limit of two tokens cuts every answer; a long one lets the trained student end some."""
    short = ask(asking(base, students["full"], max_new_tokens=2), tmp_path)
    assert all(generation.truncated and generation.n_tokens == 2 for generation in short)
    ended = list(ask(asking(base, students["full"], max_new_tokens=30), tmp_path))
    whole = [generation for generation in ended if not generation.truncated]
    assert whole
    for generation in whole:
        assert generation.n_tokens == len(generation.text.encode()) + 1 <= 30


def test_the_default_limit_comes_from_the_seeds(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """It is 1.5 times the longest target, the end token included: 8 tokens for `abab`."""
    lora = ask(asking(base, students["lora"]), tmp_path)
    assert {generation.n_tokens for generation in lora if generation.truncated} == {8}


def test_a_killed_prediction_keeps_its_batches(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """After a kill the next process answers only the batches that are not there yet."""
    wanted = asking(base, students["full"], max_new_tokens=6)
    assert in_child(ask, wanted, tmp_path, 8) == -9
    (folder,) = tmp_path.glob("work/*/batches")
    kept = sorted(folder.iterdir())
    assert [path.name for path in kept] == ["000000.json", "000001.json"]
    first = kept[0]
    first.write_text(first.read_text().replace('"text": "', '"text": "kept '))
    resumed = ask(wanted, tmp_path)
    assert sum(generation.text.startswith("kept ") for generation in resumed) == 4
    clean = ask(wanted, tmp_path / "clean")
    assert [generation.text.removeprefix("kept ") for generation in resumed] == [
        generation.text for generation in clean
    ]


def test_answers_given_before_are_taken_without_torch(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """The second time the answers come from the store, and torch is not imported."""
    first = ask(asking(base, students["full"]), tmp_path)
    code = (
        "import sys; from pathlib import Path; from test_prediction import ask, asking\n"
        "before = {'torch', 'transformers'} & set(sys.modules)\n"
        f"again = ask(asking(Path({str(base)!r}), Path({str(students['full'])!r})),"
        f" Path({str(tmp_path)!r}))\n"
        "assert not {'torch', 'transformers'} & set(sys.modules), before\n"
        "print(len(again))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(len(first))


@pytest.mark.parametrize("field", sorted(PredictParams.model_fields))
def test_every_param_is_part_of_the_key(base: Path, students: dict[str, Path], field: str) -> None:
    """Changing one field of the section asks anew."""
    others = {
        "max_new_tokens": 9,
        "calculator": True,
        "test_rows": 3,
        "precision": "fp32",
        "device": "cuda",
        "batch_size": 5,
        "threads": 2,
        "engine": "transformers",
        "samples": 3,
        "temperature": 0.5,
        "vllm": PREDICT.vllm.model_copy(update={"tensor_parallel_size": 2}),
    }
    changed = asking(base, students["full"], **{field: others[field]})
    assert asking_key(changed) != asking_key(asking(base, students["full"]))


def test_the_key_names_inputs_limit_student_and_format(
    base: Path, students: dict[str, Path]
) -> None:
    """What else decides the answers is in their key."""
    one = asking(base, students["full"])
    keys = {
        asking_key(variant)
        for variant in (
            one,
            replace(one, inputs=INPUTS[:-1]),
            replace(one, targets=["abababab"]),
            replace(one, student=students["lora"]),
            replace(one, student_format=FORMAT.model_copy(update={"prompt": "{{ input }}"})),
        )
    }
    assert len(keys) == 5


def test_a_student_of_another_base_is_refused(students: dict[str, Path], tmp_path: Path) -> None:
    """An adapter is never put on a base model that it was not trained on."""
    other = make_base(tmp_path / "other", random_seed=1)
    with pytest.raises(StudentError, match="trained from a base model of digest"):
        ask(asking(other, students["lora"]), tmp_path)


def test_a_prompt_without_room_for_an_answer_is_refused(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """A prompt that fills the model's context is named by its length."""
    with pytest.raises(StudentError, match="longest prompt has 208 tokens"):
        ask(asking(base, students["full"], inputs=["x" * 200]), tmp_path)


def test_answers_end_with_the_models_context(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """Where the context leaves less room than the limit, answers are cut there and say so."""
    n_prompt = 1 + len("Q: \nA: ") + 113
    wanted = asking(base, students["lora"], inputs=["x" * 113], max_new_tokens=50)
    (generation,) = ask(wanted, tmp_path)
    assert (generation.truncated, generation.n_tokens) == (True, 128 - n_prompt)


def test_no_inputs_give_no_answers(base: Path, students: dict[str, Path], tmp_path: Path) -> None:
    """An empty split is nothing to ask."""
    assert ask(asking(base, students["full"], inputs=[]), tmp_path) == []


def test_draws_change_no_likeliest_answer_and_depend_on_no_batch(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """Greedy answers stay what they are; a draw is the same in any batch and any order."""
    drawn = {"max_new_tokens": 12, "samples": 4, "temperature": 2.0}
    greedy = ask(asking(base, students["full"], max_new_tokens=12), tmp_path)
    found = ask_all(asking(base, students["full"], **drawn), tmp_path)
    assert found.greedy == greedy
    assert [len(draws) for draws in found.drawn] == [4] * len(INPUTS)
    assert all(len({draw.text for draw in draws}) > 1 for draws in found.drawn)
    turned = ask_all(
        asking(base, students["full"], **drawn, batch_size=3, inputs=INPUTS[::-1]), tmp_path
    )
    assert turned.drawn == found.drawn[::-1]
    other = ask_all(asking(base, students["full"], **drawn, random_seed=6), tmp_path)
    assert other.greedy == greedy
    assert other.drawn != found.drawn


def test_without_draws_the_random_seed_is_no_part_of_the_key(
    base: Path, students: dict[str, Path]
) -> None:
    """Another random_seed asks anew exactly where something is drawn."""
    one = asking(base, students["full"])
    assert asking_key(replace(one, random_seed=6)) == asking_key(one)
    drawn = asking(base, students["full"], samples=2)
    assert asking_key(replace(drawn, random_seed=6)) != asking_key(drawn)


def test_killed_draws_go_on_to_the_same_bytes(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """A kill among the draws keeps what was drawn, and the file comes out the same."""
    wanted = asking(base, students["full"], max_new_tokens=6, samples=2)
    assert in_child(ask, wanted, tmp_path / "killed", 18) == -9
    (folder,) = (tmp_path / "killed").glob("work/*/batches")
    assert len(list(folder.iterdir())) == 5
    ask(wanted, tmp_path / "killed")
    ask(wanted, tmp_path / "clean")
    (one,), (two,) = (list((tmp_path / name).rglob("*.parquet")) for name in ("killed", "clean"))
    assert one.read_bytes() == two.read_bytes()


def test_samples_stand_row_by_row_with_their_verdicts() -> None:
    """Each draw is graded like a prediction, and counted from 0 within its row."""
    spec = AnswerFormat(kind="text", pattern=None, labels=None)
    splits = {
        "seed": [SplitRow("ex-1", "i", "t", "a", 1)],
        "dev": [],
        "test": [SplitRow("ex-3", "i", "t", "c", 1)],
    }
    draws = [[Generation("a", False, 2), Generation("b", True, 9)], [Generation("c", False, 2)] * 2]
    found = graded_samples(splits, draws, spec)
    assert [(s.split, s.example_id, s.draw, s.verdict, s.truncated) for s in found] == [
        ("seed", "ex-1", 0, "right", False),
        ("seed", "ex-1", 1, "wrong", True),
        ("test", "ex-3", 0, "right", False),
        ("test", "ex-3", 1, "right", False),
    ]


def test_a_pace_is_of_this_process_alone() -> None:
    """Tokens per second and time left count what was answered since the first call."""
    told: list[tuple[int, int, str]] = []
    clock = iter([100.0, 100.0, 104.0, 110.0])
    pace = Pace(lambda *progress: told.append(progress), lambda: next(clock))
    for progress in ((0, 130, 0, 0), (40, 130, 0, 0), (80, 130, 40, 800), (100, 130, 60, 1200)):
        pace(Progress(*progress))
    assert told == [
        (0, 130, ""),
        (40, 130, ""),
        (80, 130, "200 tokens/s, 0:05 left"),
        (100, 130, "120 tokens/s, 0:05 left"),
    ]


def test_batches_hold_prompts_of_similar_length() -> None:
    """Prompts are sorted by length, equal ones in input order."""
    assert batches_by_length([5, 1, 3, 1, 9], 2) == [[1, 3], [2, 0], [4]]


def test_predictions_stand_in_split_order() -> None:
    """Seeds, then dev, then test, each graded against its own gold answer."""
    spec = AnswerFormat(kind="text", pattern=None, labels=None)
    splits = {
        "test": [SplitRow("ex-3", "i", "t", "c", 1)],
        "dev": [],
        "seed": [SplitRow("ex-1", "i", "t", "a", 1), SplitRow("ex-2", "i", "t", "b", 2)],
    }
    generations = [Generation("a", False, 2), Generation("x", True, 9), Generation("c", False, 2)]
    found = graded(splits, generations, spec)
    assert [(p.split, p.example_id, p.verdict, p.truncated) for p in found] == [
        ("seed", "ex-1", "right", False),
        ("seed", "ex-2", "wrong", True),
        ("test", "ex-3", "right", False),
    ]
