"""A small, fully consistent made-up run, written with the records and the merge of real ones."""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from llm2llm.files import read_json, write_json, write_records
from llm2llm.grading import seed_errors
from llm2llm.ids import Json, canonical_json, example_id, sha256_file, sha256_json
from llm2llm.merging import Iteration, history_entry, merge
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.samples import Sample
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.records.state import SeedState

PARAMS = """\
iterations: {n}
random_seed: 7
task: task.yaml
report:
  n_examples_shown: 4
  n_closest_shown: 5
  n_suspects_shown: 5
  n_table_examples: 1000
  n_table_characters: 1000
base_model: {model: embedded}
subsample: {train: train.jsonl}
sets:
  exclude: []
teacher_batch: {backend: symbolic, replay: false, solves: 0}
dedupe_against_test:
  gates: [exact, coverage, rouge, masked, duplicate]
  ngram_words: 5
  extra_words: 2
  coverage: {default: 0.5, strictest: 0.5}
  rouge: {default: 0.85, strictest: 0.7}
  masked: {default: 0.9, strictest: 0.85}
  embedding: {default: 0.9, strictest: 0.8, encoder: packaged, revision: null, window_words: null}
  loosest: 0.95
  flag_rate: 0.005
  calibration_rows: 0
  duplicate_cut: 0.95
  n_planted: 5
export:
  name: made-up
  version: 1.2.3
  formats: [parquet, chat, prompt_completion, alpaca, sharegpt]
  augmented_only: false
  rejected_text_below: 0.7
  exclude: []
  card:
    seeds_file: train.jsonl
    title: A made-up run
    description: Rows that tests made up.
    language: en
    task_category: text-generation
    license: mit
    license_url: https://opensource.org/license/mit
    seeds_source: tests
    seeds_license: mit
    teacher_terms: {teacher-1: none}
    creator: The tests
    url: https://example.org/made-up
    date_published: "2026-01-31"
    citation: null
"""
TASK = Path(__file__).resolve().parent.parent / "llm2llm" / "tasks" / "gsm8k.yaml"

# Per seed, what students 0, 1 and 2 make of it.
VERDICTS = (
    ("wrong", "right", "right"),  # 0: fixed in iteration 1
    ("wrong", "unparsable", "wrong"),  # 1: never right
    ("right", "wrong", "right"),  # 2: broke in iteration 1, fixed in 2
    ("right", "right", "wrong"),  # 3: broke in iteration 2
    ("wrong", "wrong", "right"),  # 4: fixed in iteration 2
)
TEST_RIGHT = (1, 2, 3)  # of four test items, by student
CONTROL_RIGHT = 2

TEST_INPUTS = (
    "A cooper bends eleven barrels on Monday and seven on Tuesday; how many barrels stand ready?",
    "Every lighthouse keeper trims nine wicks a night; how many wicks are trimmed in a week?",
    "Three ferries carry forty goats each across the sound; how many goats cross altogether?",
    "A bellfounder casts two bells a year from age twenty to sixty; how many bells are cast?",
)

FILES = (
    "student/manifest.json",
    "predictions.parquet",
    "errors.parquet",
    "responses.parquet",
    "screened/kept.parquet",
    "screened/rejected.parquet",
    "screened/certificate.json",
)


@dataclass
class Made:
    """The ids of a made-up run, by what they are for."""

    root: Path
    seeds: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)


def make_run(
    root: Path,
    *,
    n_iterations: int = 2,
    control: bool = True,
    hostile: str = "",
    asked: bool = True,
    recorded: bool = False,
) -> Made:
    """Write a run of up to two iterations; `hostile` stands in every text that a person sees.

    Without `asked` the teacher is asked nothing, as if every seed had reached its cap. With
    `recorded` each student's manifest tells its losses, and each drew two answers besides.
    """
    made = Made(root)
    root.mkdir(exist_ok=True)
    (root / "params.yaml").write_text(PARAMS.replace("{n}", str(n_iterations)), encoding="utf-8")
    shutil.copy(TASK, root / "task.yaml")
    write_json(root / "data/plan.json", {})
    write_json(root / "data/base/base.json", {})
    seeds = [
        _row(f"Seed {k}: what is {k} plus {k}? {hostile}", f"<<{k}+{k}>> #### {2 * k}{hostile}", k)
        for k in range(len(VERDICTS))
    ]
    tests = [_row(text, f"#### {n}", n) for n, text in enumerate(TEST_INPUTS)]
    made.seeds = [row.example_id for row in seeds]
    made.tests = [row.example_id for row in tests]
    for name, rows in (("seed", seeds), ("dev", []), ("rest", []), ("test", tests)):
        write_records(root / f"data/split/{name}.parquet", SplitRow, rows)
    examples = [
        Example(s.example_id, "seed", s.example_id, s.input, s.target, *([None] * 7)) for s in seeds
    ]
    states = [SeedState(row.example_id, [], 0, 0) for row in seeds]
    _write_set(root, 0, examples, states, [])
    for i in range(n_iterations):
        folder = root / f"data/iterations/{i}"
        checkpoint = _write_student(folder, i, recorded)
        predictions = _predictions(seeds, tests, i, TEST_RIGHT[i], hostile)
        write_records(folder / "predictions.parquet", Prediction, predictions)
        write_records(folder / "samples.parquet", Sample, _samples(predictions, recorded))
        write_records(folder / "judgments.parquet", AnswerJudgment, [])
        cap = None if asked else 0
        errors = seed_errors(predictions, states, iteration=i, max_examples_per_seed=cap)
        write_records(folder / "errors.parquet", SeedError, errors)
        responses, kept, rejected = _answers(made, i, hostile) if asked else ([], [], [])
        write_records(folder / "responses.parquet", Response, responses)
        write_records(folder / "screened/kept.parquet", Kept, kept)
        write_records(folder / "screened/rejected.parquet", Rejected, rejected)
        certificate = _certificate(tests, kept, rejected)
        write_json(folder / "screened/certificate.json", certificate)
        done = Iteration(i, checkpoint, predictions, errors, responses, kept, rejected)
        names = [*FILES, *(["samples.parquet"] if recorded else [])]
        files = {f"data/iterations/{i}/{name}": sha256_file(folder / name) for name in names}
        set_sha256 = sha256_file(root / f"data/sets/{i}/examples.parquet")
        entry = history_entry(len(examples), set_sha256, files, done)
        merged, states = merge(examples, states, done)
        examples = list(merged)
        history = read_json(root / f"data/sets/{i}/history.json")["iterations"]
        _write_set(root, i + 1, examples, states, [*history, entry])
    last = root / f"data/iterations/{n_iterations}"
    _write_student(last, n_iterations, recorded)
    right = TEST_RIGHT[n_iterations]
    predictions = _predictions(seeds, tests, n_iterations, right, hostile)
    write_records(last / "predictions.parquet", Prediction, predictions)
    write_records(last / "samples.parquet", Sample, _samples(predictions, recorded))
    if control:
        _write_student(root / "data/control", 99)
        predictions = _predictions(seeds, tests, 0, CONTROL_RIGHT, hostile)
        write_records(root / "data/control/predictions.parquet", Prediction, predictions)
        samples = _samples(predictions, recorded)
        write_records(root / "data/control/samples.parquet", Sample, samples)
    return made


def _row(text: str, target: str, n: int) -> SplitRow:
    return SplitRow(example_id(text, target), text, target, str(n), n + 1)


def _write_set(
    root: Path, number: int, examples: list[Example], states: list[SeedState], history: list
) -> None:
    folder = root / f"data/sets/{number}"
    write_records(folder / "examples.parquet", Example, examples)
    write_records(folder / "state.parquet", SeedState, states)
    write_json(folder / "history.json", {"iterations": history})


def _write_student(folder: Path, number: int, recorded: bool = False) -> str:
    checkpoint = sha256_json(["student", number])
    manifest: dict[str, Json] = {"checkpoint_sha256": checkpoint}
    if recorded:
        manifest["losses"] = [{"update": n, "loss": 4 / n + number} for n in range(1, 5)]
        manifest["early_stopping"] = {"dev_losses": [[2, 3.0 + number], [4, 2.5 + number]]}
    write_json(folder / "student/manifest.json", manifest)
    return checkpoint


def _samples(predictions: list[Prediction], recorded: bool) -> list[Sample]:
    """Draw twice for each row: once what the prediction is, once something wrong."""
    return [
        Sample(p.split, p.example_id, draw, p.text, p.answer, verdict, False, 5)
        for p in predictions
        for draw, verdict in enumerate((p.verdict, "wrong"))
        if recorded
    ]


def _predictions(
    seeds: list[SplitRow], tests: list[SplitRow], student: int, n_right: int, hostile: str
) -> list[Prediction]:
    found = []
    for row, verdicts in zip(seeds, VERDICTS, strict=True):
        verdict = verdicts[student]
        answer = None if verdict == "unparsable" else "13"
        text = f"student {student} says 13 {hostile}"
        found.append(Prediction("seed", row.example_id, text, answer, verdict, False, 5))
    for n, row in enumerate(tests):
        verdict = "right" if n < n_right else "wrong"
        found.append(Prediction("test", row.example_id, "text", "1", verdict, False, 5))
    return found


def _answers(
    made: Made, iteration: int, hostile: str
) -> tuple[list[Response], list[Kept], list[Rejected]]:
    """Answer the requests of one iteration: kept, leaked, copied, duplicate, unparsable, failed."""
    seeds, tests = made.seeds, made.tests
    if iteration == 0:
        ask = {0: "answered", 1: "answered", 4: "answered"}
    else:
        ask = {1: "answered", 2: "answered", 4: "failed"}
    for k in ask:
        request = _request(iteration, k, hostile)
        made.requests[f"{iteration}/{k}"] = "rq-" + sha256_json(request)
    responses = [_response(made, iteration, k, status, hostile) for k, status in ask.items()]
    request = {k: made.requests[f"{iteration}/{k}"] for k in ask}
    if iteration == 0:
        kept = [
            _kept(made, "first", seeds[0], request[0], f"New apples {hostile}", tests[2], 0.31),
            _kept(made, "second", seeds[1], request[1], f"New pears {hostile}", tests[1], 0.44),
        ]
        # The first is stopped by a gate against the test set; the second, as close to a test item,
        # already by a check that looks at no test item.
        rejected = [
            _rejected(made, "leak", seeds[1], request[1], 1, TEST_INPUTS[0], "rouge", tests[0]),
            _rejected(
                made,
                "copy",
                seeds[4],
                request[4],
                0,
                TEST_INPUTS[1].replace("nine", "eight"),
                "validity",
                None,
            ),
        ]
        return responses, kept, rejected
    kept = [_kept(made, "third", seeds[2], request[2], f"New plums {hostile}", None, None)]
    unparsable = Rejected(
        request[1], seeds[1], 0, None, None, "parse", "no JSON object in it", None, None, "v1"
    )
    near = made.kept["first"]
    again = f"New apples, again {hostile}"
    duplicate = _rejected(made, "duplicate", seeds[2], request[2], 1, again, "duplicate", near)
    return responses, kept, [unparsable, duplicate]


def _request(iteration: int, k: int, hostile: str) -> dict[str, Json]:
    messages: list[Json] = [
        {"role": "system", "content": "You write problems."},
        {"role": "user", "content": f"Seed {k} {hostile}"},
    ]
    return {"messages": messages, "draw": iteration}


def _certificate(
    tests: list[SplitRow], kept: list[Kept], rejected: list[Rejected]
) -> dict[str, Json]:
    """Certify with the fields that readers of a run look at."""
    by_gate = Counter(row.gate for row in rejected)
    n_unparsable = by_gate["parse"]
    return {
        "gate_version": "v1",
        "gates": [
            {"gate": "exact", "rejected_from": 1.0, "planted_leaks": {"planted": 4, "found": 4}},
            {"gate": "rouge", "rejected_from": 0.85, "planted_leaks": {"planted": 4, "found": 4}},
        ],
        "test_set": {
            "n_items": len(tests),
            "sha256": sha256_json([row.example_id for row in tests]),
        },
        "counts": {
            "candidates": len(kept) + len(rejected) - n_unparsable,
            "unparsable_responses": n_unparsable,
            "kept": len(kept),
            "rejected_candidates": len(rejected) - n_unparsable,
            "rejected_by_gate": dict(sorted(by_gate.items())),
        },
        "not_checked": ["Paraphrases."],
    }


def _response(made: Made, iteration: int, k: int, status: str, hostile: str) -> Response:
    answered = status == "answered"
    return Response(
        request_id=made.requests[f"{iteration}/{k}"],
        seed_id=made.seeds[k],
        iteration=iteration,
        purpose="write",
        about=None,
        draw=iteration,
        status=status,
        text=f"raw answer for {k} {hostile}" if answered else None,
        finish_reason="stop" if answered else None,
        failure=None if answered else "content policy",
        request=canonical_json(_request(iteration, k, hostile)),
        prompt_sha256="ab" * 32,
        teacher=f"teacher-1 {hostile}" if answered else None,
        n_prompt_tokens=100 if answered else None,
        n_completion_tokens=20 if answered else None,
    )


def _kept(
    made: Made, name: str, seed: str, request: str, text: str, near: str | None, score: float | None
) -> Kept:
    made.kept[name] = example_id(text, "#### 3")
    row = (made.kept[name], seed, request, text, "#### 3", "v1", near, score, seed, 0.5)
    return Kept(*row)


def _rejected(
    made: Made,
    name: str,
    seed: str,
    request: str,
    position: int,
    text: str,
    gate: str,
    reference: str | None,
) -> Rejected:
    made.rejected[name] = example_id(text, "#### 4")
    score = None if reference is None else 0.97
    reason = f"too close: {text}" if reference else "7 + 11 is not 4"
    row = (request, seed, position, text, "#### 4", gate, reason, reference, score, "v1")
    return Rejected(*row)
