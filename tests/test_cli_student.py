"""A trained student handed on: a folder that loads by itself, and answers a person's file."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import typer
import yaml
from test_starting_table import write_xlsx
from tiny_student import (
    EXAMPLES,
    FORMAT,
    PREDICT,
    a_classifier,
    a_training,
    make_base,
    make_encoder,
    train,
)
from typer.testing import CliRunner

from llm2llm.answering import answer_rows
from llm2llm.cli.predict import predict
from llm2llm.cli.student import student as student_app
from llm2llm.exceptions import DataError, Llm2llmError, ParamsError, StudentError
from llm2llm.files import write_records
from llm2llm.prompts import render
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.predictions import Prediction
from llm2llm.records.split import SplitRow
from llm2llm.rows import stream_rows
from llm2llm.student.base import describe_outside, write_base
from llm2llm.student.handover import read_how_to_ask
from llm2llm.student.loading import CLASSIFIER, load_student, student_kind
from llm2llm.student.prediction import open_engine
from llm2llm.student.training import deliver

ROOT = Path(__file__).resolve().parents[1]
LABELS = ["ab" * n for n in range(1, 6)]
CLASSED = [("zy"[n % 2] * (9 + n % 3), LABELS[n % 2]) for n in range(22)]
Examples = list[tuple[str, str]]
# What students 0, 1 and 2 make of four dev and four test rows.
DEV_RIGHT, TEST_RIGHT = (1, 3, 3), (2, 1, 4)

app = typer.Typer()
app.command()(predict)
app.add_typer(student_app, name="student")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one embedded base."""
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def outside(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Describe the same weights as a local folder."""
    folder = tmp_path_factory.mktemp("outside")
    write_base(folder, describe_outside(str(base / "model"), None))
    return folder


@pytest.fixture(scope="module")
def students(base: Path, outside: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Train whole students, and adapters of both kinds of base, causal ones and classifiers."""
    store = tmp_path_factory.mktemp("students")
    encoder = make_encoder(tmp_path_factory.mktemp("encoder"))
    encoder_outside = tmp_path_factory.mktemp("encoder-outside")
    write_base(encoder_outside, describe_outside(str(encoder / "model"), None))
    answer = a_classifier(encoder).answer_format.model_copy(update={"labels": LABELS})
    labeled = {"examples": CLASSED, "student_format": FORMAT, "answer_format": answer}

    def classifier(base: Path, method: str) -> tuple[Path, Path]:
        return base, train(a_classifier(base, method=method, epochs=8, **labeled), store)

    return {
        "class-full": classifier(encoder, "full"),
        "class-lora": classifier(encoder, "lora"),
        "class-outside": classifier(encoder_outside, "lora"),
        "full": (base, train(a_training(base, epochs=20), store)),
        "lora": (base, train(a_training(base, method="lora", epochs=1), store)),
        "outside": (outside, train(a_training(outside, method="lora", epochs=1), store)),
    }


@pytest.fixture
def project(
    request: pytest.FixtureRequest,
    students: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Write a run of three students, all of the kind that the test asks for; stand in it."""
    base, trained = students[request.param]
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {
        "iterations": 2,
        "task": "tasks/ab.yaml",
        "predict": PREDICT.model_dump() | {"judge": None},
    }
    task = yaml.safe_load((ROOT / "llm2llm/tasks/trec.yaml").read_text(encoding="utf-8"))
    task |= {"name": "ab", "student": FORMAT.model_dump()}
    task["answer"] = {"kind": "label", "pattern": None, "labels": LABELS}
    folder = tmp_path / "project"
    (folder / "tasks").mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (folder / "tasks/ab.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data/base").symlink_to(base)
    seeds = [
        SplitRow(f"ex-{n}", text, target, target, n) for n, (text, target) in enumerate(EXAMPLES)
    ]
    write_records(folder / "data/split/seed.parquet", SplitRow, seeds)
    for i in range(3):
        deliver(trained, folder / f"data/iterations/{i}/student")
        rows = [_prediction("dev", n, n < DEV_RIGHT[i]) for n in range(4)]
        rows += [_prediction("test", n, n < TEST_RIGHT[i]) for n in range(4)]
        write_records(folder / f"data/iterations/{i}/predictions.parquet", Prediction, rows)
    monkeypatch.chdir(folder)
    return folder


def _prediction(split: str, n: int, right: bool) -> Prediction:
    return Prediction(split, f"{split}-{n}", "ab", "ab", "right" if right else "wrong", False, 3)


def run(*arguments: str) -> str:
    """Call a command that succeeds; give its standard output."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def fails(failure: type[Llm2llmError], *arguments: str) -> str:
    """Call a command that must fail; give its message."""
    with pytest.raises(failure) as caught:
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return str(caught.value)


def rows_file(path: Path, with_label: bool = True, rows: Examples = EXAMPLES) -> Path:
    """Write six rows in the form that the name's ending says."""
    rows = [{"text": text, "label": label} for text, label in rows[:6]]
    if not with_label:
        rows = [{"text": row["text"]} for row in rows]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def texts(*arguments: str) -> list[str]:
    """Predict; give the students' texts in order."""
    lines = [json.loads(line) for line in run("predict", *arguments, "--json").splitlines()]
    assert "summary" in lines.pop()
    return [line["text"] for line in lines]


@pytest.mark.parametrize(
    ("project", "merge"),
    [
        ("full", False),
        ("lora", True),
        ("outside", False),
        ("outside", True),
        ("class-full", False),
        ("class-full", True),
        ("class-lora", True),
        ("class-outside", False),
        ("class-outside", True),
    ],
    indirect=["project"],
)
def test_an_exported_student_answers_elsewhere_as_at_home(
    project: Path, merge: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole weights, adapters and merged ones give the texts of the project, in transformers too.

    They are loaded by the line of code that their card shows.
    """
    trained = project / "data/iterations/0/student"
    classifies = student_kind(trained) == CLASSIFIER
    rows = CLASSED if classifies else EXAMPLES
    file = str(rows_file(tmp_path / "rows.jsonl", rows=rows))
    at_home = texts(file)
    expected = logits(*load_student(trained, Path("data/base"), bf16=False, device="cpu"), rows)
    run("student", "export", "--out", str(tmp_path / "out"), *(["--merge"] if merge else []))
    is_adapter = (tmp_path / "out/adapter_config.json").exists()
    assert is_adapter == ((trained / "adapter_config.json").exists() and not merge)
    monkeypatch.chdir(tmp_path)
    (project / "data").rename(tmp_path / "gone")
    assert texts(file, "--student", "out") == at_home
    model, tokenizer = by_its_card(tmp_path / "out")
    found = logits(model, tokenizer, rows)
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found[0], found[1], atol=1e-3)
    if classifies:
        assert [model.config.id2label[int(row.argmax())] for row in found] == at_home


def by_its_card(folder: Path) -> tuple[Any, Any]:
    """Load an exported student by the line of code in its card."""
    import transformers

    card = (folder / "README.md").read_text(encoding="utf-8")
    line = re.search(r"^    (\w+)\.from_pretrained\(THIS_FOLDER(.*)\)$", card, re.MULTILINE)
    options = eval(f"dict({line[2].lstrip(', ')})")  # noqa: S307 - what a reader would run
    model = getattr(transformers, line[1]).from_pretrained(folder, **options).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def logits(model: Any, tokenizer: Any, rows: Examples) -> torch.Tensor:
    """Give the last logits of the first six rows, one at a time."""
    found = []
    for text, _ in rows[:6]:
        with torch.no_grad():
            asked = tokenizer(render(FORMAT.prompt, input=text), return_tensors="pt")
            made = model(**asked).logits
            found.append(made.reshape(-1, made.shape[-1])[-1])
    return torch.stack(found)


@pytest.mark.parametrize("project", ["lora"], indirect=True)
def test_an_adapter_without_a_base_elsewhere_must_be_merged(project: Path, tmp_path: Path) -> None:
    """An adapter of the embedded base alone would load nowhere; nothing is left behind."""
    message = fails(StudentError, "student", "export", "--out", str(tmp_path / "out"))
    assert message.endswith("add --merge")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_best_goes_by_dev_rows_and_never_by_test(project: Path, tmp_path: Path) -> None:
    """Student 2 has the best test rows; 1 is as good on dev, and earlier, which is told."""
    told = json.loads(run("student", "export", "--iteration", "best", "--out", "best", "--json"))
    assert (told["iteration"], told["accuracy"]) == (1, {"dev": 0.75, "test": 0.25})
    assert told["chosen_by"] == "the best of 3 on 4 dev rows (a tie with 2, so the earliest)"
    card = (project / "best/README.md").read_text(encoding="utf-8")
    manifest = json.loads((project / "best/manifest.json").read_text(encoding="utf-8"))
    for wanted in (
        "the best of 3 on 4 dev rows (a tie with 2, so the earliest)",
        manifest["set_sha256"],
        manifest["checkpoint_sha256"],
        manifest["base"]["digest"],
        "| 4 dev | 75.0 % | 30.1 to 95.4 % | 0 |",
        "Nobody has declared a license",
    ):
        assert wanted in card


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_without_dev_rows_best_asks_for_a_number(project: Path) -> None:
    """Test rows do not take the dev rows' place."""
    for i in range(3):
        path = project / f"data/iterations/{i}/predictions.parquet"
        write_records(path, Prediction, [_prediction("test", 0, True)])
    message = fails(DataError, "student", "export", "--iteration", "best", "--out", "x")
    assert "found no dev rows" in message
    assert "name one of 0, 1, 2 as --iteration" in message


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_what_cannot_be_exported_says_why(project: Path, tmp_path: Path) -> None:
    """A folder that is there, an iteration that is not, a project without students."""
    (tmp_path / "there").mkdir()
    message = fails(DataError, "student", "export", "--out", str(tmp_path / "there"))
    assert "exists already" in message
    for wanted in ("3", "-1", "last"):
        message = fails(DataError, "student", "export", "--iteration", wanted, "--out", "x")
        assert "expected `best` or one of 0, 1, 2" in message
    (project / "data/iterations").rename(tmp_path / "gone")
    assert "no student was trained" in fails(DataError, "student", "export", "--out", "x")


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_an_exported_student_shares_no_file_with_the_project(project: Path) -> None:
    """An edit of the copy cannot reach the project's cache."""
    run("student", "export", "--out", "out")
    for path in (project / "out").iterdir():
        assert path.stat().st_nlink == 1


@pytest.mark.parametrize("project", ["full", "outside"], indirect=True)
def test_an_exported_student_that_lacks_a_file_is_named(project: Path, tmp_path: Path) -> None:
    """Folder, file and what to do, before anything is loaded."""
    file = str(rows_file(tmp_path / "rows.jsonl"))
    run("student", "export", "--out", "out")
    [weights] = (project / "out").glob("*.safetensors")
    for name in (weights.name, "base.json", "manifest.json"):
        kept = (project / "out" / name).rename(project / "kept")
        message = fails(StudentError, "predict", file, "--student", "out")
        assert message.startswith(
            f"out: found no {name}, expected all files of an exported student"
        )
        assert "export it again with `llm2llm student export" in message
        kept.rename(project / "out" / name)
    assert len(texts(file, "--student", "out")) == 6


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_the_next_command_can_be_pasted(project: Path, tmp_path: Path) -> None:
    """A folder's name is quoted where a shell would read it otherwise."""
    told = run("student", "export", "--out", "my student")
    assert told.splitlines()[-1] == "next: llm2llm predict FILE --student 'my student'"


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_the_three_forms_of_a_file_are_answered_alike(project: Path, tmp_path: Path) -> None:
    """JSON lines, CSV and Parquet give the same texts; labels are graded, and may lack."""
    names = ("rows.jsonl", "rows.csv", "rows.parquet")
    found = [texts(str(rows_file(tmp_path / name))) for name in names]
    assert found[0] == found[1] == found[2]
    told = run("predict", str(rows_file(tmp_path / "rows.csv")))
    assert told.splitlines()[0].split("\t")[0] == "2"  # the line of the file
    assert "Gold down, answered across" in told
    assert "95 % interval" in told
    bare = run("predict", str(rows_file(tmp_path / "bare.jsonl", with_label=False)))
    assert "nothing was graded" in bare


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_the_confusion_table_counts_every_labelled_row(project: Path, tmp_path: Path) -> None:
    """Cells sum up to the rows with a label; an unreadable label is counted apart."""
    path = rows_file(tmp_path / "rows.jsonl")
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"text": "3 and 3", "label": "nonsense"}) + "\n")
    *rows, last = (json.loads(line) for line in run("predict", str(path), "--json").splitlines())
    summary = last["summary"]
    found = [summary[name] for name in ("n", "n_without_label", "n_unreadable_label")]
    assert found == [7, 0, 1]
    assert sum(cell["n"] for cell in summary["confusion"]) == summary["accuracy"]["n"] == 6
    right = sum(cell["n"] for cell in summary["confusion"] if cell["gold"] == cell["answer"])
    assert right == summary["accuracy"]["n_right"]
    assert rows[-1]["verdict"] is None
    assert rows[-1]["unreadable_label"].startswith("found 'nonsense', expected one of ab, abab")


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_labels_that_cannot_be_read_are_loud(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is named by file, line and field up to a limit, and the accuracy says what it lacks."""
    monkeypatch.setattr("llm2llm.cli.predict._MOST_NAMED", 2)
    path = rows_file(tmp_path / "rows.csv")
    with path.open("a", encoding="utf-8") as stream:
        stream.write("3 and 3,abx\n" * 4 + "4 and 4,\n")
    told = CliRunner().invoke(app, ["predict", str(path)], catch_exceptions=False)
    assert told.exit_code == 0
    named = [line for line in told.stderr.splitlines() if "field `label`: found 'abx'" in line]
    assert [line.split(": ")[1] for line in named] == [f"{path}:8", f"{path}:9"]
    assert "warning: further such labels are counted" in told.stderr
    assert "warning: 4 of 11 rows have a label that the task cannot read" in told.stderr
    assert "1 rows without a label and 4 with one that cannot be read are left out" in told.stdout
    path.write_text("text,label\nab,abx\n", encoding="utf-8")
    assert "nothing was graded; labels that cannot be read: 1" in run("predict", str(path))


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_predict_says_which_student_answers(project: Path, tmp_path: Path) -> None:
    """On standard error and in the summary: the newest with a hint, another, an exported one."""
    path = str(rows_file(tmp_path / "rows.csv"))
    run("student", "export", "--iteration", "0", "--out", "out")
    hint = "student of iteration 2 (the newest); --iteration best for the best on dev rows"
    for arguments, said, student in (
        ([], hint, {"iteration": 2, "chosen_by": "the newest"}),
        (
            ["--iteration", "0"],
            "student of iteration 0 (named)",
            {"iteration": 0, "chosen_by": "named"},
        ),
        (["--student", "out"], "", {"folder": "out"}),
    ):
        done = CliRunner().invoke(app, ["predict", path, "--json", *arguments])
        assert done.stderr.strip() == said
        assert json.loads(done.stdout.splitlines()[-1])["summary"]["student"] == student


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_a_file_may_name_its_columns_otherwise(project: Path, tmp_path: Path) -> None:
    """--input and --target name them for one call; a target that is nowhere is told."""
    expected = run("predict", str(rows_file(tmp_path / "rows.csv")), "--json")
    lines = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "other.csv").write_text("\n".join(["ask,is", *lines[1:]]), encoding="utf-8")
    other = str(tmp_path / "other.csv")
    assert "rename one, or name yours with --input" in fails(DataError, "predict", other)
    assert run("predict", other, "--input", "ask", "--target", "is", "--json") == expected
    told = CliRunner().invoke(app, ["predict", other, "--input", "ask", "--target", "si"]).stderr
    assert f"warning: no row of {other} has a label in `si`, which --target names" in told


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_a_row_without_an_input_stops_unless_it_may_be_left_out(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the option; with it such rows are named, counted and not answered."""
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nab,ab\n ,ab\nba,ab\n", encoding="utf-8")
    message = fails(DataError, "predict", str(path))
    assert message.startswith(f"{path}:3: column `text`: found ' '")
    assert message.endswith("mend the row, or leave such rows out with --drop-bad-rows")
    done = CliRunner().invoke(app, ["predict", str(path), "--drop-bad-rows", "--json"])
    *rows, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert [row["row"] for row in rows] == [2, 4]
    assert (summary["summary"]["n"], summary["summary"]["n_bad_rows"]) == (2, 1)
    assert f"warning: {path}:3: column `text`" in done.stderr
    assert "warning: 1 rows without an input were not answered" in done.stderr
    path.write_text("text,label\n ,ab\n", encoding="utf-8")
    monkeypatch.setattr("llm2llm.cli.predict.open_engine", None)  # no model is loaded for that
    told = fails(DataError, "predict", str(path), "--drop-bad-rows")
    assert "found no rows, and 1 without an input" in told


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_a_sheet_is_answered_as_a_csv_is(project: Path, tmp_path: Path) -> None:
    """Rows keep their numbers, and an empty cell of the label is none."""
    path = rows_file(tmp_path / "rows.csv")
    with path.open("a", encoding="utf-8") as stream:
        stream.write("ab,\n")
    with path.open(newline="", encoding="utf-8") as stream:
        write_xlsx(tmp_path / "rows.xlsx", list(csv.reader(stream)))
    assert run("predict", str(tmp_path / "rows.xlsx")) == run("predict", str(path))


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_free_text_is_compared_at_home_and_elsewhere(project: Path, tmp_path: Path) -> None:
    """Of labeled rows equal texts are counted, which is said; the model card counts judgments."""
    path = rows_file(tmp_path / "rows.csv")
    assert "no judge" not in CliRunner().invoke(app, ["predict", str(path)]).stderr
    task = yaml.safe_load((project / "tasks/ab.yaml").read_text(encoding="utf-8"))
    task["answer"] = {"kind": "free", "pattern": None, "labels": None}
    (project / "tasks/ab.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    result = CliRunner().invoke(app, ["predict", str(path), "--json"], catch_exceptions=False)
    assert "note: these are free texts, and no judge is asked here" in result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])["summary"]
    assert summary["accuracy"]["n"] == 6
    said = [
        ("seed", None, "no"),
        ("test", None, "yes"),
        ("test", None, "failed"),
        ("test", 0, "no"),
    ]
    judgments = [
        AnswerJudgment(split, "ex", draw, "rq-1", opinion, "a reason", "a-judge", 1, 1)
        for split, draw, opinion in said
    ]
    path = project / "data/iterations/1/judgments.parquet"
    write_records(path, AnswerJudgment, judgments)
    run("student", "export", "--iteration", "1", "--out", str(tmp_path / "out"))
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert (
        "right where a model, a-judge, said yes. It was asked about 1 to seed rows (1 no)" in card
    )
    assert "2 to test rows (1 yes, 1 failed)." in card
    others = [each for each in (tmp_path / "out").rglob("*.json") if b"judge" in each.read_bytes()]
    assert others == [] and "a reason" not in card


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_rows_are_read_as_answers_are_taken(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long file is never in memory: the first answer comes before later rows are read."""
    monkeypatch.setattr("llm2llm.answering._CHUNK", 2)
    run("student", "export", "--out", "out")
    how = read_how_to_ask(Path("out"))
    engine = open_engine(
        Path("out"), Path("out"), how.student, how.predict, set_default=lambda _n, _v: None
    )
    n_read = 0

    def source():
        nonlocal n_read
        while True:
            n_read += 1
            yield n_read, {"text": f"{n_read} and 1"}

    answered = answer_rows(
        engine,
        source(),
        fields=how.fields,
        answer_format=how.answer,
        max_new_tokens=3,
    )
    assert [next(answered).row for _ in range(3)] == [1, 2, 3]
    assert n_read == 4


@pytest.mark.parametrize("project", ["full"], indirect=True)
def test_bad_files_and_folders_are_named(project: Path, tmp_path: Path) -> None:
    """Each fault names file, row and what was expected."""
    (tmp_path / "rows.doc").write_text("x", encoding="utf-8")
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    (tmp_path / "lacking.jsonl").write_text('{"text": "a"}\n{"question": "b"}\n', encoding="utf-8")
    for name, failure, wanted in (
        ("rows.doc", DataError, "found the ending '.doc'"),
        ("none.csv", DataError, "no such file"),
        ("empty.jsonl", DataError, "found no rows"),
        (
            "lacking.jsonl",
            DataError,
            ":2: no column `text`, which the student takes as its input; its columns: q",
        ),
    ):
        assert wanted in fails(failure, "predict", str(tmp_path / name))
    file = str(rows_file(tmp_path / "rows.jsonl"))
    message = fails(StudentError, "predict", file, "--student", str(tmp_path))
    assert "found no llm2llm.json" in message
    message = fails(ParamsError, "predict", file, "--student", "x", "--iteration", "1")
    assert "leave it out" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a"\n', "a.jsonl:2: not JSON"),
        ("a.jsonl", b"[1]\n", "a.jsonl:1: found [1], expected a JSON object"),
        ("a.jsonl", b'{"a": "\xff"}\n', "a.jsonl:1: not UTF-8"),
        ("a.jsonl", b'{"a": ' + b"[" * 100_000, "a.jsonl:1: not JSON"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "a.csv:3: found 3 cells, expected 2"),
        ("a.csv", b"a,a\n1,2\n", "a.csv:1: found a column name twice"),
        ("a.csv", b'a,b\n1,"2\n', "a.csv:2: a row begins here that cannot be read"),
        ("a.csv", b"a,b\n1,\x81\xff\n", "a.csv: neither UTF-8, UTF-16 nor"),
        ("a.csv", b"", "a.csv: empty"),
        ("a.parquet", b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """File and row stand in the message."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as failure:
        list(stream_rows(tmp_path / name))
    assert message in str(failure.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_is_read_as_init_reads_it(tmp_path: Path, encoding: str, separator: str) -> None:
    """A student is asked about files of the form that it was trained on."""
    lines = ["text, label,", "Grüße, alle; hier,x,", f"{'y' * 200_000},z,"]
    cells = [[cell.strip() for cell in line.rsplit(",", 2)] for line in lines]
    for name in ("a.csv", "a.tsv"):
        with (tmp_path / name).open("w", encoding=encoding, newline="") as stream:
            csv.writer(stream, delimiter=separator).writerows([[], *cells])
        assert [row for _, row in stream_rows(tmp_path / name)] == [
            {"text": "Grüße, alle; hier", "label": "x", "column_3": ""},
            {"text": "y" * 200_000, "label": "z", "column_3": ""},
        ]


def test_a_csv_may_be_of_one_column(tmp_path: Path) -> None:
    """There are inputs without labels."""
    (tmp_path / "a.csv").write_text("text\none\ntwo\n")
    assert [row["text"] for _, row in stream_rows(tmp_path / "a.csv")] == ["one", "two"]


def test_csv_cells_may_hold_lines(tmp_path: Path) -> None:
    """A row's number is the line where it starts, and a byte order mark is no part of a name."""
    path = tmp_path / "a.csv"
    path.write_text('\ufefftext,label\n"one\ntwo",x\n\nthree,y\n', encoding="utf-8")
    assert list(stream_rows(path)) == [
        (2, {"text": "one\ntwo", "label": "x"}),
        (5, {"text": "three", "label": "y"}),
    ]
