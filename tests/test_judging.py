"""Claims about the judge: only a clear no lets a candidate pass, and no outage becomes a verdict.

A real server stands for the judge's endpoint, a function that counts words for the encoder.
"""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from asking_project import fresh, write_params
from batch_server import End, answer_line, serving_batches
from batch_world import batch_params
from screening_inputs import MASKED, TEST, params, response
from teacher_server import Reply, TeacherServer, completion, error, refusing_url, serving
from test_leakage_embedding import letters
from test_screening import FORMATS, SEED, answer, stage
from test_teacher_openai import edge, openai_params, runtime
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.estimating import WIDEST
from llm2llm.exceptions import LeakageCheckError, TeacherError
from llm2llm.files import read_json, read_records, write_records
from llm2llm.ids import canonical_json
from llm2llm.judge_opinions import read_opinion
from llm2llm.judging import Judge, Pair
from llm2llm.leakage.checking import Checker
from llm2llm.leakage.gates import N_GREY
from llm2llm.leakage.page import readable
from llm2llm.leakage.sources import SourceRow
from llm2llm.ledger.database import Ledger
from llm2llm.ledger.exporting import export
from llm2llm.ledger.importing import bring
from llm2llm.ledger.reading import entries, reading
from llm2llm.ledger.salvaging import salvage
from llm2llm.ledger.summary import summarize
from llm2llm.ledger.usage import mean_completion_tokens
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.whole import problems
from llm2llm.records.checked import CheckedKept
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow
from llm2llm.screening import Screened, screen
from llm2llm.teacher.backends import make_sender

GATES = ["exact", "coverage", "rouge", "masked", "embedding", "judge", "duplicate"]
N_PLANTED = 2
YES, NO = '{"reason": "r", "same_problem": "yes"}', '{"reason": "r", "same_problem": "no"}'
# The first test item in other words and order, so that no other gate sees it: cosine .84.
GREY = "Now, has Mary the apples? How many red ones she buys more: 7 and 5 market stall plums!"
OTHER = "Market stall: 7 red plums, 5 more apples. Has Mary many, how many the buys now she thinks?"
FAR = "Eight birds sat on a wire until 2 of them flew off; count those that stayed behind."


def judge_params(url: str, **changes: Any) -> DedupeParams:
    """Switch the judge on, at an endpoint."""
    judge: dict[str, Any] = {
        "asked_from": 0.5,
        "backend": "openai",
        "replay": False,
        "openai": openai_params(url).model_dump(),
        "openai_batch": None,
        "vllm": None,
    }
    return params(
        gates=GATES,
        n_planted=N_PLANTED,
        embedding=params().embedding.model_dump() | {"default": 0.95, "strictest": 0.95},
        judge=judge | changes,
    )


class _Impatient(threading.Event):
    """An event whose waits end at once."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - nobody shall wait
        """Say whether it is set."""
        return self.is_set()


def judged(
    given: DedupeParams,
    store: Path,
    *texts: str,
    limits: RuntimeParams | None = None,
    test: Sequence[SplitRow] = TEST,
) -> Screened:
    """Screen candidates as the stage does."""
    section = given.judging
    assert section is not None
    judge = Judge(
        section,
        lambda: make_sender(
            section, limits or runtime(), None, Ledger(store), edge(stop=_Impatient())
        ),
        masked=True,
    )
    return screen(
        [response(SEED, answer(text), n) for n, text in enumerate(texts)],
        [SEED],
        test,
        [],
        params=given,
        on_progress=lambda *_: None,
        encoder=(letters, "abc"),
        judge=judge,
        **FORMATS,
    )


def texts_of(body: dict[str, Any]) -> dict[str, str]:
    """Give the two texts that a request shows."""
    content = body["messages"][-1]["content"]
    found: dict[str, str] = json.loads(content[content.rindex('\n{"candidate"') :])
    return found


def about(text: str, reply: Callable[[], Reply]) -> Callable[..., Reply]:
    """Reply so about one candidate; call planted leaks test items, and no other text one."""

    def script(body: dict[str, Any], _number: int) -> Reply:
        shown = texts_of(body)
        if shown["candidate"] == text:
            return reply()
        return completion(YES if shown["reference"] in shown["candidate"] else NO)

    return script


def asked_about(server: TeacherServer, text: str) -> int:
    """Count the requests about a candidate."""
    return sum(texts_of(body)["candidate"] == text for body in server.bodies)


def test_a_clear_no_passes(tmp_path: Path) -> None:
    """Only grey candidates are shown, beside the test items near to them; a cleared one is kept."""
    with serving(about(GREY, lambda: completion(NO))) as server:
        result = judged(judge_params(server.url), tmp_path, GREY, FAR)
        assert asked_about(server, GREY) == 1 and asked_about(server, FAR) == 0
        shown = [texts_of(body) for body in server.bodies if texts_of(body)["candidate"] == GREY]
    assert shown == [{"candidate": GREY, "reference": TEST[0].input}]
    assert [kept.input for kept in result.kept] == [GREY, FAR]
    told: Any = result.certificate["judge"]
    assert told["answers"] == {"no": 1, "yes": 0, "unclear": 0, "failed": 0}
    assert (told["asked"], told["asked_up_to"], told["settings"]["asked_from"]) == (1, 0.95, 0.5)
    assert told["planted_leaks"] == {"planted": 2, "found": 2, "recall": 1.0}
    assert told["reported_models"] == ["test-teacher-0001"]
    assert told["tokens"] == {"prompt": 300, "completion": 60}
    [cleared] = told["cleared"]
    assert cleared["example_id"] == result.kept[0].example_id
    assert cleared["reference_id"] == TEST[0].example_id and 0.5 <= cleared["cosine"] < 0.95


REJECTIONS: dict[str, tuple[Callable[[], Reply], str]] = {
    "yes": (lambda: completion(YES), "says that it is the test item"),
    "garbage": (lambda: completion("It is not the same."), "no clear no"),
    "no and prose": (lambda: completion(f"Well. {NO}"), "no clear no"),
    "both": (
        lambda: completion('{"reason": "r", "same_problem": "yes", "same_problem": "no"}'),
        "no clear no",
    ),
    "not sure": (
        lambda: completion('{"reason": "r", "same_problem": "maybe"}'),
        "no clear no",
    ),
    "false": (lambda: completion('{"reason": "r", "same_problem": false}'), "no clear no"),
    "no, spelled otherwise": (lambda: completion(NO.replace("no", "No ")), "no clear no"),
    "no reason": (lambda: completion('{"same_problem": "no"}'), "no clear no"),
    "a number for a reason": (
        lambda: completion('{"reason": 1, "same_problem": "no"}'),
        "no clear no",
    ),
    "one field more": (
        lambda: completion('{"reason": "r", "same_problem": "no", "same": "yes"}'),
        "no clear no",
    ),
    "the same field again": (
        lambda: completion('{"reason": "r", "reason": "s", "same_problem": "no"}'),
        "no clear no",
    ),
    "thoughts that end twice": (
        lambda: completion(f"<think>It says </think>{YES}</think>{NO}"),
        "no clear no",
    ),
    "a tool": (lambda: completion(NO, "tool_calls"), "did not end by itself (tool_calls)"),
    "a list": (lambda: completion(f"[{NO}]"), "no clear no"),
    "empty": (lambda: completion(""), "no clear no"),
    "cut off": (lambda: completion(NO, "length"), "cut off"),
    "400": (lambda: error(400, "no such field"), "gave no answer (bad request"),
    "declined": (lambda: completion(None, "content_filter"), "gave no answer (content policy"),
}


@pytest.mark.parametrize("what", REJECTIONS)
def test_anything_but_a_clear_no_is_a_leak(what: str, tmp_path: Path) -> None:
    """A yes, an unreadable answer and a permanent failure reject, each with what it was."""
    reply, reason = REJECTIONS[what]
    with serving(about(GREY, reply)) as server:
        result = judged(judge_params(server.url), tmp_path, GREY, FAR)
    [rejected] = result.rejected
    assert (rejected.gate, rejected.reference_id) == ("judge", TEST[0].example_id)
    assert reason in rejected.reason and "request rq-" in rejected.reason
    assert rejected.score is not None and 0.5 <= rejected.score < 0.95
    assert rejected.gate_version == result.certificate["gate_version"]
    counts: Any = result.certificate["counts"]
    assert counts["rejected_by_gate"] == {"judge": 1}


@pytest.mark.parametrize("text", [NO, f"```json\n{NO}\n```", f"<think>yes</think>\n{NO}"])
def test_a_clear_no_may_stand_in_a_fence_or_after_thoughts(text: str) -> None:
    """What models put around one JSON object and cannot be mistaken for a verdict is no matter."""
    assert read_opinion(text, "stop")[0] == read_opinion(text, None)[0] == "no"


def test_an_outage_stops_and_nothing_is_asked_again(tmp_path: Path) -> None:
    """An outage is no verdict; what was answered before stays answered."""
    with serving(about(GREY, lambda: error(503, "down"))) as server:
        with pytest.raises(TeacherError, match="`dvc repro` goes on from there"):
            judged(judge_params(server.url), tmp_path, GREY, OTHER)
        n_before = len(server.bodies)
        server.script = about(GREY, lambda: completion(NO))
        result = judged(judge_params(server.url), tmp_path, GREY, OTHER)
        assert len(server.bodies) == n_before + 1
        assert asked_about(server, OTHER) == 1
    assert [kept.input for kept in result.kept] == [GREY, OTHER]
    # Another run over the same ledger needs no endpoint and gives the same, to the byte.
    again = judged(judge_params(server.url, replay=True), tmp_path, GREY, OTHER)
    assert again == result
    with pytest.raises(TeacherError, match=r"dedupe_against_test\.judge\.replay: false"):
        judged(judge_params(server.url, replay=True), tmp_path / "new", GREY)


def test_an_endpoint_that_is_not_there_stops(tmp_path: Path) -> None:
    """Nothing is let through, and nothing rejected, without an answer."""
    with pytest.raises(TeacherError, match="0 of 2 requests are answered"):
        judged(judge_params(refusing_url()), tmp_path, GREY)


def test_the_budget_stops_the_judge(tmp_path: Path) -> None:
    """`runtime.max_requests` counts the judge's requests with the teacher's."""
    with serving(about(GREY, lambda: completion(NO))) as server:
        with pytest.raises(TeacherError, match="budget reached"):
            judged(judge_params(server.url), tmp_path, GREY, limits=runtime(max_requests=1))
        assert len(server.bodies) == 1
        judged(judge_params(server.url), tmp_path, GREY, limits=runtime(max_requests=3))
        assert len(server.bodies) == 3


def test_equal_candidates_are_asked_about_once(tmp_path: Path) -> None:
    """Two responses with one text are one request; both get its verdict."""
    with serving(about(GREY, lambda: completion(YES))) as server:
        result = judged(judge_params(server.url), tmp_path, GREY, GREY)
        assert asked_about(server, GREY) == 1
    assert [rejected.gate for rejected in result.rejected] == ["judge", "judge"]


def test_a_judge_that_clears_planted_leaks_stops(tmp_path: Path) -> None:
    """A judge that says no to a test item between other sentences is asked about nothing else."""
    with serving(lambda _body, _number: completion(NO)) as server:
        with pytest.raises(LeakageCheckError, match="gate judge: cleared 2 of 2 planted leaks"):
            judged(judge_params(server.url), tmp_path, GREY, OTHER)
        assert len(server.bodies) == N_PLANTED
        assert asked_about(server, GREY) == asked_about(server, OTHER) == 0


def test_with_nothing_grey_nothing_is_asked(tmp_path: Path) -> None:
    """No endpoint, no key and no ledger is needed; the certificate says that nobody was asked."""
    result = judged(judge_params(refusing_url()), tmp_path / "none", FAR)
    told: Any = result.certificate["judge"]
    assert (told["asked"], told["requests"]) == (0, 0)
    assert told["planted_leaks"] == "not applicable: nothing was asked"
    assert not (tmp_path / "none").exists()


def test_the_certificate_says_who_judged_and_what_it_saw(tmp_path: Path) -> None:
    """Model, template, counts, and that the endpoint saw test items; the page says it in words."""
    with serving(about(GREY, lambda: completion(YES))) as server:
        result = judged(judge_params(server.url), tmp_path, GREY)
    gaps = " ".join(map(str, result.certificate["not_checked"]))  # type: ignore[arg-type]
    assert "its provider has seen them" in gaps and "puts below 0.5" in gaps
    page = readable(result.certificate)
    assert "put to `test-teacher` (openai; models as reported: `test-teacher-0001`)" in page
    assert "Of 1 it cleared 0; 1 were rejected: 1 called a test item" in page
    assert "Rejected for other reasons" not in page
    assert TEST[0].input not in canonical_json(result.certificate)


def test_what_is_asked_and_of_whom_is_in_the_gate_version(tmp_path: Path) -> None:
    """Another band, model or template gives other versions; without the judge there is none."""
    with serving(about(GREY, lambda: completion(NO))) as server:
        versions = {
            str(judged(given, tmp_path, GREY).certificate["gate_version"])
            for given in (
                judge_params(server.url),
                judge_params(server.url, asked_from=0.6),
                judge_params(
                    server.url, openai=openai_params(server.url, model="other").model_dump()
                ),
            )
        }
    assert len(versions) == 3
    judge = judge_params("http://127.0.0.1:1/v1").judging
    assert judge is not None
    settings = [
        Judge(judge, lambda: pytest.fail("asked"), masked=masked).settings
        for masked in (True, False)
    ]
    assert settings[0]["template_sha256"] != settings[1]["template_sha256"]


def test_the_judges_requests_are_rows_of_the_ledger(tmp_path: Path) -> None:
    """Status, salvage, export and import take them; they do not pass for examples written."""
    with serving(about(GREY, lambda: completion(NO))) as server:
        judged(judge_params(server.url), tmp_path, GREY)
    summary = summarize(tmp_path)
    assert summary.total is not None and (summary.total.n, summary.total.n_prompt_tokens) == (
        3,
        300,
    )
    with reading(tmp_path / "ledger.sqlite") as connection:
        described = [json.loads(entry.request) for entry in entries(connection)]
    assert {each["purpose"] for each in described} == {"judge"}
    assert {each["draw"] for each in described} == {0}
    assert {each["random_seed"] for each in described} == {0}
    done = export(tmp_path / "ledger.sqlite", tmp_path / "rows.jsonl", backend=None, since=None)
    assert (done.n_rows, done.n_judged) == (3, 3)
    other = Ledger(tmp_path / "other")
    assert bring(other, tmp_path / "rows.jsonl", "2026-01-01").n_added == 3
    other.close()
    ledger = Ledger(tmp_path)
    assert mean_completion_tokens(ledger, "openai", "test-teacher", solving=False) is None
    ledger.close()
    (tmp_path / "ledger.sqlite").write_bytes(
        b"x" * 100 + (tmp_path / "ledger.sqlite").read_bytes()[100:]
    )
    assert salvage(tmp_path).n_saved == 3


def test_a_judge_that_is_on_and_not_given_stops() -> None:
    """A gate that is on and cannot run is no gate passed."""
    with pytest.raises(LeakageCheckError, match="gate judge: it is on and no judge was given"):
        screen(
            [],
            [SEED],
            TEST,
            [],
            params=judge_params("http://127.0.0.1:1/v1"),
            on_progress=lambda *_: None,
            encoder=(letters, "abc"),
            **FORMATS,
        )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gates": ["exact", "judge"]}, "judge only beside embedding"),
        ({"judge": None}, "judge: a section, as `gates` names it"),
    ],
)
def test_a_judge_without_a_band_is_refused(changes: dict[str, Any], says: str) -> None:
    """The judge needs the gate whose scores say what it is asked, and a section."""
    given = judge_params("http://127.0.0.1:1/v1").model_dump()
    with pytest.raises(ValueError, match=says):
        DedupeParams.model_validate(given | changes)
    assert DedupeParams.model_validate(given | {"gates": ["exact"]}).judging is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backend": "symbolic"}, "the symbolic teacher has no model that could judge"),
        ({"backend": "vllm"}, "vllm: a section, as `backend` names it"),
        ({"asked_from": 0.95}, "below loosest"),
    ],
)
def test_a_judge_that_cannot_judge_is_refused(changes: dict[str, Any], says: str) -> None:
    """No model, no section of its own, or an empty band: refused before any work."""
    with pytest.raises(ValueError, match=says):
        judge_params("http://127.0.0.1:1/v1", **changes)


def test_validate_and_plan_name_the_judges_section(tmp_path: Path) -> None:
    """What the stage would stop for is told before any work, under the judge's own name."""
    root = fresh(tmp_path / "project")
    given = judge_params("http://127.0.0.1:1/v1").model_dump()
    changes = {name: given[name] for name in ("gates", "judge")}

    def told(**judge: Any) -> list[str]:
        fresh_params = changes | {"judge": changes["judge"] | judge}
        values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        values["dedupe_against_test"] |= fresh_params
        values["runtime"]["max_tokens"] = 1000
        values["task"] = str(root / "llm2llm/tasks/gsm8k.yaml")
        (root / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        return problems(root / "params.yaml", root / "stages/pool.yaml")

    assert told() == []
    endless = changes["judge"]["openai"] | {"max_tokens": None}
    [problem] = told(openai=endless)
    assert "`dedupe_against_test.judge.openai.max_tokens`: found null" in problem
    [problem] = told(backend="symbolic")
    assert "`dedupe_against_test.judge.backend`: found 'symbolic', expected: openai" in problem


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project folder with what the stage reads, and stand in it."""
    fresh(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr("llm2llm.leakage.encoder.load_encoder", lambda *_: (letters, "abc"))
    write_records(Path("data/split/test.parquet"), SplitRow, TEST)
    write_records(Path("data/split/rest.parquet"), SplitRow, [])
    write_records(Path("data/sets/0/examples.parquet"), Example, [SEED])
    responses = [response(SEED, answer(text), n) for n, text in enumerate((GREY, OTHER))]
    write_records(Path("data/iterations/0/responses.parquet"), Response, responses)
    return tmp_path / "project"


def test_the_stage_asks_through_the_projects_ledger(project: Path) -> None:
    """An outage leaves no output; then equal inputs and one ledger give equal bytes, unasked."""
    folder = project / "data/iterations/0/screened"
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    with serving(about(GREY, lambda: error(401, "no"))) as server:
        values["dedupe_against_test"] = judge_params(server.url).model_dump()
        values["runtime"]["teacher_concurrency"] = 1
        Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        with pytest.raises(TeacherError):
            stage(0)
        assert not folder.exists()
        server.script = about(GREY, lambda: completion(YES))
        stage(0)
        n_asked = len(server.bodies)
        first = {path.name: path.read_bytes() for path in folder.iterdir()}
        stage(0)
        assert len(server.bodies) == n_asked
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    [rejected] = read_records(folder / "rejected.parquet", Rejected)
    assert (rejected.gate, rejected.input) == ("judge", GREY)
    assert read_json(folder / "certificate.json")["judge"]["answers"]["yes"] == 1


def test_quote_bounds_what_the_judge_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate of each seed and iteration beside so many test items, and the planted leaks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    prices = {"price_per_million_prompt_tokens": 2.0, "price_per_million_completion_tokens": 10.0}
    fresh(tmp_path, runtime=prices)
    without = json.loads(CliRunner().invoke(app, ["quote", "--json"]).stdout)
    assert without["judge"] is None
    screening = judge_params("http://127.0.0.1:1/v1").model_dump()
    write_params(tmp_path, runtime=prices, dedupe_against_test=screening)
    found = json.loads(CliRunner().invoke(app, ["quote", "--json"]).stdout)
    judge = found["judge"]["most"]
    assert judge["n_requests"] == 2 * 120 * N_GREY + N_PLANTED
    assert judge["n_completion_tokens"] == judge["n_requests"] * 200
    assert judge["cost"] == pytest.approx(
        judge["n_prompt_tokens"] * 2e-6 + judge["n_completion_tokens"] * 1e-5
    )
    for name in ("n_requests", "n_prompt_tokens", "cost"):
        assert found["most"][name] == pytest.approx(without["most"][name] + judge[name])
    assert found["expected"] == without["expected"]
    assert "judge" in CliRunner().invoke(app, ["quote"]).stdout
    assert not (tmp_path / ".llm2llm").exists()


def test_no_request_is_longer_than_quoted(tmp_path: Path) -> None:
    """The longest candidate that passes the checks, in the widest characters, stays within."""
    with serving(about(GREY, lambda: completion(NO))) as server:
        section = judge_params(server.url).judging
        assert section is not None
        judge = Judge(
            section,
            lambda: make_sender(section, runtime(), None, Ledger(tmp_path), edge()),
            masked=True,
        )
        widest = [
            len(
                canonical_json(
                    judge.describe(judge.request(Pair("", text * 300, TEST[0], 1.0)))
                ).encode()
            )
            for text in (WIDEST, '"', "\\", "\U0001f355", "\u20ac", "a")
        ]
    assert max(widest) == widest[0]


def test_a_batch_api_can_judge(tmp_path: Path) -> None:
    """Planted leaks are a batch, candidates another; what these answer are the verdicts."""
    with serving_batches() as server:
        server.finish = lambda job: End(
            output=[
                answer_line(
                    line["custom_id"], NO if texts_of(line["body"])["candidate"] == GREY else YES
                )
                for line in job.lines
            ]
        )
        given = judge_params(
            "http://127.0.0.1:1/v1",
            backend="openai-batch",
            openai=None,
            openai_batch=batch_params(server.url).model_dump(),
        )
        limits = runtime(openai_batch={"poll_every_s": 0.001, "wait": True})
        result = judged(given, tmp_path, GREY, limits=limits)
        assert [len(job.lines) for job in server.jobs.values()] == [N_PLANTED, 1]
    assert [kept.input for kept in result.kept] == [GREY]


def test_leakcheck_asks_no_judge_and_says_so(tmp_path: Path) -> None:
    """Without a project there is no ledger to ask through: the certificate names the gap."""
    given = judge_params(refusing_url())
    rows = [SourceRow(1, item.input, {}) for item in TEST]
    checker = Checker.of(rows, [], MASKED, given, (letters, "abc"))
    found = list(checker.check([SourceRow(1, GREY, {})], lambda _n: None))
    assert [type(each) for each in found] == [CheckedKept]
    gaps = " ".join(map(str, checker.certificate()["not_checked"]))  # type: ignore[arg-type]
    assert "it is not asked here" in gaps
