"""What needs no finished run: preset, pool, validate, --version."""

import json
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.cli.preset import render
from llm2llm.exceptions import Llm2llmError

ROOT = Path(__file__).resolve().parent.parent
PRESETS = ["quickstart", "gsm8k-smoke", "qlora-7b", "trec-smoke"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with params, pool, tasks and raw data, and go there."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("stages", "data/raw", "llm2llm/tasks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(project: Path, **changes: object) -> None:
    """Change params.yaml; a mapping changes only the keys that it names."""
    path = project / "params.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def test_the_version_is_the_installed_packages() -> None:
    """It is asked for without a command, and ends with 0."""
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"llm2llm {version('llm2llm')}\n")


def problems() -> list[str]:
    """Ask validate, and check that its exit code agrees with what it lists."""
    result = CliRunner().invoke(app, ["validate", "--no-reach", "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    found = json.loads(result.stdout)["problems"]
    assert (result.exit_code != 0) == bool(found)
    return found


def test_the_committed_params_are_the_quickstart() -> None:
    """params.yaml is the quickstart preset, so that defaults stand in one place."""
    assert (ROOT / "params.yaml").read_text(encoding="utf-8") == render("quickstart")


def test_a_sound_project_has_no_problem(project: Path) -> None:
    """The committed params and data hold."""
    assert problems() == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_complete(project: Path, name: str) -> None:
    """Each preset, used with raw files that exist, has no problem in its params."""
    result = CliRunner().invoke(app, ["preset", "use", name])
    assert result.exit_code == 0, result.output
    assert [p for p in problems() if "no such file" not in p] == []


def test_presets_are_listed_and_shown(project: Path) -> None:
    """`list` names each preset with what it is for, `show` prints params that parse."""
    listed = json.loads(CliRunner().invoke(app, ["preset", "list", "--json"]).stdout)
    assert list(listed) == PRESETS
    assert all(len(about) > 20 for about in listed.values())
    shown = yaml.safe_load(CliRunner().invoke(app, ["preset", "show", "trec-smoke"]).stdout)
    assert shown["task"] == "llm2llm/tasks/trec.yaml"
    assert shown["train_iter"] == yaml.safe_load(render("quickstart"))["train_iter"]


def test_using_a_preset_keeps_your_own_params(project: Path) -> None:
    """A params.yaml that is no preset is kept beside the new one; comments come with a preset."""
    change(project, iterations=2)
    mine = (project / "params.yaml").read_text(encoding="utf-8")
    CliRunner().invoke(app, ["preset", "use", "gsm8k-smoke", "--train", "a.jsonl"])
    assert (project / "params.yaml.bak").read_text(encoding="utf-8") == mine
    text = (project / "params.yaml").read_text(encoding="utf-8")
    CliRunner().invoke(app, ["preset", "use", "quickstart"])
    assert (project / "params.yaml.bak").read_text(encoding="utf-8") == mine
    assert (project / "params.yaml.bak.2").read_text(encoding="utf-8") == text
    assert yaml.safe_load(text)["subsample"]["train"] == "a.jsonl"
    assert text.count("#") > 20


def test_an_unknown_preset_is_told() -> None:
    """The message names the presets there are."""
    with pytest.raises(
        Llm2llmError, match=r"'none'.*quickstart, gsm8k-smoke, qlora-7b, trec-smoke"
    ):
        render("none")


def test_the_pool_is_extended_and_never_shrunk(project: Path) -> None:
    """After `pool 20` 20 iterations validate; a smaller number is refused."""
    change(project, iterations=20)
    assert any("`llm2llm pool 20` extends it" in problem for problem in problems())
    before = (project / "stages/pool.yaml").read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["pool", "20"]).exit_code == 0
    after = (project / "stages/pool.yaml").read_text(encoding="utf-8")
    assert after.startswith(before)
    assert problems() == []
    result = CliRunner().invoke(app, ["pool", "3"])
    assert "holds 20 iterations already" in str(result.exception)


def test_all_problems_of_params_come_at_once(project: Path) -> None:
    """Unknown keys, wrong types, impossible values and missing sections are one list."""
    change(
        project,
        iterations=-1,
        random_seed="one",
        foo=1,
        subsample={"rate": 1.5, "n_seeds": 0},
        train_iter={"epochs": "4", "learnin_rate": 1},
        predict={"calculator": "yes"},
    )
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("merge", "m"), encoding="utf-8")
    found = "\n".join(problems())
    for part in (
        "`iterations`: found -1",
        "`random_seed`: found 'one', expected a whole number",
        "`foo`: unknown section",
        "`subsample.rate`: found 1.5",
        "`subsample.n_seeds`: found 0",
        "`train_iter.epochs`: found '4'",
        "did you mean `learning_rate`?",
        "`predict.calculator`: found 'yes'",
    ):
        assert part in found, part


def test_a_misspelled_section_is_asked_about(project: Path) -> None:
    """Of top-level names too the nearest is named."""
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("\niterations:", "\niteration:"))
    assert any("`iteration`: unknown section; did you mean `iterations`?" in p for p in problems())


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (".", "no such file; `git checkout params.yaml` brings back"),
        ("data/raw", "this is no project's root, so `cd {root}` first"),
        ("../elsewhere", "no project is here; go to yours, or make one with `llm2llm init`"),
    ],
)
@pytest.mark.parametrize("command", ["status", "quote", "task check", "student export --out x"])
def test_a_command_outside_of_a_project_says_where_to_go(
    project: Path, monkeypatch: pytest.MonkeyPatch, command: str, where: str, says: str
) -> None:
    """Without params.yaml here the message tells a lost file, a folder below, and no project."""
    (project.parent / "elsewhere").mkdir(exist_ok=True)
    if where == ".":
        (project / "params.yaml").unlink()
    monkeypatch.chdir(where)
    result = CliRunner().invoke(app, command.split())
    assert says.format(root=project) in str(result.exception)


def test_a_preset_is_for_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`preset use` writes nothing where there is no pipeline."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["preset", "use", "quickstart"])
    assert "dvc.yaml: no such file, so no project is here" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "no `python` is on the PATH"),
        ("exit 1", "has no llm2llm; activate the environment"),
        ("echo /elsewhere/llm2llm/__init__.py", "has another llm2llm, /elsewhere/llm2llm/"),
        (f'exec {sys.executable} "$@"', None),
    ],
)
def test_the_python_that_stages_are_run_by_is_looked_at(
    project: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, says: str | None
) -> None:
    """`validate` notes a `python` on the PATH that lacks this package, before a stage fails."""
    (project / "bin").mkdir()
    if script is not None:
        (project / "bin/python").write_text(f"#!/bin/sh\n{script}\n")
        (project / "bin/python").chmod(0o755)
    monkeypatch.setenv("PATH", str(project / "bin"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = CliRunner().invoke(app, ["validate", "--no-reach", "--json"])
    found = json.loads(result.stdout)["notes"]
    assert (len(found) == 1 and says in found[0]) if says else found == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subsample": {"n_seeds": 2000}}, "2000 seeds asked for, 1000 usable rows"),
        ({"subsample": {"train": "none.jsonl"}}, "none.jsonl: no such file"),
        ({"subsample": {"rate": 0.0, "n_seeds": None}}, "`subsample.rate`: found 0.0"),
        ({"task": "gsm"}, "found 'gsm', no such file; expected the path of a task file, such as"),
        ({"base_model": {"model": "./none"}}, "found './none', no such folder"),
    ],
)
def test_a_value_that_does_not_fit_is_told(project: Path, changes: dict, message: str) -> None:
    """Paths and sizes are checked against what is there."""
    change(project, **changes)
    assert any(message in problem for problem in problems()), problems()


def test_a_task_file_is_checked_too(project: Path) -> None:
    """A misspelt variable in a prompt and an unknown key of a task file are both told."""
    path = project / "llm2llm/tasks/gsm8k.yaml"
    text = path.read_text(encoding="utf-8").replace("{{ target }}", "{{ taget }}")
    path.write_text(text.replace("masked: true", "masked: true\n  mask: 1"), encoding="utf-8")
    found = "\n".join(problems())
    assert "taget" in found or "mask" in found
    assert "`leakage.mask`: unknown key" in found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("####[ \\t]*([^\\n]*)", "#### (", "pattern: a regular expression"),
        ("####[ \\t]*([^\\n]*)", "####", "with a group"),
        ("labels: null", "labels: [a, b]", "labels: a list for the kinds label, choice"),
        ("kind: json", "kind: text", "pattern: a regular expression for kind text"),
    ],
)
def test_a_pattern_that_cannot_work_is_told(
    project: Path, old: str, new: str, message: str
) -> None:
    """A broken or useless pattern of a task file is a problem before any work, no traceback."""
    path = project / "llm2llm/tasks/gsm8k.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(message in problem for problem in problems()), problems()


def test_params_and_data_problems_come_together(project: Path) -> None:
    """A wrong runtime value hides neither a broken raw file nor rows that stand twice."""
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    change(project, runtime={**values["runtime"], "teacher_timeout_s": -1.0})
    raw = project / "data/raw/quickstart"
    train = raw / "train.jsonl"
    lines = train.read_text(encoding="utf-8").splitlines(keepends=True)
    train.write_text("".join([*lines, lines[0]]), encoding="utf-8")
    found = "\n".join(problems())
    assert "teacher_timeout_s" in found
    assert "train.jsonl:1001: the same row as line 1" in found
    (raw / "test.jsonl").write_text("{", encoding="utf-8")
    assert "test.jsonl:1: not JSON" in "\n".join(problems())


def test_yaml_syntax_names_the_line(project: Path) -> None:
    """A params.yaml that is no YAML is told with the line."""
    (project / "params.yaml").write_text("iterations: 1\n  x: [", encoding="utf-8")
    assert "line 2" in problems()[0]


def test_a_missing_key_is_told_without_asking(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The openai backend without its key in the environment is a problem; with it, none."""
    change(project, teacher_batch={"backend": "openai"})
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    openai = {**values["teacher_batch"]["openai"], "api_key_env": "A_KEY"}
    change(project, teacher_batch={"openai": openai})
    monkeypatch.delenv("A_KEY", raising=False)
    assert any("environment variable A_KEY is not set" in problem for problem in problems())
    monkeypatch.setenv("A_KEY", "secret-value")
    assert problems() == []


def test_a_folder_without_write_permission_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data folder that cannot be written to is a problem before any work."""
    real = os.access

    def access(path: object, mode: int) -> bool:
        return Path(str(path)).name != "data" and real(str(path), mode)

    # The tests may run as root, whom permissions do not stop.
    monkeypatch.setattr(os, "access", access)
    assert any("data: no permission to write" in problem for problem in problems())
