"""Real rows through the same stages: GSM8K with the symbolic teacher, TREC over HTTP.

`make real REAL_DATA=FOLDER` runs these; FOLDER holds gsm8k/ and trec/ with train.jsonl and
test.jsonl in the published fields (question and answer; text and label).
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pipeline"))

from project import Project, make_project
from server import Server

from llm2llm.arithmetic import check_annotations
from llm2llm.files import read_records
from llm2llm.records.examples import Example
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow

pytestmark = pytest.mark.timeout(1800)
DATA = Path(os.environ["REAL_DATA"]).resolve()


@pytest.fixture(scope="module")
def gsm8k(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Run preset gsm8k-smoke: 1 % of the train rows, three iterations."""
    project = make_project(tmp_path_factory.mktemp("gsm8k") / "p")
    use_preset(project, "gsm8k-smoke", "gsm8k")
    project.repro()
    return project


@pytest.fixture(scope="module")
def trec_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a teacher that writes questions of the class it is asked for."""
    running = Server(tmp_path_factory.mktemp("server"), "trec")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def trec(tmp_path_factory: pytest.TempPathFactory, trec_server: Server) -> Project:
    """Run preset trec-smoke: 60 seeds, two iterations, over HTTP."""
    project = make_project(tmp_path_factory.mktemp("trec") / "p")
    use_preset(project, "trec-smoke", "trec")
    project.set_params(teacher_batch={"openai": {"base_url": trec_server.url}})
    project.repro()
    return project


def use_preset(project: Project, preset: str, data: str) -> None:
    """Switch a project to a preset, with the raw files where they lie."""
    raw = [f"--{name}={DATA / data / f'{name}.jsonl'}" for name in ("train", "test")]
    project.run("llm2llm", "preset", "use", preset, *raw)
    # A barely trained student and short answers do here: on real rows the embedded student is
    # near zero anyway.
    project.set_params(base_model={"n_tokens": 50_000}, predict={"max_new_tokens": 60})
    project.run("llm2llm", "validate", "--no-reach")


def final_set(project: Project) -> list[Example]:
    """Read the last set."""
    last = project.params()["iterations"]
    return read_records(project.root / f"data/sets/{last}/examples.parquet", Example)


def test_gsm8k_grows_by_consistent_arithmetic(gsm8k: Project) -> None:
    """74 seeds get new examples, each with a chain of calculations that holds exactly."""
    examples = final_set(gsm8k)
    seeds = [e for e in examples if e.origin == "seed"]
    new = [e for e in examples if e.origin == "augmented"]
    assert len(seeds) == 74
    assert len(new) > 74
    assert [e.example_id for e in new if check_annotations(e.target) is not None] == []


def test_gsm8k_is_checked_against_the_whole_test_file(gsm8k: Project) -> None:
    """All 1,319 test items are the reference, and no example is one of them."""
    test = read_records(gsm8k.root / "data/split/test.parquet", SplitRow)
    assert len(test) == 1319
    certificate = json.loads(
        (gsm8k.root / "data/iterations/2/screened/certificate.json").read_text(encoding="utf-8")
    )
    assert certificate["test_set"]["n_items"] == 1319
    inputs = {row.input for row in test}
    assert [e.example_id for e in final_set(gsm8k) if e.input in inputs] == []


def test_gsm8k_examples_are_all_traced(gsm8k: Project) -> None:
    """`explain` gives every augmented example's seed, request and checkpoint."""
    for example in [e for e in final_set(gsm8k) if e.origin == "augmented"][::40]:
        told = json.dumps(gsm8k.json("explain", example.example_id))
        for part in (example.seed_id, example.request_id, example.checkpoint):
            assert part is not None
            assert part in told


def test_gsm8k_declines_are_counted(gsm8k: Project) -> None:
    """Requests are answered or failed with a reason, in every iteration."""
    history = json.loads((gsm8k.root / "data/sets/3/history.json").read_text(encoding="utf-8"))
    for entry in history["iterations"]:
        counts = entry["counts"]
        assert counts["requests"] == counts["answered"] + counts["failed"]
        assert counts["answered"] > 0


def test_trec_grows_over_http_with_labels_kept(trec: Project, trec_server: Server) -> None:
    """60 seeds get questions of their own class from the HTTP teacher; each was asked once."""
    examples = final_set(trec)
    target = {e.seed_id: e.target for e in examples if e.origin == "seed"}
    new = [e for e in examples if e.origin == "augmented"]
    assert len(target) == 60
    assert len(new) > 20
    assert [e.example_id for e in new if e.target != target[e.seed_id]] == []
    asked = trec_server.asked()
    assert len(asked) == len(set(asked))


def test_trec_test_questions_in_train_are_found(trec: Project) -> None:
    """The test questions that the published train file holds are reported and left out."""
    report = json.loads((trec.root / "data/split/report.json").read_text(encoding="utf-8"))
    assert report["leaks_found"] >= 11
    assert report["leaks_dropped"] > 0
    assert report["duplicates_dropped"] > 0


def test_rejections_name_their_reason(gsm8k: Project, trec: Project) -> None:
    """Whatever was rejected names gate and reason, and pairs name their reference."""
    for project in (gsm8k, trec):
        for path in project.root.glob("data/iterations/*/screened/rejected.parquet"):
            for row in read_records(path, Rejected):
                assert row.reason
                if row.gate not in ("parse", "validity"):
                    assert row.reference_id
