"""`llm2llm init`, `task` and `upgrade`: from a file to a project, and what stands in the way."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
import yaml
from module_deps import ROOT
from typer.testing import CliRunner

from llm2llm.cli.deciding import decide_columns, decide_kind
from llm2llm.cli.main import app
from llm2llm.exceptions import Llm2llmError
from llm2llm.installed import require_listed
from llm2llm.records.decisions import DECISIONS, NO_DECISIONS
from llm2llm.starting.pipeline import SITE, pipeline_files
from llm2llm.starting.project import FIXED
from llm2llm.starting.table import read_table
from llm2llm.starting.upgrading import changes

LABELS = ["billing", "delivery", "other"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with a git that knows nobody and a machine without the network."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("GIT_", "HF_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def tickets(path: Path, n: int = 60, **more: str) -> Path:
    """Write n labeled tickets; `more` are columns that hold the same text everywhere."""
    lines = [",".join(["text", "label", *more])]
    lines += [
        ",".join([f"ticket {k} about {LABELS[k % 3]}", LABELS[k % 3], *more.values()])
        for k in range(n)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(*arguments: str | Path, exits: int = 0) -> str:
    """Run a command; a failure is returned as its one message."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, Llm2llmError):
        assert exits == result.exception.exit_code, result.exception
        assert "Traceback" not in str(result.exception)
        return str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == exits, result.output
    return result.output


def init(*options: str | Path, exits: int = 0) -> str:
    """Make the project p from t.csv."""
    return run("init", "p", "--data", "t.csv", *options, exits=exits)


def test_a_project_holds_all_that_a_run_needs(folder: Path) -> None:
    """Pipeline, params, task and rows are there; validate finds what the machine lacks alone."""
    tickets(folder / "t.csv")
    told = json.loads(init("--json"))
    assert told["columns"] == ["text", "label"]
    assert told["rows"] == {"train": 36, "dev": 6, "test": 18}
    assert told["committed"] is False
    project = folder / "p"
    for path in (
        *pipeline_files(),
        "params.yaml",
        "task.yaml",
        "data/raw/source.json",
        ".git/HEAD",
    ):
        assert (project / path).is_file(), path
    os.chdir(project)
    assert "no fault found" in run("task", "check")
    found = json.loads(run("validate", "--no-reach", "--json", exits=2))["problems"]
    assert len(found) == 1
    assert "OPENAI_API_KEY is not set" in found[0]


def test_what_it_says_can_be_acted_on(folder: Path) -> None:
    """Kind, splits, the test's interval and the next commands are told."""
    tickets(folder / "t.csv")
    told = init("--teacher", "ollama")
    for part in (
        "60 rows, from `text` to `label`",
        "a label (3 different targets in 60 rows): billing, delivery, other",
        "36 train rows (36 of them seeds), 6 dev, 18 test",
        "on 18 test rows an accuracy of 78 % is known to within 55 to 91 %",
        "ollama pull",
        "llm2llm validate",
        "dvc repro",
    ):
        assert part in told, part


def test_the_same_file_gives_the_same_project(folder: Path) -> None:
    """Two projects of one name are the same, byte for byte, but for git."""
    tickets(folder / "t.csv")
    found = []
    for place in ("one", "two"):
        (folder / place).mkdir()
        run("init", f"{place}/p", "--data", "t.csv")
        files = (path for path in (folder / place / "p").rglob("*") if path.is_file())
        found.append(
            {
                str(path.relative_to(folder / place)): path.read_bytes()
                for path in files
                if ".git" not in path.relative_to(folder / place).parts
            }
        )
    assert found[0] == found[1]


def test_the_source_note_names_the_file_by_its_hash(folder: Path) -> None:
    """Path as given, hash and rows of the source, and of every raw file; those are read-only."""
    data = tickets(folder / "t.csv")
    init()
    note = json.loads((folder / "p/data/raw/source.json").read_text())
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    assert note["sources"]["data"] == {"path": "t.csv", "sha256": digest, "rows": 60}
    for name, told in note["files"].items():
        path = folder / "p/data/raw" / name
        assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.stat().st_mode & 0o222 == 0


def test_rows_name_the_line_that_they_come_from(folder: Path) -> None:
    """Each raw row can be found in the file that it was taken from."""
    lines = tickets(folder / "t.csv").read_text().splitlines()
    init()
    for name in ("train", "dev", "test"):
        for line in (folder / f"p/data/raw/{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            assert lines[row["source_line"] - 1] == f"{row['text']},{row['label']}"


def test_a_project_is_committed_where_git_knows_who_commits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One commit with all files; without an identity there is none, and that is said."""
    tickets(folder / "t.csv")
    assert "not committed: git has no identity here" in init()
    shutil.rmtree("p")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Person")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.org")
    assert "not committed" not in init()
    told = subprocess.run(
        ["git", "status", "--porcelain"], cwd="p", capture_output=True, text=True, check=True
    )
    assert told.stdout == ""


def test_a_hooks_repository_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git has set which repository a command is of, the project gets its own all the same."""
    tickets(folder / "t.csv")
    subprocess.run(["git", "init", "-q", "other"], check=True)
    before = sorted((folder / "other/.git").rglob("*"))
    monkeypatch.setenv("GIT_DIR", str(folder / "other/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(folder / "other"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(folder / "other/.git/objects"))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Person")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.org")
    init()
    assert (folder / "p/.git/HEAD").is_file()
    assert sorted((folder / "other/.git").rglob("*")) == before


def test_a_test_file_is_never_trained_on(folder: Path) -> None:
    """Rows of the test file are the test rows; train rows among them are left out and told."""
    tickets(folder / "t.csv")
    (folder / "test.csv").write_text(
        "text,label\nTicket 3 about billing!,billing\nnew one,other\nquite new,spam\n"
    )
    told = init("--test", "test.csv")
    assert "1 train rows are test items" in told
    assert "no train row has the label 'spam'" in told
    left_out = (folder / "p/data/raw/left_out.jsonl").read_text()
    assert '"reason": "test item"' in left_out
    assert len((folder / "p/data/raw/test.jsonl").read_text().splitlines()) == 3
    assert "ticket 3 about" not in (folder / "p/data/raw/train.jsonl").read_text()
    os.chdir("p")
    problems = json.loads(run("task", "check", "--json", exits=1))["problems"]
    assert ["'spam', which no row of data/raw/train.jsonl has" in each for each in problems] == [
        True
    ]


def test_raw_files_that_were_edited_are_told_of(folder: Path) -> None:
    """`task check` and `validate` compare them with the source note; a project of old has none."""
    tickets(folder / "t.csv")
    init("--teacher", "ollama")
    os.chdir("p")
    raw = Path("data/raw/train.jsonl")
    assert "note: data/raw" not in run("task", "check")
    raw.chmod(0o644)
    raw.write_text(raw.read_text() + '{"text": "mine", "label": "other"}\n')
    says = "note: data/raw/train.jsonl: not as `init` wrote it (36 rows then, 37 lines now)"
    assert says in run("task", "check")
    assert says in run("validate", "--no-reach")
    Path("data/raw/source.json").unlink()
    assert "note: data/raw" not in run("task", "check")


def test_a_stage_run_by_another_python_says_so(folder: Path) -> None:
    """Where `python` lacks the package, a stage ends in one line that says what to activate."""
    tickets(folder / "t.csv")
    init("--teacher", "ollama")
    bare = [sys.executable, "-I", "-S", "stages/plan.py"]
    done = subprocess.run(bare, cwd="p", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    says = f"error: {sys.executable}, which `python` is here, has no llm2llm; activate"
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1


def test_groups_stay_together(folder: Path) -> None:
    """--group keeps rows with one value of a column in one split."""
    rows = [f"text {k},{LABELS[k % 2]},writer {k // 5}" for k in range(100)]
    (folder / "t.csv").write_text("text,label,who\n" + "\n".join(rows) + "\n")
    init("--group", "who")
    places: dict[int, set[str]] = {}
    for name in ("train", "dev", "test"):
        for line in (folder / f"p/data/raw/{name}.jsonl").read_text().splitlines():
            places.setdefault(int(json.loads(line)["text"].split()[1]) // 5, set()).add(name)
    assert len(places) == 20
    assert all(len(found) == 1 for found in places.values())
    assert "no column 'whom'" in run("init", "q", "--data", "t.csv", "--group", "whom", exits=2)


def test_many_rows_are_drawn_from(folder: Path) -> None:
    """Of a hundred thousand rows 20,000 are taken, 1,000 of them as seeds, 2,000 as test."""
    texts = pl.Series([f"ticket {k} about {k % 3}" for k in range(100_000)])
    labels = pl.Series(LABELS * 33_334)[:100_000]
    pl.DataFrame({"text": texts, "label": labels}).write_parquet("t.parquet")
    told = json.loads(run("init", "p", "--data", "t.parquet", "--json"))
    assert told["rows"] == {"train": 17_500, "dev": 500, "test": 2000}
    assert told["seeds"] == 1000


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a,b,c\n" + "x1,y1,z1\nx2,y2,z2\n" * 20, [], "not clear which columns are meant"),
        (",".join(f"c{k}" for k in range(40)) + "\n" + "x," * 39 + "x\n", [], "say --input"),
        ("text,label\n" + "".join(f"row {k},{k % 5}\n" for k in range(40)), [], "say --kind"),
        ("text,label\n" + "".join(f"row {k},A\n" for k in range(40)), [], "t.csv: all 40"),
        ("text,label\n" + "".join(f"row {k},{'XY'[k % 2]}\n" for k in range(10)), [], "t.csv: 10"),
        ("text,label\na,A\nb,\n", [], "the column `label` is empty"),
        ("text,label\na,A\na,B\n", [], "the same text stands with different targets"),
        ("text,label\na,A\nb,B\n", ["--input", "body"], "--input: t.csv has no column 'body'"),
        ("text,label\na,A\nb,B\n", ["--kind", "prose"], "--kind: found 'prose', expected one of"),
        (None, ["--n-seeds", "37"], "--n-seeds: found 37, but there are 36 train rows"),
        (None, ["--student", "bert"], "--student: found 'bert', expected one of embedded, minilm"),
        (None, ["--model", "./none"], "--model: found './none', no such folder"),
        (None, ["--teacher", "nobody"], "--teacher: found 'nobody', expected one of ollama"),
        (None, ["--teacher", "http://x/v1"], "--teacher-model: missing, expected the name"),
        (None, ["--teacher", "symbolic", "--key-env", "K"], "symbolic asks no model"),
        (None, ["--data", "none.csv"], "none.csv: no such file"),
        (
            None,
            ["--model", "a/b/c"],
            "--model: found 'a/b/c', no such folder, expected one, or the id",
        ),
        (None, ["--model", "t r"], "--model: found 't r', expected the id of a hub's model"),
        (None, ["--key-env", "sk-123"], "--key-env: expected the name of an environment variable"),
        (
            None,
            ["--teacher", "http://me:pw@host/v1", "--teacher-model", "m"],
            "--teacher: expected an address without user name",
        ),
        (
            "text,label\n" + "same,X\n" * 59 + "other,Y\n",
            [],
            "2 rows (besides 58 left out: 58 repeated) are too few",
        ),
        (
            "text,label,who\n" + "".join(f"row {k},{'XY'[k % 2]},me\n" for k in range(60)),
            ["--group", "who"],
            "--group: 1 groups hold the 60 rows, and none is left for the test set",
        ),
        (None, ["--test", "t.csv"], "0 rows to train on (besides 60 left out: 60 test item)"),
    ],
)
def test_what_cannot_be_used_leaves_nothing_behind(
    folder: Path, content: str | None, options: list[str], message: str
) -> None:
    """One message says what to do, and no folder is begun."""
    if content is None:
        tickets(folder / "t.csv")
    else:
        (folder / "t.csv").write_text(content)
    result = CliRunner().invoke(app, ["init", "p", "--data", "t.csv", *options])
    assert isinstance(result.exception, Llm2llmError), result.output
    assert message in str(result.exception)
    assert not (folder / "p").exists()


def test_a_link_that_leads_to_itself_is_no_folder(folder: Path) -> None:
    """It is told as what it is."""
    tickets(folder / "t.csv")
    (folder / "p").symlink_to("p")
    assert "p: a link that leads to itself" in init(exits=2)


def test_no_secret_is_shown(folder: Path) -> None:
    """What was given in the place of a variable's name may be the key itself."""
    tickets(folder / "t.csv")
    assert "sk-123" not in init("--key-env", "sk-123", exits=2)
    told = init("--teacher", "http://me:pw@host/v1", "--teacher-model", "m", exits=2)
    assert "pw" not in told
    for address in ("https://me:pw@host/v1", "HTTPS://me:pw@host/v1", "ftp://me:pw@host"):
        assert "--teacher: expected an address" in (told := init("--teacher", address, exits=2))
        assert "pw" not in told


def test_rows_of_the_test_file_that_are_left_out_are_kept_and_told(folder: Path) -> None:
    """Like those of the train rows, by their file; a column of groups that it lacks is told."""
    tickets(folder / "t.csv", who="me")
    (folder / "test.csv").write_text("text,label\none,other\none!,other\ntwo,billing\ntwo,other\n")
    told = init("--test", "test.csv", "--group", "who", "--drop-bad-rows")
    assert "test.csv: 4 rows, from `text` to `label`" in told
    assert "left_out.jsonl: 2 contradicting, 1 repeated of the test file" in told
    assert "note: test.csv: has no column 'who', so its groups may be in train too" in told
    kept = (folder / "p/data/raw/left_out.jsonl").read_text().splitlines()
    assert [(row["file"], row["line"]) for row in map(json.loads, kept)] == [
        ("test", 3),
        ("test", 4),
        ("test", 5),
    ]


def test_lists_of_texts_are_sets_of_labels(folder: Path) -> None:
    """Nobody has to say so; beside other targets they stay lists."""
    tags = [["red"], ["red", "round"], ["round", "flat"]]
    lines = [{"text": f"thing {k}", "tags": tags[k % 3], "size": k} for k in range(60)]
    (folder / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("init", "p", "--data", "t.jsonl", "--input", "text", "--target", "tags")
    answer = task_of(folder / "p")["answer"]
    assert (answer["kind"], answer["labels"]) == ("labels", ["flat", "red", "round"])
    both = ("--target", "tags", "--target", "size")
    run("init", "q", "--data", "t.jsonl", "--input", "text", *both)
    fields = {each["name"]: each["type"] for each in task_of(folder / "q")["answer"]["fields"]}
    assert fields == {"tags": "list", "size": "number"}


@pytest.mark.parametrize(
    "labels",
    [
        ["yes", "null", "1e3", "a: b", "#x", "- z", "~", "{{ x }}", "{% if %}", "{# c #}"],
        ["👨\u200d👩\u200d👧 family", "a\u200bb", "e\x1b[31m", "line\nend", "כן\u200f"],
    ],
)
def test_any_label_comes_back_from_the_task_file(folder: Path, labels: list[str]) -> None:
    """What YAML, Jinja or a terminal would take for its own is read, asked and shown as text."""
    rows = [
        {"text": f"{{{{ 7 * 7 }}}} row {k}", "label": labels[k % len(labels)]} for k in range(90)
    ]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = run("init", "p", "--data", "t.jsonl")
    assert "\x1b" not in told
    assert task_of(folder / "p")["answer"]["labels"] == sorted(labels)
    os.chdir("p")
    found = json.loads(run("task", "check", "--json"))
    assert found["problems"] == []
    said = found["rows"][0]["teacher"]
    assert "{{ 7 * 7 }} row" in said[-1][1]
    assert all(label in said[0][1] for label in labels)


def test_a_worked_exchange_is_shown_as_it_stands(folder: Path) -> None:
    """No row with braces that a template would act on is taken for it."""
    rows = "".join(
        f"{'{{ 7 * 7 }} and' if k % 2 else 'plain {'} row {k},{LABELS[k % 3]}\n" for k in range(60)
    )
    (folder / "t.csv").write_text("text,label\n" + rows)
    init()
    os.chdir("p")
    shown = json.loads(run("task", "check", "--json"))["rows"][0]["teacher"]
    assert [role for role, _ in shown] == ["system", "user", "assistant", "user"]
    assert "plain { row" in shown[1][1]
    assert "plain { row" in json.loads(shown[2][1])["text"]


def test_the_folder_that_one_is_in_is_refused(folder: Path) -> None:
    """It would be put in the place of itself."""
    (folder / "here").mkdir()
    tickets(folder / "here/t.csv")
    os.chdir("here")
    assert "is or holds the folder you are in" in run("init", ".", "--data", "t.csv", exits=2)
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


def test_a_folder_may_be_a_link(folder: Path) -> None:
    """What it leads to is made, and nothing is left beside it."""
    tickets(folder / "t.csv")
    (folder / "far").mkdir()
    (folder / "p").symlink_to("far")
    (folder / "q").symlink_to("gone")
    init()
    run("init", "q", "--data", "t.csv")
    assert (folder / "far/params.yaml").is_file()
    assert (folder / "gone/params.yaml").is_file()
    assert sorted(path.name for path in folder.iterdir()) == ["far", "gone", "p", "q", "t.csv"]


def test_a_place_that_cannot_be_written_to_is_told(folder: Path) -> None:
    """With the folder, the reason and a way out."""
    tickets(folder / "t.csv")
    told = run("init", "t.csv/p", "--data", "t.csv", exits=8)
    assert told.startswith("t.csv/p: cannot be made (")
    assert "name a folder where you can write" in told


def test_names_need_not_be_simple(folder: Path) -> None:
    """Spaces are quoted where a command is shown; bytes that are no UTF-8 do not stop it."""
    data = Path(os.fsdecode(b"my t\xff.csv"))
    tickets(data)
    assert "\n  cd 'my p'\n" in run("init", "my p", "--data", data, "--teacher", "ollama")
    note = json.loads((folder / "my p/data/raw/source.json").read_text())
    assert note["sources"]["data"]["path"] == "my t\ufffd.csv"


def test_a_terminal_that_cannot_show_a_label_ends_nothing(folder: Path) -> None:
    """What it cannot show is written as an escape, and the command is well."""
    (folder / "t.csv").write_text(
        "text,label\n" + "".join(f"row {k},{'גד'[k % 2]}\n" for k in range(60)), encoding="utf-8"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from llm2llm.cli.main import main; main()"),
            *("init", "p", "--data", "t.csv", "--teacher", "ollama"),
        ],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "(2 different targets in 60 rows): \\u05d2, \\u05d3" in done.stdout


def test_on_a_terminal_it_asks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not clear is asked, with the likeliest answer as the default."""
    rows = "".join(f"t{k},{k % 4},{k}\n" for k in range(40))
    (folder / "t.csv").write_text("a,b,c\n" + rows)
    asked: list[tuple[str, str]] = []

    def answer(text: str, default: str) -> str:
        asked.append((text, default))
        return {"Which one is the input?": "a", "Which one is the target?": "b"}.get(text, "label")

    monkeypatch.setattr("llm2llm.cli.deciding.typer.prompt", answer)
    monkeypatch.setattr("llm2llm.cli.deciding.sys.stdin", SimpleNamespace(isatty=lambda: True))
    table = read_table(folder / "t.csv")
    columns = decide_columns(table, None, None)
    assert (columns.input, columns.target) == ("a", "b")
    guess = decide_kind(table.frame["a"].to_list(), table.frame["b"].to_list(), None)
    assert (guess.kind, guess.labels) == ("label", ("0", "1", "2", "3"))
    assert [default for _, default in asked] == ["a", "c", "number"]


def test_a_label_with_one_row_is_trained_and_told(folder: Path) -> None:
    """It cannot be measured too, which is said."""
    tickets(folder / "t.csv").open("a").write("lonely,rare\n")
    assert "no test row has the label 'rare', so nothing measures it" in init()
    assert "rare" in (folder / "p/data/raw/train.jsonl").read_text()


def test_a_folder_that_exists_is_left_alone(folder: Path) -> None:
    """An empty one is taken, any other is refused before the data are read."""
    tickets(folder / "t.csv")
    (folder / "p").mkdir()
    (folder / "p/mine").write_text("x")
    assert "p: exists already, expected a new folder" in init(exits=2)
    (folder / "p/mine").unlink()
    init()


def test_without_git_it_is_said_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is looked at."""
    monkeypatch.setenv("PATH", str(folder))
    assert "git is not installed" in init(exits=8)


def test_a_student_of_ones_own_gets_fitting_settings(folder: Path) -> None:
    """A folder with a causal model becomes a causal student, an encoder a classifier."""
    tickets(folder / "t.csv")
    for name, kind in (("LlamaForCausalLM", "causal"), ("BertModel", "classifier")):
        model = folder / name
        model.mkdir()
        (model / "config.json").write_text(json.dumps({"architectures": [name]}))
        run("init", f"p-{kind}", "--data", "t.csv", "--student", model)
        params = yaml.safe_load((folder / f"p-{kind}/params.yaml").read_text())
        assert params["base_model"]["model"] == str(model)
        assert params["train_iter"]["kind"] == kind
        task = yaml.safe_load((folder / f"p-{kind}/task.yaml").read_text())
        assert (task["student"]["prompt"] == "{{ input }}") == (kind == "classifier")
        assert task["student"]["chat"] is False
    (model / "config.json").write_text("{")
    assert "config.json: not JSON" in run(
        "init", "q", "--data", "t.csv", "--student", model, exits=2
    )


def test_a_classifier_is_refused_for_what_is_no_label(folder: Path) -> None:
    """The message names the students that can."""
    rows = "".join(f"how many in {k}?,{k * 11}\n" for k in range(40))
    (folder / "t.csv").write_text("question,answer\n" + rows)
    assert "minilm is a classifier, which gives one label to a text" in init(
        "--student", "minilm", exits=2
    )
    init()
    assert yaml.safe_load((folder / "p/params.yaml").read_text())["train_iter"]["kind"] == "causal"


def test_a_task_file_alone_can_be_had(folder: Path) -> None:
    """`task new` writes what `init` would; an existing file stays as it is."""
    tickets(folder / "t.csv")
    assert "label (3 different targets in 60 rows)" in run(
        "task", "new", "t.yaml", "--data", "t.csv"
    )
    init()
    assert (
        yaml.safe_load(Path("t.yaml").read_text())["answer"]
        == (yaml.safe_load(Path("p/task.yaml").read_text())["answer"])
    )
    assert "exists already" in run("task", "new", "t.yaml", "--data", "t.csv", exits=2)


def test_a_task_file_can_be_had_from_rows_without_a_header(folder: Path) -> None:
    """The message about a missing header names options that `task new` has, too."""
    (folder / "t.csv").write_text("".join(f"5{k},{'XY'[k % 2]}\n" for k in range(12)))
    told = run("task", "new", "t.yaml", "--data", "t.csv", exits=3)
    assert "--no-header" in told
    run("task", "new", "t.yaml", "--data", "t.csv", "--no-header", "--target", "column_2")
    fields = yaml.safe_load(Path("t.yaml").read_text())["fields"]
    assert fields == {"input": "column_1", "target": "column_2"}


def test_stages_refuse_to_run_by_other_code(folder: Path) -> None:
    """A stage whose listing is not the installed code's names the way out, and so without one."""
    tickets(folder / "t.csv")
    init("--teacher", "ollama")
    os.chdir("p")
    stage = [sys.executable, "stages/plan.py"]
    assert subprocess.run(stage, capture_output=True, check=False).returncode == 0
    listing = Path("stages/code/plan.sha256")
    lines = listing.read_text().splitlines(keepends=True)
    listing.write_text("0" * 64 + lines[0][64:] + "".join(lines[1:]))
    done = subprocess.run(stage, capture_output=True, text=True, check=False)
    assert done.returncode == 8
    assert "run `llm2llm upgrade`" in done.stderr
    assert "llm2llm/exceptions.py" in done.stderr
    listing.unlink()
    done = subprocess.run(stage, capture_output=True, text=True, check=False)
    assert "`llm2llm upgrade` writes it" in done.stderr


def test_lists_of_both_files_are_separated_alike(folder: Path) -> None:
    """A comma in a label of one file does not make other labels of the other's."""
    for name, odd in (("t.jsonl", "c, d"), ("test.jsonl", "e")):
        rows = [{"text": f"{name} {k}", "tags": ["a", "b", odd][: k % 3 + 1]} for k in range(40)]
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    for data, test in (("t.jsonl", "test.jsonl"), ("test.jsonl", "t.jsonl")):
        told = json.loads(run("init", f"of-{data}", "--data", data, "--test", test, "--json"))
        assert told["labels"] == ["a", "b", "c, d", "e"]
    Path("test.jsonl").write_text(json.dumps({"text": "x", "tags": ["a", "e|f"]}) + "\n")
    told = run("init", "p", "--data", "t.jsonl", "--test", "test.jsonl", exits=3)
    assert "test.jsonl: the column `tags` holds texts with a bar" in told
    assert not Path("p").exists()


def test_upgrade_shows_first_and_then_brings_over(folder: Path) -> None:
    """A changed stage, listing and pipeline come back; params keep values and get new keys."""
    tickets(folder / "t.csv")
    init()
    os.chdir("p")
    assert "up to date" in run("upgrade")
    before = {name: Path(name).read_text() for name in pipeline_files()}
    Path("stages/plan.py").write_text("old\n")
    Path("stages/code/gone.sha256").write_text("x  y\n")
    run("pool", "20")
    pool = Path("stages/pool.yaml").read_text()
    params = Path("params.yaml").read_text()
    shorter = params.replace("  warmup_share: 0.1\n", "").replace("iterations: 3", "iterations: 7")
    start, end = shorter.index("\ntrain_control:"), shorter.index("\nreport:")
    Path("params.yaml").write_text(shorter[:start] + shorter[end:])
    told = run("upgrade", exits=8)
    assert "-old\n" in told
    assert "nothing was written" in told
    assert Path("stages/plan.py").read_text() == "old\n"
    assert "changes of your own to dvc.yaml and stages/ go too" in told
    assert "files are up to date now" in run("upgrade", "--yes")
    assert {name: Path(name).read_text() for name in before} == {**before, "stages/pool.yaml": pool}
    assert not Path("stages/code/gone.sha256").exists()
    values = yaml.safe_load(Path("params.yaml").read_text())
    assert values["iterations"] == 7
    assert values["export"]["card"]["teacher_terms"] == {}
    assert set(values) == set(yaml.safe_load(params))
    assert list(values["train_iter"]) == list(yaml.safe_load(params)["train_iter"])
    assert run("upgrade").startswith("this project is up to date")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (b"a: [\n", "params.yaml: not YAML (while parsing"),
        (b"", "params.yaml: found nothing, expected sections"),
        (b"- a\n", "params.yaml: found list, expected sections"),
        (b"# caf\xe9\n", "params.yaml: not UTF-8 (invalid continuation byte at byte 5)"),
    ],
)
def test_params_that_cannot_be_read_stop_an_upgrade(
    folder: Path, params: bytes, message: str
) -> None:
    """One message, and nothing is written."""
    tickets(folder / "t.csv")
    init()
    os.chdir("p")
    Path("params.yaml").write_bytes(params)
    Path("stages/plan.py").write_text("old\n")
    assert message in run("upgrade", "--yes", exits=2)
    assert Path("stages/plan.py").read_text() == "old\n"


def test_upgrade_leaves_a_section_on_one_line_alone(folder: Path) -> None:
    """Others get what they lack; `validate` names what this one does."""
    tickets(folder / "t.csv")
    init()
    os.chdir("p")
    text = Path("params.yaml").read_text().replace("  warmup_share: 0.1\n", "")
    start, end = text.index("\nexport:"), text.index("\nruntime:")
    Path("params.yaml").write_text(f"{text[:start]}\nexport: {{name: mine}}\n{text[end:]}")
    run("upgrade", "--yes")
    values = yaml.safe_load(Path("params.yaml").read_text())
    assert values["export"] == {"name": "mine"}
    assert "warmup_share" in values["train_iter"]
    assert "`export.version`: missing" in run("validate", "--no-reach", exits=2)


@pytest.mark.parametrize(
    ("taken", "added"),
    [
        (["!/data/review/"], ["!/data/review/"]),
        (["/data/*"], ["/data/*", "!/data/raw/", "!/data/review/"]),
        (["/data/*", "!/data/raw/"], ["/data/*", "!/data/raw/", "!/data/review/"]),
    ],
)
def test_upgrade_adds_what_git_has_to_ignore(
    folder: Path, taken: list[str], added: list[str]
) -> None:
    """One's own lines stay; exceptions stand after what they are taken from."""
    tickets(folder / "t.csv")
    init()
    os.chdir("p")
    left = [line for line in Path(".gitignore").read_text().splitlines() if line not in taken]
    Path(".gitignore").write_text("\n".join(["/mine", *left]) + "\n")
    run("upgrade", "--yes")
    assert Path(".gitignore").read_text().splitlines() == ["/mine", *left, *added]
    assert run("upgrade").startswith("this project is up to date")


@pytest.mark.parametrize("arithmetic", [False, True])
def test_upgrade_fills_in_what_suits_the_task(folder: Path, *, arithmetic: bool) -> None:
    """Not what the quick start says of its own rows, its calculator and its card among them."""
    tickets(folder / "t.csv")
    init()
    os.chdir("p")
    task = Path("task.yaml").read_text()
    Path("task.yaml").write_text(
        task.replace("arithmetic: false", f"arithmetic: {str(arithmetic).lower()}")
    )
    params = Path("params.yaml").read_text()
    start, end = params.index("\n  card:"), params.index("\nruntime:")
    shorter = re.sub(r"\n  calculator: .*", "", params[:start] + params[end:])
    Path("params.yaml").write_text(shorter)
    run("upgrade", "--yes")
    found = yaml.safe_load(Path("params.yaml").read_text())
    assert found["export"] == yaml.safe_load(params)["export"]
    assert found["predict"]["calculator"] is arithmetic


def test_upgrade_leaves_a_broken_task_to_validate(folder: Path) -> None:
    """It does what it can without the task file."""
    tickets(folder / "t.csv")
    init()
    os.chdir("p")
    Path("task.yaml").write_text("a: [\n")
    assert "up to date" in run("upgrade")


def test_upgrade_is_for_projects_that_init_made(folder: Path) -> None:
    """Elsewhere, as in this repository, it touches nothing."""
    assert "this is no project that `llm2llm init` made" in run("upgrade", exits=2)


def test_listings_are_those_of_the_pipelines_deps() -> None:
    """Each stage's listing names exactly the package's files that its deps name here."""
    files = pipeline_files()
    n_modules = 0
    for name in ("dvc.yaml", "stages/dvc.yaml"):
        document = yaml.safe_load((ROOT / name).read_text())
        made = yaml.safe_load(files[name])
        for stage, whole in document["stages"].items():
            deps = whole.get("do", whole)["deps"]
            modules = {dep for dep in deps if dep.startswith("llm2llm/")}
            listing = files[f"stages/code/{stage}.sha256"]
            assert {line.split("  ")[1] for line in listing.splitlines()} == modules
            n_modules += len(modules)
            project = made["stages"][stage].get("do", made["stages"][stage])["deps"]
            kept = [dep for dep in deps if dep not in modules]
            assert sorted(project) == sorted([*kept, f"stages/code/{stage}.sha256"])
    assert n_modules > 200


def test_a_listing_sees_a_changed_and_a_missing_module(tmp_path: Path) -> None:
    """What is listed is compared file by file."""
    listing = tmp_path / "a.sha256"
    listing.write_text(pipeline_files()["stages/code/plan.sha256"])
    require_listed(listing, SITE)
    listing.write_text(f"{'0' * 64}  llm2llm/ids.py\n{'0' * 64}  llm2llm/none.py\n")
    with pytest.raises(Llm2llmError, match=r"\(llm2llm/ids.py, llm2llm/none.py\)"):
        require_listed(listing, SITE)


def test_an_up_to_date_project_has_no_changes() -> None:
    """The package's own files are what the package wants."""
    kept = {str(DECISIONS): NO_DECISIONS, ".gitignore": FIXED[".gitignore"]}
    assert changes({**pipeline_files(), **kept}) == []


def mails(path: Path, n: int = 60, word: str = "mail") -> Path:
    """Write n mails with a column for each fact in them; every third names no day."""
    lines = ["mail,order,amount,due"]
    lines += [
        f"{word} {k} about A{k},A{k},{10 * k},{'' if k % 3 == 0 else f'2024-01-{k % 28 + 1:02}'}"
        for k in range(n)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def task_of(project: Path) -> dict:
    """Read the project's task file."""
    return yaml.safe_load((project / "task.yaml").read_text(encoding="utf-8"))


def rows_of(project: Path, name: str = "train") -> list[dict]:
    """Read a raw file."""
    text = (project / f"data/raw/{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_several_targets_make_json_objects(folder: Path) -> None:
    """Each row's cells become an object, an empty one left out; the test file's do too."""
    mails(folder / "t.csv")
    mails(folder / "more.csv", 99, "letter")
    targets = ("--target", "order", "--target", "amount", "--target", "due")
    told = init(*targets, "--test", "more.csv", "--student", "embedded", "--json")
    assert json.loads(told)["kind"] == "json"
    answer = task_of(folder / "p")["answer"]
    assert [(f["name"], f["type"], f["required"]) for f in answer["fields"]] == [
        *(("order", "text", True), ("amount", "number", True), ("due", "date", False)),
    ]
    by_mail = {row["mail"]: json.loads(row["answer"]) for row in rows_of(folder / "p", "test")}
    assert by_mail["letter 3 about A3"] == {"order": "A3", "amount": 30}
    assert by_mail["letter 4 about A4"] == {"order": "A4", "amount": 40, "due": "2024-01-05"}
    assert len(by_mail) == 99


def test_several_targets_that_cannot_be_joined_are_told(folder: Path) -> None:
    """Columns that are not there, named twice, or of another kind in the test file."""
    mails(folder / "t.csv")
    assert "has no column 'sum'" in init("--target", "order", "--target", "sum", exits=2)
    assert "found 'due' twice" in init("--target", "due", "--target", "due", exits=2)
    both = ("--input", "mail", "--target", "order", "--target", "amount")
    assert "expected one of" in init(*both, "--student", "minilm", exits=2)
    (folder / "odd.csv").write_text("mail,order,amount\nodd mail,A1,ten\n", encoding="utf-8")
    told = init(*both, "--test", "odd.csv", "--student", "embedded", exits=2)
    assert "the field 'amount' of the JSON targets holds number and text" in told
    assert not (folder / "p").exists()


@pytest.mark.parametrize("form", ["t.jsonl", "t.parquet"])
def test_a_column_of_objects_is_a_json_target(folder: Path, form: str) -> None:
    """Objects of JSON lines and of Parquet are taken as they are; task check reads them."""
    rows = [
        {"body": f"mail {k}", "facts": {"order": f"A{k}", "goods": ["x", f"y{k}"]}}
        for k in range(60)
    ]
    if form == "t.parquet":
        pl.DataFrame(rows).write_parquet(form)
    else:
        Path(form).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run("init", "p", "--data", form, "--target", "facts", "--student", "embedded")
    fields = task_of(folder / "p")["answer"]["fields"]
    assert [(f["name"], f["type"]) for f in fields] == [("order", "text"), ("goods", "list")]
    os.chdir(folder / "p")
    assert "no fault found" in run("task", "check")
    run("task", "new", "again.yaml", "--data", f"../{form}", "--target", "facts")
    assert (
        yaml.safe_load(Path("again.yaml").read_text(encoding="utf-8"))["answer"]["fields"] == fields
    )


def test_cells_with_several_labels_are_sets(folder: Path) -> None:
    """They are proposed by themselves, a classifier is refused, and a label train lacks is told."""
    sets = ["red; round", "round", "red", "flat;red", "flat"]
    rows = "".join(f"thing number {k} of the long list,{sets[k % 5]}\n" for k in range(60))
    (folder / "t.csv").write_text("text,label\n" + rows, encoding="utf-8")
    told = init("--student", "embedded")
    assert "a set of labels (3 labels in 5 combinations): flat, red, round" in told
    answer = task_of(folder / "p")["answer"]
    assert (answer["kind"], answer["labels"]) == ("labels", ["flat", "red", "round"])
    os.chdir(folder / "p")
    assert "no fault found" in run("task", "check")
    test = Path("data/raw/test.jsonl")
    test.chmod(0o644)
    test.write_text('{"text": "a new thing", "label": "red, blue"}\n', encoding="utf-8")
    assert "no labels answer in 'red, blue'" in run("task", "check", exits=1)
    task = Path("task.yaml")
    task.write_text(task.read_text().replace('["flat",', '["blue", "flat",'), encoding="utf-8")
    found = run("task", "check", exits=1)
    assert "1 rows have the label 'blue', which no row of data/raw/train.jsonl has" in found
    os.chdir(folder)
    assert "is a classifier" in run("init", "q", "--data", "t.csv", "--student", "minilm", exits=2)
