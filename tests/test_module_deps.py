"""The pipelines: names, deps and params agree with the code."""

import ast
import shutil
from pathlib import Path

import pytest
from module_deps import PIPELINES, ROOT, declared_modules, expected_modules, imported, load, stages

from llm2llm.params.whole import SECTIONS

ALL = [(name, stage) for pipeline in PIPELINES for name, stage in stages(load(ROOT / pipeline)[1])]
NAMES = {
    "plan", "base-model", "subsample", "train-iter", "predict", "diff-errors", "teacher-batch",
    "dedupe-against-test", "merge", "train-control", "predict-control", "report", "export",
}  # fmt: skip


def test_the_stages_are_those_of_the_design() -> None:
    """The two pipelines hold the thirteen stages, each once."""
    assert sorted(name for name, _ in ALL) == sorted(NAMES)


@pytest.mark.parametrize(("name", "stage"), ALL, ids=lambda v: v if isinstance(v, str) else "")
def test_deps_name_exactly_the_imported_modules(name: str, stage: dict) -> None:
    """What a script imports, itself or through others, is what its stage depends on."""
    assert declared_modules(stage) == expected_modules(name), "run `make deps`"


@pytest.mark.parametrize(("name", "stage"), ALL, ids=lambda v: v if isinstance(v, str) else "")
def test_params_name_exactly_the_sections_read(name: str, stage: dict) -> None:
    """A stage lists each section that its script loads, and none that it does not."""
    if name in ("plan", "export"):  # these read the whole file
        return
    script = ROOT / f"stages/{name.replace('-', '_')}.py"
    read: set[str] = set()
    for path in [script, *(ROOT / module for module in imported(script))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id in {"load_section", "load_value"}:
                source, key = node.args[0], node.args[1]
                if isinstance(key, ast.Constant):
                    of_task = '"task"' in ast.unparse(source).replace("'", '"') or (
                        ast.unparse(source) == "task"
                    )
                    read.add(("task." if of_task else "") + key.value)
    declared: set[str] = set()
    for param in stage.get("params", []):
        if isinstance(param, str):
            declared.add(param)
        else:
            declared |= {"task." + key.split(".")[0] for keys in param.values() for key in keys}
    # `runtime` cannot change a byte, `task` is a path whose sections are listed instead, and
    # what follows from `iterations` stands in the stage's deps and its argument.
    assert read - {"runtime", "task", "iterations"} == declared


def test_plan_watches_every_section_but_runtime() -> None:
    """A fault in any section is found before any work."""
    stage = dict(ALL)["plan"]
    top_level = [param for param in stage["params"] if isinstance(param, str)]
    expected = {"iterations", "random_seed", "task", *SECTIONS} - {"runtime"}
    assert set(top_level) == expected


def test_export_watches_every_section_that_it_hands_on() -> None:
    """The bundle holds all sections that data depend on, and the task file as a whole."""
    stage = dict(ALL)["export"]
    assert set(stage["params"]) == {"random_seed", "task", *SECTIONS} - {"runtime", "report"}
    assert "${task}" in stage["deps"]


def test_a_new_import_is_found(tmp_path: Path) -> None:
    """The comparison sees imports inside functions and of names from packages."""
    shutil.copytree(ROOT / "llm2llm", tmp_path / "llm2llm")
    script = tmp_path / "s.py"
    script.write_text("def f():\n    from llm2llm import seeding\n    import llm2llm.ids\n")
    assert imported(script, tmp_path) == ["llm2llm/ids.py", "llm2llm/seeding.py"]
