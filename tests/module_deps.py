"""Compare, or write, the first-party modules that each DVC stage depends on.

`python tests/module_deps.py` rewrites dvc.yaml and stages/dvc.yaml; `make deps` calls it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
PIPELINES = ("dvc.yaml", "stages/dvc.yaml")


def imported(script: Path, root: Path = ROOT) -> list[str]:
    """List the first-party files that a script imports, also through others and in functions."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        tree = ast.parse(waiting.pop().read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                path = root / (name.replace(".", "/") + ".py")
                if name.startswith("llm2llm.") and path.is_file() and path not in found:
                    found.add(path)
                    waiting.append(path)
    return sorted(str(path.relative_to(root)) for path in found)


def load(pipeline: Path) -> tuple[YAML, Any]:
    """Load a pipeline so that it can be written back with its comments."""
    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml, yaml.load(pipeline.read_text(encoding="utf-8"))


def stages(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and definition of each stage (below `do` for a foreach stage)."""
    for name, stage in document["stages"].items():
        yield name, stage.get("do", stage)


def script_of(name: str) -> str:
    """Name a stage's script."""
    return f"stages/{name.replace('-', '_')}.py"


def expected_modules(name: str) -> list[str]:
    """List what the stage's deps must hold besides data: its script and all it imports."""
    return [script_of(name), *imported(ROOT / script_of(name))]


def declared_modules(stage: Any) -> list[str]:
    """List the deps of a stage that are code."""
    return [dep for dep in stage["deps"] if dep.endswith(".py")]


def main() -> None:
    """Rewrite the module lines of both pipelines."""
    for pipeline in PIPELINES:
        yaml, document = load(ROOT / pipeline)
        for name, stage in stages(document):
            data = [dep for dep in stage["deps"] if not dep.endswith(".py")]
            stage["deps"][:] = [*data, *expected_modules(name)]
        with (ROOT / pipeline).open("w", encoding="utf-8") as stream:
            yaml.dump(document, stream)


if __name__ == "__main__":
    main()
