"""Lineage: explaining examples, blaming seeds, histories that catch changed files."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from finished_run import FILES, VERDICTS, Made, make_run
from ledger_rows import row

from llm2llm.exceptions import CountError, DataError
from llm2llm.files import read_json, read_records, write_json, write_records
from llm2llm.ids import sha256_json
from llm2llm.ledger.database import Ledger
from llm2llm.lineage.blaming import blame
from llm2llm.lineage.explaining import explain
from llm2llm.lineage.finished import read_finished
from llm2llm.lineage.history import read_history
from llm2llm.lineage.progress import status
from llm2llm.records.examples import Example
from llm2llm.work import unit_of_work


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make one run that the reading tests share."""
    return make_run(tmp_path_factory.mktemp("run"))


def test_explain_follows_the_whole_chain(made: Made) -> None:
    """An augmented example leads to its seed, the wrong answer, the request and the gates."""
    found = explain(made.root, made.kept["second"])
    assert (found.kind, found.sets) == ("augmented", [1, 2])
    assert found.seed.example_id == made.seeds[1]
    assert found.seed.answer == "1"
    assert found.wrong_answer is not None
    assert (found.wrong_answer.iteration, found.wrong_answer.verdict) == (0, "wrong")
    manifest = made.root / "data/iterations/0/student/manifest.json"
    assert found.wrong_answer.checkpoint == read_json(manifest)["checkpoint_sha256"]
    assert found.request is not None
    assert found.request.request_id == made.requests["0/1"]
    assert [message["role"] for message in found.request.messages] == ["system", "user"]
    assert found.request.text == "raw answer for 1 "
    assert found.screening is not None
    assert found.screening.gates_passed == ["exact", "rouge"]
    assert found.screening.nearest_test_id == made.tests[1]
    assert [sibling.candidate_id for sibling in found.siblings] == [made.rejected["leak"]]
    assert found.siblings[0].gate == "rouge"


def test_explain_takes_a_seed(made: Made) -> None:
    """A seed is explained by its gold answer and what each student made of it."""
    found = explain(made.root, made.seeds[2])
    assert (found.kind, found.sets) == ("seed", [0, 1, 2])
    assert found.verdicts == list(VERDICTS[2])
    assert found.request is None


@pytest.mark.parametrize(
    ("name", "gate", "reference", "passed"),
    [
        ("leak", "rouge", "test", ["exact"]),
        ("copy", "validity", None, []),
        ("duplicate", "duplicate", "kept", ["exact", "rouge"]),
    ],
)
def test_explain_takes_a_rejected_candidate(
    made: Made, name: str, gate: str, reference: str | None, passed: list[str]
) -> None:
    """A rejected candidate is found by its content id and names gate and reference."""
    found = explain(made.root, made.rejected[name])
    references = {"test": made.tests[0], "kept": made.kept["first"], None: None}
    assert (found.kind, found.sets, found.exported) == ("rejected", [], False)
    assert found.screening is not None
    assert not found.screening.kept
    assert found.screening.gate == gate
    assert found.screening.reference_id == references[reference]
    assert found.screening.gates_passed == passed


def test_a_unique_start_of_an_id_is_enough(made: Made) -> None:
    """Starts of ids are accepted, with `ex-` or without, until they fit more than one."""
    wanted = made.kept["first"]
    assert explain(made.root, wanted[:12]).example_id == wanted
    assert explain(made.root, wanted[3:12]).example_id == wanted
    assert blame(made.root, made.seeds[0][:12]).seed.example_id == made.seeds[0]
    with pytest.raises(DataError, match="8 ids start so"):
        explain(made.root, "ex-")
    with pytest.raises(DataError, match="5 ids start so"):
        blame(made.root, "ex-")


def test_an_unknown_id_names_the_nearest(made: Made) -> None:
    """A mistyped id is answered with the id that was probably meant."""
    wanted = made.kept["first"]
    typo = wanted[:5] + ("0" if wanted[5] != "0" else "1") + wanted[6:]
    with pytest.raises(DataError, match=f"nearest: {wanted}"):
        explain(made.root, typo)
    with pytest.raises(DataError, match=f"nearest: .*{wanted}"):
        explain(made.root, typo[3:11])
    with pytest.raises(DataError, match="there are 5, such as ex-"):
        blame(made.root, "nothing-like-an-id")


def test_a_request_leads_to_what_came_of_it(made: Made) -> None:
    """A request's id, or its start, explains the one candidate that came of it."""
    assert explain(made.root, made.requests["0/0"][:12]).example_id == made.kept["first"]
    assert explain(made.root, made.requests["0/4"]).example_id == made.rejected["copy"]
    with pytest.raises(DataError, match="2 candidates came of this request"):
        explain(made.root, made.requests["0/1"])
    with pytest.raises(DataError, match="ids start so"):
        explain(made.root, "rq-")
    with pytest.raises(DataError, match="came of a request of this id"):
        explain(made.root, "rq-nothing")


def test_ledger_and_lock_file_add_what_no_hashed_file_holds(made: Made) -> None:
    """Cost and time come from the ledger, hashes of code and params from dvc.lock."""
    assert explain(made.root, made.kept["first"]).paid is None
    store = made.root / "store"
    request = made.requests["0/0"]
    with closing(Ledger(store)) as ledger:
        ledger.put(row(1, request_id=request, cost=0.25))
    (made.root / "stages").mkdir()
    deps = [{"path": "llm2llm/ids.py", "md5": "a"}, {"path": "data/base", "md5": "b"}]
    stage = {"deps": deps, "params": {"params.yaml": {"merge": 1}}}
    lock = json.dumps({"stages": {"merge@0": stage, "merge@1": stage}})
    (made.root / "stages/dvc.lock").write_text(lock)
    found = explain(made.root, made.kept["first"], store)
    assert found.paid is not None
    assert found.paid.cost == 0.25
    assert [each.stage for each in found.recorded] == ["merge"]
    assert found.recorded[0].code_sha256 == sha256_json([["llm2llm/ids.py", "a"]])
    assert explain(made.root, made.seeds[0], store).paid is None
    (made.root / "stages/dvc.lock").unlink()


def test_test_items_are_named_as_such(made: Made) -> None:
    """Asking for a test item says that it was held out."""
    for ask in (explain, blame):
        with pytest.raises(DataError, match="row 1 of the test data"):
            ask(made.root, made.tests[0])


def test_blame_of_an_augmented_example_points_to_explain(made: Made) -> None:
    """An augmented example has a seed; it is none."""
    with pytest.raises(DataError, match=f"llm2llm explain {made.kept['first']}"):
        blame(made.root, made.kept["first"])


def test_blame_lists_every_descendant(made: Made) -> None:
    """A seed's descendants, kept or rejected, stand under their iteration with the reason."""
    found = blame(made.root, made.seeds[1])
    assert [each.verdict for each in found.iterations] == list(VERDICTS[1])
    outcomes = [
        [(d.candidate_id, d.kept, d.gate) for d in each.descendants] for each in found.iterations
    ]
    assert outcomes == [
        [(made.kept["second"], True, None), (made.rejected["leak"], False, "rouge")],
        [(None, False, "parse")],
        [],
    ]
    assert (found.n_requests, found.n_kept, found.n_rejected) == (2, 1, 2)
    assert (found.n_prompt_tokens, found.n_completion_tokens) == (200, 40)
    assert (found.fixed, found.fixed_in, found.broke_in) == (False, [], [])


def test_blame_tells_what_the_seed_cost(made: Made, tmp_path: Path) -> None:
    """The ledger's costs of all its requests are summed; one that is not known makes it null."""
    assert blame(made.root, made.seeds[1]).cost is None
    assert blame(made.root, made.seeds[1], tmp_path).cost is None
    requests = [
        r.request_id for i in blame(made.root, made.seeds[1]).iterations for r in i.requests
    ]
    with closing(Ledger(tmp_path)) as ledger:
        ledger.put(row(1, request_id=requests[0], cost=0.25))
        assert blame(made.root, made.seeds[1], tmp_path).cost is None
        ledger.put(row(2, request_id=requests[1], cost=0.5))
        ledger.put(row(3, request_id=made.requests["0/0"], cost=4.0))
    assert blame(made.root, made.seeds[1], tmp_path).cost == 0.75


def test_blame_tells_when_a_seed_was_fixed_and_broke(made: Made) -> None:
    """Turns from wrong to right and back are told by iteration."""
    stories = [blame(made.root, seed) for seed in made.seeds]
    assert [(s.fixed, s.fixed_in, s.broke_in) for s in stories] == [
        (True, [1], []),
        (False, [], []),
        (True, [2], [1]),
        (False, [], [2]),
        (True, [2], []),
    ]
    failed = [r for each in stories[4].iterations for r in each.requests if r.status == "failed"]
    assert [request.failure for request in failed] == ["content policy"]


def test_files_of_a_longer_earlier_run_are_passed_over(tmp_path: Path) -> None:
    """After `iterations` is lowered, sets and answers beyond it belong to no run."""
    made = make_run(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("iterations: 2", "iterations: 1"))
    assert explain(tmp_path, made.kept["first"]).sets == [1]
    with pytest.raises(DataError, match="no example of set 1"):
        explain(tmp_path, made.kept["third"])
    found = blame(tmp_path, made.seeds[2])
    assert (len(found.iterations), found.n_requests) == (2, 0)
    assert len(status(tmp_path, tmp_path / ".llm2llm").iterations) == 2


def test_a_set_and_files_of_different_runs_are_told_apart(tmp_path: Path) -> None:
    """An example whose request stands in no file of its iteration is reported, not made up."""
    made = make_run(tmp_path)
    path = tmp_path / "data/iterations/0/responses.parquet"
    path.write_bytes((tmp_path / "data/iterations/1/responses.parquet").read_bytes())
    with pytest.raises(DataError, match=r"responses\.parquet: found 0 rows with request_id"):
        explain(tmp_path, made.kept["first"])


def test_before_the_first_set_explain_says_what_to_run(tmp_path: Path) -> None:
    """Without any set the message names the command that makes one."""
    (tmp_path / "params.yaml").write_text("iterations: 2\n")
    with pytest.raises(DataError, match="dvc repro"):
        explain(tmp_path, "ex-1")


@pytest.mark.parametrize("iteration", [0, 1])
@pytest.mark.parametrize(
    "name",
    [name for name in FILES if name.startswith(("predictions", "screened/kept", "screened/rej"))],
)
def test_a_changed_earlier_file_is_found(tmp_path: Path, iteration: int, name: str) -> None:
    """A file that no longer hashes as history.json says stops the reading, by name."""
    make_run(tmp_path)
    path = tmp_path / f"data/iterations/{iteration}/{name}"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(DataError, match=rf"iterations/{iteration}/{name}: SHA-256.*dvc checkout"):
        read_finished(tmp_path, 2)


def test_a_missing_earlier_file_is_named(tmp_path: Path) -> None:
    """A file listed in history.json but gone is named with the command that brings it back."""
    make_run(tmp_path)
    (tmp_path / "data/iterations/0/predictions.parquet").unlink()
    with pytest.raises(DataError, match=r"predictions\.parquet: no such file; `dvc checkout`"):
        read_finished(tmp_path, 2)


def test_a_set_that_is_not_seeds_and_kept_is_refused(tmp_path: Path) -> None:
    """A set with an example too few does not balance."""
    make_run(tmp_path)
    path = tmp_path / "data/sets/2/examples.parquet"
    write_records(path, Example, read_records(path, Example)[:-1])
    with pytest.raises(CountError, match="expected 5 seeds and 3 kept"):
        read_finished(tmp_path, 2)


def test_a_history_of_another_shape_is_refused(tmp_path: Path) -> None:
    """A history.json that lacks a field, or iterations, is named with field and remedy."""
    make_run(tmp_path)
    path = tmp_path / "data/sets/2/history.json"
    with pytest.raises(DataError, match=r"found iterations \[0, 1\], expected 0 to 2"):
        read_history(path, 3)
    history = read_json(path)
    del history["iterations"][1]["counts"]["kept"]
    write_json(path, history)
    with pytest.raises(DataError, match=r"field iterations\.1\.counts\.kept: field required"):
        read_history(path, 2)


def test_status_before_anything(tmp_path: Path) -> None:
    """With only a params.yaml everything is pending and the next command is dvc repro."""
    (tmp_path / "params.yaml").write_text("iterations: 1\n")
    found = status(tmp_path, tmp_path / ".llm2llm")
    assert not found.finished
    assert {step.state for each in found.iterations for step in each.steps} == {"pending"}
    assert found.next_command == "dvc --wait-for-lock repro"


def test_status_in_the_middle_marks_what_is_left_over(tmp_path: Path) -> None:
    """Behind a stage without output, outputs of an earlier run do not count as done."""
    make_run(tmp_path)
    (tmp_path / "data/iterations/1/errors.parquet").unlink()
    found = status(tmp_path, tmp_path / ".llm2llm")
    states = [[step.state for step in each.steps] for each in found.iterations]
    assert states == [
        ["done"] * 6,
        ["done", "done", "pending", "stale", "stale", "stale"],
        ["stale", "stale"],
    ]
    assert found.iterations[0].n_errors == 3
    assert (found.iterations[1].n_seeds_right, found.iterations[1].n_test_right) == (2, 2)
    assert found.iterations[1].n_errors is None
    assert found.iterations[2].n_test_right is None
    assert found.n_prompt_tokens == 300  # of iteration 0 only
    assert not found.finished


def test_status_names_who_is_at_work(tmp_path: Path) -> None:
    """A held lock of work shows the process that holds it, and only while it does."""
    make_run(tmp_path)
    store = tmp_path / ".llm2llm"
    code = (
        "import sys, pathlib\n"
        "from llm2llm.work import unit_of_work\n"
        "with unit_of_work(pathlib.Path(sys.argv[1]), 'k' * 64, print):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        found = status(tmp_path, store).running
        assert [(each.stage, each.process) for each in found] == [(None, holder.pid)]
        holder.communicate()
    assert status(tmp_path, store).running == []
    with unit_of_work(store, "k" * 64, print):
        pass


def test_questions_cost_no_torch(made: Made) -> None:
    """Explaining, blaming and status import no machine learning and no plotting."""
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from llm2llm.lineage.blaming import blame\n"
        "from llm2llm.lineage.explaining import explain\n"
        "from llm2llm.lineage.progress import status\n"
        "root = Path(sys.argv[1])\n"
        "explain(root, sys.argv[2]), blame(root, sys.argv[3]), status(root, root)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    arguments = [str(made.root), made.kept["first"], made.seeds[0]]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert "pyarrow" in loaded
    others = {"polars", "jinja2", "rapidfuzz", "sqlite3"}
    assert not loaded & {"torch", "transformers", "peft", "openai", "matplotlib", "dvc", *others}


def test_a_set_that_did_not_grow_from_the_last_is_searched_whole(tmp_path: Path) -> None:
    """An example is found in a set of another order, and not where only its place fits."""
    made = make_run(tmp_path)
    first = tmp_path / "data/sets/1/examples.parquet"
    rows = read_records(first, Example)
    write_records(first, Example, [rows[-1], *rows[:-1]])
    assert explain(tmp_path, made.kept["first"]).sets == [1, 2]
    write_records(first, Example, rows[:-2])
    assert explain(tmp_path, made.kept["first"]).sets == [2]
    assert explain(tmp_path, made.seeds[4]).sets == [0, 1, 2]
