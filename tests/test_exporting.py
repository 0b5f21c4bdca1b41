"""Exporting: the release bundle, and that neither test text nor key is in it."""

import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from finished_run import TEST_INPUTS, Made, make_run

from llm2llm.bundle import layout
from llm2llm.bundle.records import (
    ExportedError,
    ExportedKept,
    ExportedRejection,
    ExportedRequest,
    ExportedResponse,
    ExportedSeed,
)
from llm2llm.files import read_json, read_records, write_json, write_records
from llm2llm.ids import sha256_file
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Rejected

STAGE = Path(__file__).resolve().parent.parent / "stages" / "export.py"


def export(
    root: Path, n_iterations: int = 2, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the stage in a project folder."""
    return subprocess.run(
        [sys.executable, str(STAGE), str(n_iterations)],
        cwd=root,
        capture_output=True,
        text=True,
        env={"PATH": "", **environment},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make and export one run."""
    made = make_run(tmp_path_factory.mktemp("run"))
    done = export(made.root)
    assert done.returncode == 0, done.stderr
    return made


def set_params(root: Path, **changes: Any) -> None:
    """Change the export section; a mapping changes only the keys that it names."""
    values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    for name, value in changes.items():
        known = values["export"][name]
        values["export"][name] = {**known, **value} if isinstance(value, dict) else value
    (root / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def change_earlier(root: Path, name: str, record: type[Any], change: Callable[[Any], Any]) -> None:
    """Change an iteration's records, and what history.json says of the file."""
    path = root / name
    write_records(path, record, [change(row) for row in read_records(path, record)])
    for number in range(1, 3):
        history = read_json(root / f"data/sets/{number}/history.json")
        for entry in history["iterations"]:
            if name in entry["files"]:
                entry["files"][name] = sha256_file(path)
        write_json(root / f"data/sets/{number}/history.json", history)


def rows(root: Path, name: str) -> list[Any]:
    """Read a table of the bundle."""
    return read_records(root / "data/export" / name, layout.TABLES[name])


def test_the_set_is_handed_on_whole(made: Made) -> None:
    """Parquet holds the final set in its order, lineage included, and every form the same pairs."""
    examples = read_records(made.root / "data/sets/2/examples.parquet", Example)
    assert rows(made.root, layout.DATASET) == examples
    read = {
        "chat": lambda row: [message["content"] for message in row["messages"]],
        "prompt_completion": lambda row: [row["prompt"], row["completion"]],
        "alpaca": lambda row: [row["instruction"], row["output"]],
        "sharegpt": lambda row: [turn["value"] for turn in row["conversations"]],
    }
    assert set(read) == set(layout.FORMS)
    for form, name in layout.FORMS.items():
        text = (made.root / "data/export" / name).read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line["example_id"] for line in lines] == [each.example_id for each in examples]
        assert [read[form](line) for line in lines] == [[e.input, e.target] for e in examples]


def test_roles_and_fields_are_those_that_trainers_document(made: Made) -> None:
    """Chat has user and assistant, ShareGPT human and gpt, Alpaca an empty input."""
    first = {
        form: json.loads((made.root / "data/export" / name).read_text().splitlines()[0])
        for form, name in layout.FORMS.items()
    }
    assert [m["role"] for m in first["chat"]["messages"]] == ["user", "assistant"]
    assert [m["from"] for m in first["sharegpt"]["conversations"]] == ["human", "gpt"]
    assert first["alpaca"]["input"] == ""
    info = read_json(made.root / "data/export/dataset_info.json")
    assert {each["file_name"] for each in info.values()} == set(layout.FORMS.values())


def test_no_file_of_the_bundle_holds_a_test_text(made: Made) -> None:
    """Neither the leak that a gate stopped nor the copy that was invalid first is in the bundle."""
    rejected = made.root / "data/iterations/0/screened/rejected.parquet"
    assert TEST_INPUTS[0] in [row.input for row in read_records(rejected, Rejected)]
    texts = []
    for path in sorted((made.root / "data/export").rglob("*")):
        if path.suffix == ".parquet":
            texts += [str(row) for row in pq.read_table(path).to_pylist()]
        elif path.is_file():
            texts.append(path.read_text(encoding="utf-8"))
    assert len(texts) > 30
    for wanted in (*TEST_INPUTS, "wicks a night", "bends eleven barrels"):
        assert not [text for text in texts if wanted in text]


def test_rejections_keep_id_gate_and_score(made: Made) -> None:
    """Every rejection is handed on; text and reason only where no test item is near."""
    found: list[ExportedRejection] = rows(made.root, layout.REJECTED)
    assert [(row.iteration, row.gate) for row in found] == [
        (0, "rouge"),
        (0, "validity"),
        (1, "parse"),
        (1, "duplicate"),
    ]
    leak, copy, unparsable, duplicate = found
    assert (leak.candidate_id, leak.reference_id, leak.score, leak.withheld) == (
        made.rejected["leak"],
        made.tests[0],
        0.97,
        "test",
    )
    assert (leak.input, leak.target, leak.reason) == (None, None, None)
    assert (copy.input, copy.candidate_id, copy.withheld) == (None, made.rejected["copy"], "test")
    assert (unparsable.candidate_id, unparsable.reason) == (None, "no JSON object in it")
    assert (duplicate.input, duplicate.withheld) == ("New apples, again ", None)


def test_the_raw_answer_behind_a_leak_is_withheld(made: Made) -> None:
    """Its response keeps the hash of the text; the other responses keep the text."""
    found: list[ExportedResponse] = rows(made.root, layout.RESPONSES)
    held = {row.request_id for row in found if row.withheld}
    assert held == {made.requests["0/1"], made.requests["0/4"]}
    assert all(row.text is None for row in found if row.request_id in held)
    text = "raw answer for 1 "
    assert found[1].text_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert [row.text for row in found if row.request_id == made.requests["0/0"]] == [
        "raw answer for 0 "
    ]


@pytest.mark.parametrize(
    "text",
    [
        TEST_INPUTS[3],
        "prose before\n" + TEST_INPUTS[3].upper() + "\nand after",
        json.dumps({"question": TEST_INPUTS[3].replace(" ", "\n")}),
        json.dumps({"text": json.dumps({"question": TEST_INPUTS[3].replace("a", "\u00e1")})}),
    ],
)
def test_a_test_item_inside_a_raw_text_is_found(tmp_path: Path, text: str) -> None:
    """Whatever wraps or escapes it: answer, failure and wrong answer of a student are withheld."""
    made = make_run(tmp_path)
    folder = "data/iterations/0"
    asked = made.requests["0/0"]

    def quote(row: Any) -> Any:
        same = {name: getattr(row, name) for name in row.__slots__}
        if isinstance(row, Response) and row.request_id == asked:
            same["text"] = text
        if isinstance(row, SeedError) and row.seed_id == made.seeds[0]:
            same["text"] = text
        return type(row)(**same)

    change_earlier(tmp_path, f"{folder}/responses.parquet", Response, quote)
    change_earlier(tmp_path, f"{folder}/errors.parquet", SeedError, quote)
    done = export(tmp_path)
    assert done.returncode == 0, done.stderr
    errors: list[ExportedError] = rows(tmp_path, layout.ERRORS)
    responses: list[ExportedResponse] = rows(tmp_path, layout.RESPONSES)
    assert [row.withheld for row in errors if row.seed_id == made.seeds[0]] == ["test"]
    assert [row.withheld for row in responses if row.request_id == asked] == ["test"]
    assert errors[0].text is None


def test_a_closely_rewritten_test_item_in_an_unreadable_answer_is_withheld(tmp_path: Path) -> None:
    """Where nothing could be parsed, an answer that has much of a test item's wording stays."""
    made = make_run(tmp_path)
    name = "data/iterations/1/responses.parquet"
    near = "{" + TEST_INPUTS[1].replace("nine", "eight").replace("keeper ", "keeper  ")

    def quote(row: Response) -> Response:
        same = {name: getattr(row, name) for name in Response.__slots__}
        unparsable = row.request_id == made.requests["1/1"]
        return Response(**{**same, "text": near} if unparsable else same)

    change_earlier(tmp_path, name, Response, quote)
    assert export(tmp_path).returncode == 0
    found = {row.request_id: row for row in rows(tmp_path, layout.RESPONSES)}
    assert found[made.requests["1/1"]].withheld == "test"
    assert found[made.requests["1/2"]].withheld is None


def test_lineage_is_complete(made: Made) -> None:
    """Seeds, errors, requests and kept candidates are there, one row each."""
    seeds: list[ExportedSeed] = rows(made.root, layout.SEEDS)
    assert [row.seed_id for row in seeds] == made.seeds
    assert all(row.in_dataset for row in seeds)
    requests: list[ExportedRequest] = rows(made.root, layout.REQUESTS)
    assert {row.request_id for row in requests} == set(made.requests.values())
    kept: list[ExportedKept] = rows(made.root, layout.KEPT)
    assert [row.example_id for row in kept] == list(made.kept.values())
    assert {row.iteration for row in rows(made.root, layout.ERRORS)} == {0, 1}


def test_the_manifest_accounts_for_every_file(made: Made) -> None:
    """Counts and hashes are those of the files, the set, its history and certificates."""
    folder = made.root / "data/export"
    manifest = read_json(folder / "manifest.json")
    assert manifest["counts"] == {
        "examples": 8, "seeds": 5, "augmented": 3, "kept": 3,
        "rejected": 4, "rejected_without_text": 2,
        "errors": 6, "errors_without_text": 0,
        "requests": 6, "requests_without_text": 0,
        "responses": 6, "responses_without_text": 2,
    }  # fmt: skip
    assert (manifest["schema"], manifest["version"], manifest["set"]) == (1, "1.2.3", 2)
    others = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert others - {"manifest.json"} == set(manifest["files"])
    for name, file in manifest["files"].items():
        path = folder / name
        assert (sha256_file(path), path.stat().st_size) == (file["sha256"], file["bytes"])
    assert manifest["history_sha256"] == sha256_file(made.root / "data/sets/2/history.json")
    assert set(manifest["certificates"]) == {"0", "1"}


def test_equal_runs_export_equal_bytes(made: Made, tmp_path: Path) -> None:
    """Bundle and archive of an equal run in another folder do not differ in a byte."""
    other = make_run(tmp_path)
    assert export(tmp_path).returncode == 0
    paths = [path for path in sorted((made.root / "data/export").rglob("*")) if path.is_file()]
    for path in [*paths, made.root / "data/export.tar.gz"]:
        assert path.read_bytes() == (other.root / path.relative_to(made.root)).read_bytes()


def test_the_archive_tells_no_time_and_no_owner(made: Made) -> None:
    """Its entries are sorted, of 1970 and of nobody, and are the files of the bundle."""
    path = made.root / "data/export.tar.gz"
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == sorted(member.name for member in members)
        for member in members:
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
            inside = archive.extractfile(member)
            assert inside is not None
            name = member.name.removeprefix("made-up-1.2.3/")
            assert inside.read() == (made.root / "data/export" / name).read_bytes()
    assert path.read_bytes()[4:8] == b"\0" * 4
    assert gzip.decompress(path.read_bytes())


def test_the_card_tells_what_was_declared_and_what_not(made: Made) -> None:
    """The header is the Hub's YAML; license, terms, counts and gaps stand in the text."""
    text = (made.root / "data/export/README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == "mit"
    assert header["size_categories"] == ["n<1K"]
    assert {each["config_name"] for each in header["configs"]} > {"default", "rejected"}
    assert "| license of the seeds | mit |" in text
    assert "8 examples, 5 of them seeds and 3 written" in text
    assert "- Paraphrases." in text
    assert "2 of 6 responses" in text
    assert "Cobbe et al. 2021" in text


def test_a_declaration_for_other_seeds_counts_as_none(tmp_path: Path) -> None:
    """A license that was declared for one file is not claimed for another, and export says so."""
    make_run(tmp_path)
    set_params(tmp_path, card={"seeds_file": "other.jsonl"})
    done = export(tmp_path)
    assert done.returncode == 0
    assert "the card declares nothing: `export.card` is for other.jsonl" in done.stderr
    text = (tmp_path / "data/export/README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "unknown"
    assert "| license of the seeds | not declared |" in text
    assert "license" not in read_json(tmp_path / "data/export/croissant.json")


def test_what_stands_in_a_card_cannot_break_its_tables(tmp_path: Path) -> None:
    """Line breaks, bars and tags in declared texts and model names stay text."""
    make_run(tmp_path, hostile="|\n<script>x</script>")
    assert export(tmp_path).returncode == 0
    text = (tmp_path / "data/export/README.md").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "| `teacher-1 \\| &lt;script>x&lt;/script>` | 3 | not declared |" in text


def test_private_seeds_stay(tmp_path: Path) -> None:
    """The augmented-only form has no seed, no request and no student's or teacher's raw words."""
    made = make_run(tmp_path)
    set_params(tmp_path, augmented_only=True)
    done = export(tmp_path)
    assert done.returncode == 0, done.stderr
    found: list[Example] = rows(tmp_path, layout.DATASET)
    assert [row.example_id for row in found] == list(made.kept.values())
    assert {row.error for row in found} == {None}
    assert {row.request for row in rows(tmp_path, layout.REQUESTS)} == {None}
    assert {row.text for row in rows(tmp_path, layout.ERRORS)} == {None}
    assert {row.text for row in rows(tmp_path, layout.RESPONSES)} == {None}
    assert {row.input for row in rows(tmp_path, layout.REJECTED)} == {None}
    seeds: list[ExportedSeed] = rows(tmp_path, layout.SEEDS)
    assert [(row.seed_id, row.in_dataset) for row in seeds] == [(s, False) for s in made.seeds]
    whole = b"".join(
        gzip.decompress((tmp_path / "data/export.tar.gz").read_bytes()).split(b"\0" * 100)
    )
    assert b"what is 3 plus 3" not in whole


@pytest.mark.parametrize("name", ["screened/rejected.parquet", "screened/certificate.json"])
def test_a_changed_file_stops_the_export(tmp_path: Path, name: str) -> None:
    """Nothing is exported from a run whose earlier files changed since they were merged."""
    make_run(tmp_path)
    path = tmp_path / "data/iterations/0" / name
    path.write_bytes(path.read_bytes() + b" ")
    done = export(tmp_path)
    assert done.returncode == 3
    assert f"{name}: SHA-256" in done.stderr
    assert not (tmp_path / "data/export").exists()


def test_a_run_without_iterations_exports_its_seeds(tmp_path: Path) -> None:
    """Set 0 alone is a bundle too, with empty tables of lineage."""
    make_run(tmp_path, n_iterations=0)
    assert export(tmp_path, 0).returncode == 0
    manifest = read_json(tmp_path / "data/export/manifest.json")
    assert (manifest["counts"]["seeds"], manifest["counts"]["rejected"]) == (5, 0)
    assert rows(tmp_path, layout.RESPONSES) == []


def test_formats_are_those_asked_for(tmp_path: Path) -> None:
    """Only the forms that params.yaml names are written; Parquet cannot be left out."""
    make_run(tmp_path)
    set_params(tmp_path, formats=["parquet", "alpaca"])
    assert export(tmp_path).returncode == 0
    names = {path.name for path in (tmp_path / "data/export").glob("*.jsonl")}
    assert names == {"alpaca.jsonl"}
    set_params(tmp_path, formats=["chat", "chat"])
    done = export(tmp_path)
    assert done.returncode == 2
    assert "each format is named once" in done.stderr
    set_params(tmp_path, formats=["chat"])
    assert "parquet among them" in export(tmp_path).stderr
    set_params(tmp_path, formats=["parquet"], version="1.0")
    assert "`export.version`" in export(tmp_path).stderr


def test_a_test_item_in_a_declared_text_stops_the_export(tmp_path: Path) -> None:
    """What a person wrote is read back too: a card that quotes the test set is not released."""
    make_run(tmp_path)
    set_params(tmp_path, card={"description": f"Such as: {TEST_INPUTS[2]}"})
    done = export(tmp_path)
    assert done.returncode == 5
    assert "stands in it; nothing is exported" in done.stderr
    assert not (tmp_path / "data/export").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("my-secret-value-1", "the teacher's API key"),
        ("sk-" + "aB3" * 12, "an API key"),
        ("hf_" + "aB3" * 11, "a Hugging Face token"),
    ],
)
def test_a_key_stops_the_export(tmp_path: Path, text: str, says: str) -> None:
    """The key that params name, or anything of a key's shape, is found and not quoted."""
    make_run(tmp_path)
    path = tmp_path / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["teacher_batch"]["openai"] = {"api_key_env": "MY_KEY"}
    values["export"]["card"]["creator"] = f"me, with {text}"
    path.write_text(yaml.safe_dump(values))
    done = export(tmp_path, MY_KEY="my-secret-value-1")
    assert done.returncode == 3
    assert says in done.stderr
    assert text not in done.stderr


def test_the_docs_name_every_output(made: Made) -> None:
    """Each file of report and bundle, and each column of the plots file, stands in the docs."""
    report = subprocess.run(
        [sys.executable, str(STAGE.with_name("report.py")), "2"], cwd=made.root, check=False
    )
    assert report.returncode == 0
    docs = (STAGE.parent.parent / "docs" / "outputs.md").read_text(encoding="utf-8")
    bundle = read_json(made.root / "data/export/manifest.json")["files"]
    files = [path.name + "/" * path.is_dir() for path in (made.root / "data/report").iterdir()]
    columns = (made.root / "data/report/plots.csv").read_text().splitlines()[0].split(",")
    parts = read_json(made.root / "data/report/metrics.json")
    names = [*files, *columns, *parts, *(name for name in bundle if "certificates" not in name)]
    assert len(names) > 30
    assert [name for name in names if f"`{name}`" not in docs] == []
