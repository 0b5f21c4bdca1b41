"""The commands that ask a finished run: plain output, JSON, failures."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from finished_run import Made, make_run
from typer.testing import CliRunner

from llm2llm.cli.blame import blame
from llm2llm.cli.explain import explain
from llm2llm.cli.status import status
from llm2llm.cli.tables import printable
from llm2llm.exceptions import DataError
from llm2llm.ids import sha256_file

app = typer.Typer()
for command in (status, explain, blame):
    app.command()(command)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Make a run and stand in its folder."""
    made = make_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return made


def run(*arguments: str) -> str:
    """Call a command that succeeds; give its standard output."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_explain_prints_the_chain_in_order(made: Made) -> None:
    """A person reads example, seed, wrong answer, request, response and gates, in this order."""
    text = run("explain", made.kept["second"])
    wanted = [
        f"{made.kept['second']}: an augmented example, in sets 1, 2",
        f"Seed {made.seeds[1]}",
        "The answer of student 0: wrong",
        f"Request {made.requests['0/1']}",
        "Response (stop)",
        "Kept: every gate let it through",
        f"nearest test item: {made.tests[1]}, ROUGE-L 0.440",
        "Other candidates of the same response",
        made.rejected["leak"],
    ]
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)


def test_explain_names_the_bundle_at_its_end(made: Made) -> None:
    """What is in the export is said with the bundle's folder, name, version and manifest."""
    assert "Bundle:" not in run("explain", made.kept["second"])
    stage = Path(__file__).resolve().parent.parent / "stages" / "export.py"
    subprocess.run([sys.executable, str(stage), "2"], check=True, capture_output=True)
    sha256 = sha256_file(made.root / "data/export/manifest.json")
    for name in (made.kept["second"], made.seeds[0]):
        text = run("explain", name)
        assert "2 and in the export" in text.splitlines()[0]
        wanted = f"Bundle: data/export, made-up 1.2.3, manifest {sha256[:12]}"
        assert text.splitlines()[-1] == wanted
        assert json.loads(run("explain", name, "--json"))["bundle"]["manifest_sha256"] == sha256
    assert "Bundle:" not in run("explain", made.rejected["duplicate"])


def test_explain_prints_seeds_and_rejections(made: Made) -> None:
    """A seed points to blame; a rejected candidate names its gate and reference."""
    assert f"llm2llm blame {made.seeds[0]}" in run("explain", made.seeds[0])
    text = run("explain", made.rejected["duplicate"])
    assert "a rejected candidate, in no set" in text
    assert "Rejected by gate duplicate" in text
    assert f"compared with: {made.kept['first']}" in text


def test_blame_prints_the_story(made: Made) -> None:
    """A person reads whether the seed is fixed, and each descendant with its reason."""
    text = run("blame", made.seeds[2])
    assert "right (wrong again in iteration 1; fixed in iteration 2)" in text
    assert "Requests: 1, kept: 1, rejected: 1." in text
    assert made.rejected["duplicate"] in text
    assert "  cost: unknown\n" in text
    assert json.loads(run("blame", made.seeds[2], "--json"))["cost"] is None
    assert "content policy" in run("blame", made.seeds[4])


def test_status_prints_a_line_for_each_iteration(made: Made) -> None:
    """The table holds accuracy, errors, kept and rejected, and what is to come."""
    lines = run("status").splitlines()
    row = next(line for line in lines if line.startswith("1 "))
    assert row.split() == ["1", "done", "7", "40.0", "50.0", "3", "1", "2", "240", "0.0000"]
    assert lines[0].startswith("under way: 3 of 3 students")
    assert lines[-1] == "next: dvc --wait-for-lock repro"


@pytest.mark.parametrize("command", ["status", "explain", "blame"])
def test_json_is_one_document_with_the_same_facts(made: Made, command: str) -> None:
    """With --json standard output is JSON and nothing else."""
    ids = {"status": [], "explain": [made.kept["first"]], "blame": [made.seeds[1]]}
    found = json.loads(run(command, *ids[command], "--json"))
    wanted = {
        "status": lambda: [each["n_kept"] for each in found["iterations"]] == [2, 1, None],
        "explain": lambda: found["seed"]["example_id"] == made.seeds[0],
        "blame": lambda: found["iterations"][0]["descendants"][1]["gate"] == "rouge",
    }
    assert wanted[command]()


def test_an_unknown_id_raises_the_error_that_the_edge_prints(made: Made) -> None:
    """Commands raise; how a failure is told is main's to say."""
    with pytest.raises(DataError, match="no seed has this id"):
        CliRunner().invoke(app, ["blame", "ex-ffffffffffffffff"], catch_exceptions=False)


def test_texts_cannot_steer_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escape sequences, direction marks and markup in texts are shown, not obeyed."""
    made = make_run(tmp_path, hostile="\x1b[31mred\u202e[bold]b[/bold]")
    monkeypatch.chdir(tmp_path)
    text = run("explain", made.kept["first"])
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[31mred\\u202e[bold]b[/bold]" in text
    assert printable("a\tb\nc\u200d") == "a\tb\nc\\u200d"


def test_a_terminal_gets_the_same_cells(made: Made) -> None:
    """On a terminal rich draws the table; its cells are those of the plain one."""
    code = "from test_cli_finished_run import app; app()"
    here = Path(__file__).parent
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, "status"],
        stdout=follower,
        cwd=made.root,
        env={**os.environ, "PYTHONPATH": str(here), "COLUMNS": "120", "TERM": "xterm"},
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while chunk := os.read(leader, 65536):
                shown += chunk
        except OSError:  # Linux ends a terminal without writers so
            pass
        assert process.wait() == 0
    os.close(leader)
    text = shown.decode()
    assert "\x1b[1m" in text
    row = next(line for line in text.splitlines() if line.startswith("1 "))
    assert row.split() == ["1", "done", "7", "40.0", "50.0", "3", "1", "2", "240", "0.0000"]
