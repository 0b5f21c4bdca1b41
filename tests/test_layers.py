"""The structure of the package, held by tests."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "llm2llm"
LAYERS = [
    {"exceptions", "extras", "ids", "seeding"},
    {
        "records",
        "params",
        "files",
        "installed",
        "csv_form",
        "rows",
        "streaming",
        "work",
        "exclusions",
        "progress",
    },
    {
        "tasks",
        "prompts",
        "parsing",
        "answers",
        "quantities",
        "labels",
        "dates",
        "json_answers",
        "json_cells",
        "arithmetic",
        "raw",
    },
    {"ledger", "leakage", "duplicates"},
    {"student", "teacher"},
    {
        "grading",
        "scoring",
        "generation",
        "fruitless",
        "teacher_prompts",
        "validity",
        "opinions",
        "judge_asking",
        "answer_judging",
        "answer_verdicts",
        "judge_opinions",
        "judging",
        "judge_certifying",
        "screening",
        "withdrawing",
        "measuring",
        "answering",
        "subsampling",
        "merging",
    },
    {
        "lineage",
        "reporting",
        "bundle",
        "exporting",
        "pending",
        "estimating",
        "quoting",
        "budget_left",
        "judge_quoting",
        "answer_judge_quoting",
        "previewing",
        "starting",
        "reviewing",
    },
    {"stage", "training_stage", "measuring_stage", "judging_stage", "judge_edge", "guard", "cli"},
]
# A section of params describes templates and tasks; prompts and tasks read sections in turn.
SAME_LEVEL = {("params", "prompts"), ("params", "tasks"), ("prompts", "params")}
HEAVY = {"torch", "transformers", "peft", "accelerate", "openai", "vllm", "matplotlib", "dvc"}
EDGE = {
    "stage",
    "training_stage",
    "measuring_stage",
    "judging_stage",
    "judge_edge",
    "cli",
    "progress",
}
# What is started as a process of its own has an edge of its own.
ENTRY = 'if __name__ == "__main__":\n'
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer(name: str) -> int:
    """Give the layer of a module or package directly below llm2llm."""
    return next(level for level, names in enumerate(LAYERS) if name in names)


def top(path: Path) -> str:
    """Name the module or package directly below llm2llm that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> list[str]:
    """List the dotted names that a piece of code imports."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


def test_there_are_modules_to_look_at() -> None:
    """The rules below see the whole package, not an empty list."""
    assert len(MODULES) > 40


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_from_lower_layers_only(path: Path) -> None:
    """No module imports from a layer above its own."""
    if path == PACKAGE / "__init__.py":
        return
    mine = top(path)
    for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if not name.startswith("llm2llm."):
            continue
        theirs = name.split(".")[1]
        if theirs == mine or (mine, theirs) in SAME_LEVEL:
            continue
        assert layer(theirs) <= layer(mine), f"{mine} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_inside_functions(path: Path) -> None:
    """Importing any module costs no torch, openai or matplotlib."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in imports(node):
                assert name.split(".")[0] not in HEAVY


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_edge_reads_the_outer_world(path: Path) -> None:
    """Below the edge nothing reads argv, environment, working directory, clock or global random."""
    text = path.read_text(encoding="utf-8")
    if top(path) in EDGE or ENTRY in text:
        return
    for forbidden in ("sys.argv", "os.environ", "getcwd", "time.time(", "datetime.now", "Path.cwd"):
        assert forbidden not in text, f"{path} reads {forbidden}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=str)
def test_packages_start_empty(path: Path) -> None:
    """An empty __init__ lets a stage depend on one module of a package alone."""
    assert path.read_text() == ""


@pytest.mark.parametrize("path", sorted((ROOT / "stages").glob("*.py")), ids=lambda p: p.name)
def test_stages_are_thin(path: Path) -> None:
    """A stage reads, calls and writes, in at most 70 lines."""
    assert len(path.read_text().splitlines()) <= 70


def test_the_command_line_starts_without_torch() -> None:
    """Asking for status imports neither torch nor transformers."""
    code = (
        "import sys\n"
        "import llm2llm.cli.main\n"
        f"print(sorted({HEAVY!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
