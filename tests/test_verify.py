"""`llm2llm verify`: a sound bundle holds, and whatever was tampered with is named."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from finished_run import TEST_INPUTS, Made, make_run
from test_leakage_embedding import letters
from typer.testing import CliRunner, Result

from llm2llm.bundle import layout
from llm2llm.bundle.archive import opened, write_archive
from llm2llm.bundle.retesting import retest
from llm2llm.bundle.verifying import verify
from llm2llm.cli.main import app
from llm2llm.exceptions import DataError
from llm2llm.files import read_json, read_records, write_json, write_records
from llm2llm.ids import sha256_file
from llm2llm.leakage.certificate import nearest_kept
from llm2llm.records.examples import Example

STAGE = Path(__file__).resolve().parent.parent / "stages" / "export.py"
# What a receiver gets with `pip install llm2llm`; all else must not be needed.
EXTRAS = [
    *("torch", "transformers", "peft", "accelerate", "dvc", "openai", "tenacity"),
    *("matplotlib", "vllm", "datasets", "huggingface_hub", "httpx2"),
]

DEEP = "[" * 200_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make and export one run."""
    made = make_run(tmp_path_factory.mktemp("run"))
    subprocess.run([sys.executable, str(STAGE), "2"], cwd=made.root, check=True)
    return made


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Path:
    """Give a copy of the bundle, to be changed."""
    return Path(shutil.copytree(made.root / "data/export", tmp_path / "bundle"))


def rehash(bundle: Path) -> None:
    """Bring manifest and Croissant file up to what lies there, as a careful forger would."""
    manifest = read_json(bundle / "manifest.json")
    croissant = read_json(bundle / "croissant.json")
    for name in manifest["files"]:
        if name != "croissant.json":
            manifest["files"][name] |= size_and_hash(bundle / name)
    for entry in croissant["distribution"]:
        entry["sha256"] = sha256_file(bundle / entry["contentUrl"])
    write_json(bundle / "croissant.json", croissant)
    manifest["files"]["croissant.json"] |= size_and_hash(bundle / "croissant.json")
    write_json(bundle / "manifest.json", manifest)


def size_and_hash(path: Path) -> dict[str, Any]:
    """Describe a file as the manifest does."""
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}


def forge(bundle: Path, name: str, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change the rows of a table, its number in the manifest and all hashes."""
    record = layout.TABLES[name]
    rows = change(read_records(bundle / name, record))
    write_records(bundle / name, record, rows)
    manifest = read_json(bundle / "manifest.json")
    manifest["files"][name]["rows"] = len(rows)
    write_json(bundle / "manifest.json", manifest)
    rehash(bundle)


def problems(bundle: Path) -> dict[str, str]:
    """Give what each check that did not pass says."""
    found = verify(bundle)
    wrong = [check for check in found.checks if check.n_problems]
    assert found.passed == (not wrong)
    return {
        check.name: "\n".join(f"{each.file}: {each.problem}" for each in check.problems)
        for check in wrong
    }


def first(change: Callable[[Any], Any], at: int = 0) -> Callable[[list[Any]], list[Any]]:
    """Change one row of a table."""
    return lambda rows: [*rows[:at], change(rows[at]), *rows[at + 1 :]]


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["verify", *arguments])


def test_a_sound_bundle_holds(made: Made, bundle: Path) -> None:
    """Folder and archive pass every check."""
    assert problems(bundle) == {}
    with opened(made.root / "data/export.tar.gz") as folder:
        assert problems(folder) == {}
    found = json.loads(run(str(bundle), "--json").stdout)
    assert (found["passed"], found["n_examples"], found["version"]) == (True, 8, "1.2.3")
    assert found["manifest_sha256"] == sha256_file(bundle / "manifest.json")
    assert len(found["checks"]) == 7


@pytest.mark.parametrize(
    "params",
    [{"n_iterations": 0}, {"asked": False}, {"hostile": "<script>'\"\\\u202e"}],
    ids=["seeds alone", "nothing asked", "hostile texts"],
)
def test_bundles_of_other_runs_hold(tmp_path: Path, params: dict[str, Any]) -> None:
    """No iteration, nothing to ask, or texts that break what prints them: all is well."""
    make_run(tmp_path, **params)
    n = str(params.get("n_iterations", 2))
    subprocess.run([sys.executable, str(STAGE), n], cwd=tmp_path, check=True)
    assert problems(tmp_path / "data/export") == {}


def test_the_augmented_only_form_holds(tmp_path: Path) -> None:
    """Private seeds are parents by id alone."""
    make_run(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("augmented_only: false", "augmented_only: true"))
    subprocess.run([sys.executable, str(STAGE), "2"], cwd=tmp_path, check=True)
    assert problems(tmp_path / "data/export") == {}


@pytest.mark.parametrize("name", ["README.md", "params.json", "dataset.parquet", "chat.jsonl"])
def test_a_changed_byte_is_named(bundle: Path, name: str) -> None:
    """One flipped bit in any file fails the check of files, which names it."""
    path = bundle / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert f"{name}: SHA-256 is" in problems(bundle)["files"]


def test_lost_and_added_files_are_named(bundle: Path) -> None:
    """A file on one side only is a problem, wherever it lies."""
    (bundle / "lineage/kept.parquet").unlink()
    (bundle / "extra.txt").write_text("x")
    found = problems(bundle)["files"]
    assert "lineage/kept.parquet: missing" in found
    assert "extra.txt: the manifest does not list it" in found


@pytest.mark.parametrize(
    ("name", "change", "check", "says"),
    [
        ("dataset.parquet", first(lambda r: replace(r, target="#### 9"), 5), "rows", "row 5, ex-"),
        ("dataset.parquet", lambda rows: rows[:-1], "counts", "examples: says 8, the rows give 7"),
        ("dataset.parquet", lambda rows: [*rows, rows[0]], "lineage", "more than once"),
        (
            "dataset.parquet",
            first(lambda r: replace(r, seed_id="ex-none"), 6),
            "lineage",
            "ex-none: its seed is not in the bundle",
        ),
        (
            "dataset.parquet",
            first(lambda r: replace(r, request_id="rq-none"), 6),
            "lineage",
            "rq-none, ex-",
        ),
        (
            "dataset.parquet",
            first(lambda r: replace(r, checkpoint="00"), 6),
            "lineage",
            "its error is not in the bundle",
        ),
        (
            "dataset.parquet",
            first(lambda r: replace(r, teacher="another"), 6),
            "lineage",
            "the response of its teacher",
        ),
        (
            "dataset.parquet",
            first(lambda r: replace(r, error="never said"), 6),
            "lineage",
            "its error is not that of the error's row",
        ),
        ("dataset.parquet", first(lambda r: replace(r, iteration=1), 0), "rows", "origin seed"),
        (
            "lineage/requests.parquet",
            first(lambda r: replace(r, request="{}")),
            "rows",
            "row 0: the text's SHA-256",
        ),
        (
            "lineage/responses.parquet",
            first(lambda r: replace(r, text="other")),
            "rows",
            "row 0: the text's SHA-256",
        ),
        (
            "lineage/responses.parquet",
            first(lambda r: replace(r, n_prompt_tokens=1)),
            "counts",
            "iteration 0: tokens",
        ),
        (
            "dataset.parquet",
            lambda rows: [replace(r, error=None) for r in rows],
            "lineage",
            "its error is not that of the error's row",
        ),
        (
            "lineage/errors.parquet",
            first(lambda r: replace(r, verdict="right")),
            "lineage",
            "its verdict is `right`, which is no error",
        ),
        (
            "lineage/errors.parquet",
            first(lambda r: replace(r, verdict="unparsable")),
            "lineage",
            "its verdict is not that of lineage/seeds.parquet",
        ),
        (
            "lineage/errors.parquet",
            first(lambda r: replace(r, n_wrong_in_a_row=9)),
            "lineage",
            "n_wrong_in_a_row does not follow",
        ),
        (
            "lineage/errors.parquet",
            first(lambda r: replace(r, ever_right=not r.ever_right)),
            "lineage",
            "ever_right does not follow",
        ),
        (
            "lineage/seeds.parquet",
            lambda rows: [
                replace(rows[0], verdicts=rows[2].verdicts),
                rows[1],
                replace(rows[2], verdicts=rows[0].verdicts),
                *rows[3:],
            ],
            "lineage",
            "its verdict is not that of lineage/seeds.parquet",
        ),
        (
            "lineage/seeds.parquet",
            first(lambda r: replace(r, verdicts=["right", "wrong"]), 3),
            "lineage",
            ", 1: its error is not in the bundle",
        ),
        (
            "lineage/errors.parquet",
            first(lambda r: replace(r, text=None)),
            "rows",
            "row 0: the text is missing",
        ),
        ("lineage/errors.parquet", lambda rows: rows[1:], "lineage", "its error is not in the"),
        ("lineage/kept.parquet", lambda rows: rows[1:], "lineage", "its screening is not in the"),
        (
            "lineage/seeds.parquet",
            first(lambda r: replace(r, n_kept=7)),
            "counts",
            "row 0: n_kept: says 7",
        ),
        (
            "lineage/seeds.parquet",
            first(lambda r: replace(r, verdicts=["right", "right"])),
            "counts",
            "accuracy.seed.n_right: says 2, the rows give 3",
        ),
        ("rejected.parquet", lambda rows: rows[1:], "certificates", "rejected_by_gate: says"),
        (
            "rejected.parquet",
            first(lambda r: replace(r, gate="validity")),
            "counts",
            "rejected: says {'rouge': 1",
        ),
        (
            "rejected.parquet",
            first(lambda r: replace(r, reference_id="ex-none"), 3),
            "lineage",
            "ex-none: what it is a copy of is not in the bundle",
        ),
        (
            "lineage/kept.parquet",
            first(lambda r: replace(r, nearest_train_id="ex-none")),
            "lineage",
            "ex-none: the training example it is near is not in the bundle",
        ),
        (
            "rejected.parquet",
            first(lambda r: replace(r, input="x", withheld=None), 3),
            "rows",
            "row 3: its text is not that of its candidate_id",
        ),
    ],
)
def test_a_forged_row_is_named_though_every_hash_was_mended(
    bundle: Path, name: str, change: Callable[[list[Any]], list[Any]], check: str, says: str
) -> None:
    """Ids, parents and counts hold each other; no row can change alone."""
    forge(bundle, name, change)
    assert says in problems(bundle)[check]


def test_a_forged_line_of_a_form_is_named(bundle: Path) -> None:
    """The forms are compared with the dataset, line by line."""
    path = bundle / "alpaca.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:3], lines[3].replace("####", "###"), *lines[4:]]))
    rehash(bundle)
    known = read_records(bundle / layout.DATASET, layout.TABLES[layout.DATASET])[3].example_id
    assert problems(bundle) == {
        "forms": f"alpaca.jsonl: line 4: expected {known} of {layout.DATASET}"
    }
    path.write_text("".join([*lines, lines[0]]))
    rehash(bundle)
    assert problems(bundle)["forms"] == "alpaca.jsonl: line 9: no example is left"


def test_a_forged_count_is_named(bundle: Path) -> None:
    """Neither manifest nor history can claim another number."""
    manifest = read_json(bundle / "manifest.json")
    manifest["counts"]["responses_without_text"] = 0
    write_json(bundle / "manifest.json", manifest)
    assert "responses_without_text: says 0, the rows give 2" in problems(bundle)["counts"]
    history = read_json(bundle / "history.json")
    history["iterations"][1]["set"]["n_examples"] = 70
    write_json(bundle / "history.json", history)
    rehash(bundle)
    found = problems(bundle)
    assert "iteration 1: set.n_examples: says 70, the rows give 7" in found["counts"]
    assert "history.json: not the history that the manifest names" in found["certificates"]


def change_manifest(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest alone."""
    manifest = read_json(bundle / "manifest.json")
    change(manifest)
    write_json(bundle / "manifest.json", manifest)


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        (lambda m: m["files"]["README.md"].update(bytes=1), "files", "the manifest says 1"),
        (lambda m: m["files"]["chat.jsonl"].update(rows=9), "forms", "8 rows, the manifest says 9"),
        (lambda m: m["files"]["rejected.parquet"].update(rows=9), "schemas", "4 rows, the"),
        (
            lambda m: m.update(version="9.9.9"),
            "files",
            "version: says '9.9.9', params.json",
        ),
        (lambda m: m.update(name="other"), "files", "name: says 'other'"),
        (lambda m: m.update(augmented_only=True), "files", "augmented_only: says True"),
        (lambda m: m.update(formats=["parquet"]), "forms", "chat.jsonl: listed, though it is none"),
        (lambda m: m.update(set=3), "files", "expected one for each of the 3 iterations"),
    ],
)
def test_a_forged_manifest_is_named(
    bundle: Path, change: Callable[[dict[str, Any]], None], check: str, says: str
) -> None:
    """Whatever it says of a file or of the whole stands somewhere else too."""
    change_manifest(bundle, change)
    assert says in problems(bundle)[check]


@pytest.mark.parametrize("name", ["train.jsonl", "lineage/more.parquet", "certificates/00.json"])
def test_a_file_of_no_bundle_is_named_though_the_manifest_lists_it(bundle: Path, name: str) -> None:
    """Nobody is handed a file that no check looks into."""
    (bundle / name).write_text("{}")
    change_manifest(bundle, lambda m: m["files"].update({name: size_and_hash(bundle / name)}))
    assert f"{name}: no file of a bundle" in problems(bundle)["files"]


def test_a_file_that_croissant_does_not_describe_is_named(bundle: Path) -> None:
    """Its hashes are those of the manifest, none more and none less."""
    croissant = read_json(bundle / "croissant.json")
    croissant["distribution"] = croissant["distribution"][1:]
    write_json(bundle / "croissant.json", croissant)
    rehash(bundle)
    assert "croissant.json: its hash of alpaca.jsonl is not" in problems(bundle)["files"]


def test_large_tables_are_compared_in_parts(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many parts there are, a sound bundle holds and every orphan is named once."""
    monkeypatch.setattr("llm2llm.bundle.links._PART_ROWS", 1)
    assert problems(bundle) == {}
    forge(bundle, layout.ERRORS, lambda _: [])
    found = problems(bundle)["lineage"].splitlines()
    [orphans] = [line for line in found if line.endswith("its error is not in the bundle")][:1]
    assert orphans.count("ex-") == 3
    monkeypatch.setattr("llm2llm.bundle.links._N_SHOWN", 2)
    assert " and 1 more: its error is not in the bundle" in problems(bundle)["lineage"]


def test_problems_are_worded_for_who_has_no_project(bundle: Path) -> None:
    """A receiver is not told to run what only the owner can run."""
    (bundle / "lineage/errors.parquet").write_bytes(b"x")
    (bundle / "history.json").unlink()
    found = problems(bundle)
    assert "cannot be read as Parquet" in found["schemas"]
    assert not [said for said in found.values() if "dvc" in said]


def test_a_forged_certificate_is_named(bundle: Path) -> None:
    """history.json recorded the certificate's hash when the set was merged."""
    path = bundle / "certificates/1.json"
    certificate = read_json(path)
    certificate["gates"][1]["rejected_from"] = 0.2
    certificate["gate_version"] = "v2"
    write_json(path, certificate)
    rehash(bundle)
    found = problems(bundle)
    assert list(found) == ["certificates"]
    assert "certificates/1.json: SHA-256 is" in found["certificates"]
    assert "rows were screened by v1" in found["certificates"]


def certify_nearest(bundle: Path) -> None:
    """Let each certificate list its nearest rows, and bring what records it up to that."""
    kept = read_records(bundle / layout.KEPT, layout.TABLES[layout.KEPT])
    for i in (0, 1):
        path = bundle / layout.certificate(i)
        rows = [row for row in kept if row.iteration == i]
        write_json(path, read_json(path) | {"nearest_kept": nearest_kept(rows)})
    record_certificates(bundle)


def record_certificates(bundle: Path) -> None:
    """Bring history and manifest up to the certificates that lie there."""
    history = read_json(bundle / "history.json")
    manifest = read_json(bundle / "manifest.json")
    for entry in history["iterations"]:
        i = entry["iteration"]
        sha256 = sha256_file(bundle / layout.certificate(i))
        entry["files"][f"data/iterations/{i}/screened/certificate.json"] = sha256
        manifest["certificates"][str(i)] = sha256
    write_json(bundle / "history.json", history)
    manifest["history_sha256"] = sha256_file(bundle / "history.json")
    write_json(bundle / "manifest.json", manifest)
    rehash(bundle)


@pytest.mark.parametrize(
    "change",
    [{"nearest_test_id": None, "nearest_test_score": None}, {"nearest_test_score": 0.01}],
)
def test_the_rows_nearest_to_the_test_set_are_those_certified(
    bundle: Path, change: dict[str, Any]
) -> None:
    """No score can be lowered, or taken away, where a certificate tells it."""
    certify_nearest(bundle)
    assert problems(bundle) == {}
    forge(bundle, layout.KEPT, first(lambda r: replace(r, **change)))
    says = "iteration 0: its rows nearest to the test set are not those that certificates/0.json"
    assert says in problems(bundle)["certificates"]


def test_a_quote_may_stand_where_the_error_is_withheld(bundle: Path) -> None:
    """It is known by the hash of the error's text, and another quote is named."""
    forge(
        bundle,
        layout.ERRORS,
        lambda rows: [replace(r, text=None, answer=None, withheld="test") for r in rows],
    )
    assert "lineage" not in problems(bundle)
    forge(bundle, layout.DATASET, first(lambda r: replace(r, error="never said"), 6))
    assert "its error is not that of the error's row" in problems(bundle)["lineage"]


def test_another_schema_of_a_table_is_named(bundle: Path) -> None:
    """A table with other columns is no table of the bundle."""
    shutil.copy(bundle / "lineage/kept.parquet", bundle / "lineage/errors.parquet")
    rehash(bundle)
    assert "not a file of ExportedError records" in problems(bundle)["schemas"]


@pytest.mark.parametrize(
    ("name", "content", "check", "says"),
    [
        ("certificates/0.json", "[]", "certificates", "found list, expected an object"),
        ("certificates/0.json", "{", "certificates", "not JSON"),
        ("history.json", "{}", "counts", "field iterations: field required"),
        ("history.json", DEEP, "certificates", "nested too deeply"),
        ("croissant.json", "null", "files", "found NoneType, expected an object"),
        ("croissant.json", '{"distribution": 1}', "files", "has not its form"),
        ("params.json", "[]", "files", "found list, expected an object"),
    ],
)
def test_a_file_of_another_shape_fails_its_check(
    bundle: Path, name: str, content: str, check: str, says: str
) -> None:
    """Whatever a JSON file holds, the others are checked and this one is not believed."""
    (bundle / name).write_text(content)
    found = problems(bundle)
    assert f"{name}: SHA-256 is" in found["files"]
    [unfinished] = [line for line in found[check].splitlines() if line.startswith("check ")]
    assert says in unfinished
    assert "rows" not in found


@pytest.mark.parametrize(
    "change", ["missing", "empty", "schema", "json", "deep", "list", "field", "set"]
)
def test_what_cannot_be_checked_exits_with_2(bundle: Path, change: str) -> None:
    """No bundle, no manifest, a manifest of another schema: the message says what to do."""
    path = bundle / "manifest.json"
    if change == "missing":
        path.unlink()
    elif change == "empty":
        shutil.rmtree(bundle)
    elif change == "schema":
        path.write_text('{"schema": 99}')
    elif change == "json":
        path.write_text("{")
    elif change == "deep":
        path.write_text(DEEP)
    elif change == "list":
        path.write_text("[]")
    elif change == "set":
        change_manifest(bundle, lambda m: m.update(set=10**9))
    else:
        path.write_text('{"schema": 1}')
    done = run(str(bundle))
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert "dvc" not in done.stderr


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    """A path that leads out is refused, as is a file that is no archive."""
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("../evil.txt")
        archive.addfile(info)
    assert run(str(path)).exit_code == 2
    assert not (tmp_path.parent / "evil.txt").exists()
    path.write_bytes(b"no archive")
    assert "cannot be unpacked" in run(str(path)).stderr
    with pytest.raises(DataError, match="no such file or folder"), opened(tmp_path / "none"):
        pass


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["b/../../evil.txt"], tarfile.REGTYPE),
        (["/evil.txt"], tarfile.REGTYPE),
        (["b/link"], tarfile.SYMTYPE),
        (["b/link"], tarfile.LNKTYPE),
        (["b/pipe"], tarfile.FIFOTYPE),
        (["b/a", "b/a/c"], tarfile.REGTYPE),
        (["b/a", "b/a"], tarfile.REGTYPE),
    ],
)
def test_an_archive_holds_files_and_folders_alone(
    tmp_path: Path, names: list[str], kind: bytes
) -> None:
    """Paths out of it, links, devices, and names that are taken end in a message."""
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    done = run(str(path))
    assert (done.exit_code, "cannot be unpacked" in done.stderr) == (2, True), done.output
    assert not Path("/evil.txt").exists()


def test_an_archive_cut_short_cannot_be_checked(made: Made, tmp_path: Path) -> None:
    """Half a download is told from a forged bundle."""
    whole = (made.root / "data/export.tar.gz").read_bytes()
    path = tmp_path / "half.tar.gz"
    path.write_bytes(whole[: len(whole) // 2])
    done = run(str(path))
    assert done.exit_code == 2
    assert "get it again" in done.stderr


def test_a_damaged_archive_cannot_be_checked(made: Made, tmp_path: Path) -> None:
    """Bytes changed on the way, wherever, end in a message."""
    whole = bytearray((made.root / "data/export.tar.gz").read_bytes())
    path = tmp_path / "damaged.tar.gz"
    for place in range(20, len(whole), len(whole) // 20):
        path.write_bytes(whole[:place] + b"\xff" * 8 + whole[place + 8 :])
        done = run(str(path))
        assert done.exit_code == 2
        assert "cannot be unpacked" in done.stderr


def test_a_folder_of_any_name_holds(bundle: Path) -> None:
    """Characters of file patterns in a path are no patterns."""
    assert problems(bundle.rename(bundle.with_name("b[1]*?"))) == {}


@pytest.mark.parametrize("name", ["certificates/x.json", "params.json", "certificates/1.json"])
def test_a_bundle_that_does_not_hold_is_not_compared(
    bundle: Path, tmp_path: Path, name: str
) -> None:
    """The test file is left alone, and that is said."""
    (bundle / name).write_text("[]")
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"question": "A cloud has no corners"}) + "\n")
    done = run(str(bundle), "--test", str(own))
    assert done.exit_code == 1
    assert "was not compared, as the bundle does not hold" in done.stdout
    found = verify(bundle, own)
    assert (found.retest, found.retest_left_out) == (None, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("params.json", {"task_file": []}),
        ("certificates/1.json", {"gates": 5}),
        ("certificates/1.json", {"gates": [{"gate": "exact"}]}),
    ],
)
def test_comparing_names_a_field_of_another_shape(
    bundle: Path, tmp_path: Path, name: str, value: dict[str, Any]
) -> None:
    """What a forger made consistent and no check looks at is still no traceback."""
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"question": "A cloud has no corners"}) + "\n")
    write_json(bundle / name, read_json(bundle / name) | value)
    with pytest.raises(DataError, match=r"json: field (task_file|gates)"):
        retest(bundle, own, None, None)


def test_the_receivers_own_test_file_is_compared(made: Made, bundle: Path, tmp_path: Path) -> None:
    """With other test items nothing is found; an item like an augmented example fails."""
    own = tmp_path / "own.jsonl"
    clean = {"question": "A cloud has no corners, so how would one fold it?", "answer": "#### 0"}
    own.write_text(json.dumps(clean) + "\n")
    done = run(str(bundle), "--test", str(own))
    assert done.exit_code == 0, done.stdout
    assert "leaks: 0" in done.stdout
    assert "no, another one" in done.stdout
    own.write_text(json.dumps(clean) + "\n\n" + json.dumps({"question": "new PLUMS!"}) + "\n")
    done = run(str(bundle), "--test", str(own), "--json")
    assert done.exit_code == 1
    leak = json.loads(done.stdout)["retest"]["leaks"][0]
    assert (leak["example_id"], leak["gate"], leak["test_line"]) == (made.kept["third"], "exact", 3)


def test_the_owners_test_set_is_recognized(bundle: Path, tmp_path: Path) -> None:
    """The same rows in the same order are those that the certificates are about."""
    own = tmp_path / "own.jsonl"
    rows = [{"question": text, "answer": f"#### {n}"} for n, text in enumerate(TEST_INPUTS)]
    own.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = verify(bundle, own)
    assert found.retest is not None
    assert (found.retest.same_test_set, found.retest.n_leaks) == (True, 0)
    assert found.retest.cuts["rouge"] == 0.85


def test_a_seed_near_a_test_item_is_counted_and_no_leak(bundle: Path, tmp_path: Path) -> None:
    """Seeds are real rows: only one that is a test item fails the bundle."""
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"text": "Seed 3: what is 3 plus 4?"}) + "\n")
    found = verify(bundle, own, input_field="text")
    assert found.retest is not None
    assert found.passed
    assert found.retest.n_seeds_near > 0
    own.write_text(json.dumps({"text": "Seed 3: what is 3 plus 3?"}) + "\n")
    found = verify(bundle, own, input_field="text")
    assert not found.passed


def screened_by_meaning(bundle: Path, encoder: str, *, judged: bool = False) -> None:
    """Write into params and certificates that the embedding gate was on, with that encoder."""
    params = read_json(bundle / layout.PARAMS)
    params["dedupe_against_test"]["gates"].append("embedding")
    write_json(bundle / layout.PARAMS, params)
    for path in (bundle / "certificates").glob("*.json"):
        certificate = read_json(path)
        settings = {"window_words": 5, "encoder_sha256": encoder}
        gate = {"gate": "embedding", "rejected_from": 0.77, "settings": settings}
        certificate["gates"].append(gate)
        certificate |= {"judge": {"asked": 1}} if judged else {}
        write_json(path, certificate)
    record_certificates(bundle)


def test_the_embedding_gate_is_tried_again(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the certified encoder its cut is used again; the judge is not asked, which is said."""
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"question": "A cloud has no corners to fold"}) + "\n")
    screened_by_meaning(bundle, "abc", judged=True)
    loaded: list[str] = []

    def load(model: str, _revision: str | None) -> Any:
        loaded.append(model)
        return letters, "abc"

    monkeypatch.setattr("llm2llm.bundle.retesting.load_encoder", load)
    found = retest(bundle, own, None, None)
    assert (found.cuts["embedding"], found.judge_not_asked, loaded) == (0.77, True, ["packaged"])
    assert found.n_leaks == 0
    some = next(row for row in read_records(bundle / layout.DATASET, Example) if row.iteration)
    turned = " ".join(some.input.split()[::-1])
    own.write_text(json.dumps({"question": f"{turned} {turned}"}) + "\n")
    assert "embedding" in {leak.gate for leak in retest(bundle, own, None, None).leaks}
    assert "not asked again" in run(str(bundle), "--test", str(own)).stdout


def test_an_encoder_that_is_not_here_is_named(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without transformers the extra is named; other weights than the certified are refused."""
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"question": "A cloud has no corners"}) + "\n")
    screened_by_meaning(bundle, "abc")
    monkeypatch.setattr("llm2llm.bundle.retesting.load_encoder", lambda *_: (letters, "other"))
    done = run(str(bundle), "--test", str(own))
    assert (done.exit_code, "expected abc... as the certificate" in done.stderr) == (2, True)
    monkeypatch.setattr("llm2llm.bundle.retesting.importlib.util.find_spec", lambda _: None)
    done = run(str(bundle), "--test", str(own))
    assert done.exit_code == 2
    assert "pip install 'llm2llm[training]'" in done.stderr
    assert run(str(bundle)).exit_code == 0  # all else of it holds


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"{}\n", "field `question`: no text there"),
        (b"[1]\n", "found list"),
        (b"no json\n", "not JSON"),
        (b"\xff\n", "not JSON"),
    ],
)
def test_a_test_file_that_cannot_be_read_exits_with_2(
    bundle: Path, tmp_path: Path, content: bytes, says: str
) -> None:
    """File, line and field are named; nothing is said about the bundle."""
    own = tmp_path / "own.jsonl"
    own.write_bytes(content)
    done = run(str(bundle), "--test", str(own))
    assert done.exit_code == 2
    assert says in done.stderr
    assert run(str(bundle), "--test", str(tmp_path / "none.jsonl")).exit_code == 2


@pytest.mark.parametrize("name", ["own.csv", "own.tsv", "own.parquet", "own.jsonl"])
def test_a_test_file_of_any_form_is_compared(bundle: Path, tmp_path: Path, name: str) -> None:
    """A test item among the examples is found, and named by its row."""
    leaked = next(row.input for row in read_records(bundle / layout.DATASET, Example))
    rows = pl.DataFrame({"question": ["A cloud has no corners", leaked]})
    if name.endswith("sv"):
        rows.write_csv(tmp_path / name, separator="," if name == "own.csv" else "\t")
    elif name == "own.parquet":
        rows.write_parquet(tmp_path / name)
    else:
        rows.write_ndjson(tmp_path / name)
    found = retest(bundle, tmp_path / name, None, None)
    assert (found.n_test_items, found.n_leaks, found.leaks[0].gate) == (2, 1, "exact")
    assert found.leaks[0].test_line == (3 if name.endswith("sv") else 2)


def test_a_form_that_is_missing_is_one_line(bundle: Path) -> None:
    """No message of the system's stands in it."""
    (bundle / "alpaca.jsonl").unlink()
    found = problems(bundle)
    assert found["files"] == "alpaca.jsonl: missing; the manifest lists it"
    missing = f"cannot be finished: {bundle}/alpaca.jsonl: no such file or directory"
    assert found["forms"] == f"check forms: {missing}"


def test_a_table_that_another_program_wrote_is_told_by_its_first_column(bundle: Path) -> None:
    """Its other columns are counted, and what to do follows."""
    path = bundle / layout.DATASET
    pl.read_parquet(path).write_parquet(path)
    told = problems(bundle)["schemas"]
    assert "example_id: found large_string, expected string not null (and 10 more columns)" in told
    assert told.endswith("another program wrote it: get the bundle again")
    assert "origin" not in told


def test_a_file_of_a_bundle_is_no_archive(bundle: Path) -> None:
    """The folder that it lies in is named, in one line."""
    done = run(str(bundle / layout.DATASET))
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.rstrip().endswith(
        f"expected a bundle's folder or its tar.gz: name the folder, {bundle}"
    )


def test_the_light_core_is_enough(bundle: Path, tmp_path: Path) -> None:
    """With every extra made unimportable the command still runs, test file and all."""
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"question": "A cloud has no corners"}) + "\n")
    code = (
        "import sys\n"
        f"for name in {EXTRAS!r}: sys.modules[name] = None\n"
        "from llm2llm.cli.main import main\n"
        f"sys.argv = ['llm2llm', 'verify', {str(bundle)!r}, '--test', {str(own)!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert "all of it holds" in done.stdout


def test_a_renamed_top_folder_is_no_matter(bundle: Path, tmp_path: Path) -> None:
    """The archive is known by its manifest, not by its name."""
    write_archive(bundle, tmp_path / "other.tar.gz", "anything")
    with opened(tmp_path / "other.tar.gz") as folder:
        assert verify(folder).passed


def test_the_forger_in_these_tests_leaves_no_other_trace(bundle: Path) -> None:
    """Rows that are written again, unchanged, pass: what fails above fails for its change."""
    for name in layout.TABLES:
        forge(bundle, name, lambda rows: rows)
    assert problems(bundle) == {}
