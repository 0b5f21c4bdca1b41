"""`llm2llm init` and the columns that are neither input nor target, or one of several inputs."""

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cli_init import folder as _in_an_empty_folder  # noqa: F401 - a fixture of every test
from test_cli_init import init, rows_of, run, tickets

from llm2llm.cli.deciding import decide_columns, decide_kind
from llm2llm.exceptions import ParamsError
from llm2llm.starting.table import read_table


def test_several_inputs_are_joined_as_lines() -> None:
    """Each cell after its column's name, empty ones left out; the test file's are joined too."""
    rows = "".join(f"title {k},{f'body {k}' if k else ''},{'XY'[k % 2]}\n" for k in range(60))
    Path("t.csv").write_text("title,body,label\n" + rows, encoding="utf-8")
    Path("test.csv").write_text("label,body,title\nX,new,\nY,old,one\n", encoding="utf-8")
    told = init("--input", "title", "--input", "body", "--test", "test.csv")
    assert "inputs: title, body joined into `input`, as lines `column: value`" in told
    assert [row["input"] for row in rows_of(Path("p"), "test")] == [
        "body: new",
        "title: one\nbody: old",
    ]
    rest = [*rows_of(Path("p"), "train"), *rows_of(Path("p"), "dev")]
    assert {"input": "title: title 0", "label": "X", "source_line": 2} in rest
    note = json.loads(Path("p/data/raw/source.json").read_text(encoding="utf-8"))
    assert note["columns"] == {"input": "input", "target": "label", "inputs": ["title", "body"]}
    both = ("--input", "title", "--input", "body", "--group", "title")
    told = run("init", "q", "--data", "t.csv", *both)
    assert "group: rows with the same `title` are in the same split" in told
    assert "not used" not in told


def test_several_inputs_that_cannot_be_joined_are_told() -> None:
    """Columns that are not there, or named twice."""
    tickets(Path("t.csv"))
    assert "--input: t.csv has no column 'body'" in init(
        *("--input", "text", "--input", "body"), exits=2
    )
    assert "--target: found 'text', which is --input too" in init(
        *("--input", "text", "--input", "label", "--target", "text"), exits=2
    )
    assert "found 'text' twice" in init("--input", "text", "--input", "text", exits=2)


def test_columns_that_are_not_used_are_told() -> None:
    """Those of lists too; the group's is used, and noted."""
    rows = [
        {"id": k, "text": f"t {k}", "label": "XY"[k % 2], "who": f"w{k // 3}", "bits": [k]}
        for k in range(60)
    ]
    Path("t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    told = run("init", "p", "--data", "t.jsonl")
    assert "\n  not used: id, who, bits\n" in told
    told = run("init", "q", "--data", "t.jsonl", "--group", "who")
    assert "\n  group: rows with the same `who` are in the same split\n" in told
    assert "\n  not used: id, bits\n" in told
    note = json.loads(Path("q/data/raw/source.json").read_text(encoding="utf-8"))
    assert note["columns"] == {"input": "text", "target": "label", "group": "who"}
    found = json.loads(run("init", "r", "--data", "t.jsonl", "--group", "who", "--json"))
    assert (found["unused"], found["group"]) == (["id", "bits"], "who")


def test_a_wrong_name_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few times; then init ends as it does without a terminal."""
    rows = "".join(f"t{k},{k % 4},{k}\n" for k in range(40))
    Path("t.csv").write_text("one,two,three\n" + rows, encoding="utf-8")
    answers = iter(["onne", "one", "one", "two", "lable", "label"])
    monkeypatch.setattr("llm2llm.cli.deciding.typer.prompt", lambda *_, **__: next(answers))
    monkeypatch.setattr("llm2llm.cli.deciding.sys.stdin", SimpleNamespace(isatty=lambda: True))
    table = read_table(Path("t.csv"))
    found = decide_columns(table, None, None)
    assert (found.input, found.target) == ("one", "two")
    cells = [table.frame[name].to_list() for name in ("one", "two")]
    assert decide_kind(cells[0], cells[1], None).kind == "label"
    told = capsys.readouterr().out
    assert "--input: t.csv has no column 'onne'; its columns: one, two, three" in told
    assert "'one' is taken already" in told
    assert "'lable' is no kind" in told
    monkeypatch.setattr("llm2llm.cli.deciding.typer.prompt", lambda *_, **__: "none")
    with pytest.raises(ParamsError, match="no column 'none'"):
        decide_columns(table, None, None)


def test_what_git_does_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who committed the rows, and the repository or project that the new one lies in."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Person")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.org")
    tickets(Path("t.csv"))
    told = init()
    assert (
        "\nmade p/, a git repository: all files, the rows too, are committed by A Person"
        " <a@example.org>\n"
    ) in told
    assert "lies inside" not in told
    found = json.loads(run("init", "p/q", "--data", "t.csv", "--json"))
    assert found["committed_by"] == "A Person <a@example.org>"
    assert f"p/q/ lies inside the llm2llm project {Path('p').resolve()}" in found["notes"][0]
    subprocess.run(["git", "init", "-q", "other"], check=True, env=dict(os.environ))
    told = run("init", "other/p", "--data", "t.csv")
    assert f"note: other/p/ lies inside the git repository {Path('other').resolve()}" in told


@pytest.mark.parametrize("options", [[], ["--kind", "label"]])
def test_the_symbolic_teacher_is_refused_for_what_it_cannot_rewrite(options: list[str]) -> None:
    """Before a folder is made; worked arithmetic it takes."""
    tickets(Path("t.csv"))
    told = init("--teacher", "symbolic", *options, exits=2)
    assert "--teacher: found symbolic, which rewrites worked arithmetic with" in told
    assert "(label, such as" in told
    assert not Path("p").exists()
    rows = "".join(f"{k} and {k}?,so <<{k}+{k}={2 * k}>>{2 * k} #### {2 * k}\n" for k in range(60))
    Path("t.csv").write_text("question,answer\n" + rows, encoding="utf-8")
    assert "teacher symbolic" in init("--teacher", "symbolic", "--student", "embedded")


def test_a_folder_that_is_not_there_is_no_hub_id() -> None:
    """Where the value has the form of a path, or begins with a folder that is there."""
    tickets(Path("t.csv"))
    Path("venv").mkdir()
    for name in ("venv/nope", "a/b/c", "./x", "~/x"):
        assert f"--model: found '{name}', no such folder" in init("--model", name, exits=2)
    assert "made p/" in init("--model", "owner/name")


def test_a_target_that_ends_in_id_is_not_passed_over(tmp_path: Path) -> None:
    """Only what differs from row to row numbers them: an `intent_id` makes it ask."""
    lines = [
        f"text {k},{['mail', 'phone', 'web'][k % 3]},{['refund', 'cancel'][k % 2]}"
        for k in range(60)
    ]
    Path("t.csv").write_text("text,source,intent_id\n" + "\n".join(lines) + "\n")
    assert "it is not clear which columns are meant" in run("init", "p", "--data", "t.csv", exits=2)
    lines = [f"text {k},{['mail', 'phone', 'web'][k % 3]},c{k}" for k in range(60)]
    Path("t.csv").write_text("text,source,customer_id\n" + "\n".join(lines) + "\n")
    assert "from `text` to `source`" in run("init", "q", "--data", "t.csv")
