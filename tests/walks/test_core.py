"""The bare wheel, without extras, in an environment that holds nothing else."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from built_wheel import ROOT
from finished_run import make_run
from walked_shell import Ended, Shell
from walking import locked

from llm2llm.extras import EXTRAS

pytestmark = pytest.mark.timeout(600)
LEAKS_FOUND = 1


@pytest.fixture(scope="module")
def core(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path, environment: dict[str, str]
) -> Iterator[Shell]:
    """Install the wheel alone, and open a shell in that environment."""
    folder = tmp_path_factory.mktemp("core")
    shell = Shell(folder, environment)
    lock = ROOT / "requirements.lock"
    for command in (
        "python3.11 -m venv .venv",
        ". .venv/bin/activate",
        f"pip install '{wheel}' -c '{lock}'",
    ):
        ended = shell.run(command)
        assert ended.exit_code == 0, ended.output
    yield shell
    shell.end()


def succeed(shell: Shell, command: str) -> str:
    """Run a command that must not fail."""
    ended: Ended = shell.run(command)
    assert ended.exit_code == 0, ended.output
    return ended.output


def test_the_core_is_small_and_locked(core: Shell) -> None:
    """No package of an extra comes along, and each has the version of requirements.lock."""
    installed = locked(succeed(core, "pip list --format=freeze").splitlines())
    for name in ("pip", "llm2llm"):
        del installed[name]
    assert "polars" in installed
    assert not {name.replace("-", "_") for name in installed} & {
        package for packages in EXTRAS.values() for package in packages
    }
    lock = locked((ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
    differing = {name: v for name, v in installed.items() if lock.get(name) != v}
    # The virtual environment's own, where it brings one.
    assert not differing.keys() - {"setuptools"}


def test_help_lists_the_path(core: Shell) -> None:
    """`llm2llm --help` names every part, with nothing of an extra installed."""
    told = succeed(core, "llm2llm --help")
    for part in ("Start:", "Run, with dvc repro:", "Use:", "Hand over:"):
        assert part in told


def test_a_real_bundle_is_verified(core: Shell, tmp_path: Path) -> None:
    """`verify` holds a sound bundle for sound, and names a changed file with exit 1."""
    make_run(tmp_path)
    export = [sys.executable, str(ROOT / "stages/export.py"), "2"]
    subprocess.run(export, cwd=tmp_path, check=True)
    bundle = tmp_path / "data/export"
    assert "all of it holds" in succeed(core, f"llm2llm verify '{bundle}'")
    changed = Path(shutil.copytree(bundle, tmp_path / "changed"))
    with (changed / "chat.jsonl").open("ab") as stream:
        stream.write(b"\n")
    ended = core.run(f"llm2llm verify '{changed}'")
    assert ended.exit_code == 1
    assert "chat.jsonl" in ended.output


def test_leaks_are_found(core: Shell, tmp_path: Path) -> None:
    """`leakcheck` finds the test item among candidates, and nothing in those without."""
    items = [f"how many {w} does a ship of class {w} carry at sea ?" for w in "abcdefgh"]
    quote = '{{"text": "{}"}}\n'
    (tmp_path / "test.jsonl").write_text("".join(map(quote.format, items)))
    (tmp_path / "clean.jsonl").write_text(quote.format("who painted the ceiling of the hall"))
    (tmp_path / "leak.jsonl").write_text(quote.format(items[3].upper()))
    line = "llm2llm leakcheck --candidates '{}' --against '{}'"
    succeed(core, line.format(tmp_path / "clean.jsonl", tmp_path / "test.jsonl"))
    ended = core.run(line.format(tmp_path / "leak.jsonl", tmp_path / "test.jsonl"))
    assert ended.exit_code == LEAKS_FOUND, ended.output


def test_init_makes_a_project_and_says_what_is_missing(core: Shell, tmp_path: Path) -> None:
    """`init` works; its next step, and what needs an extra, name the exact line to install."""
    rows = "".join(f"ticket {k} of {k % 3},{'XYZ'[k % 3]}\n" for k in range(60))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    told = succeed(core, f"llm2llm init '{tmp_path}/p' --data '{tmp_path}/t.csv'")
    assert "pip install 'llm2llm[pipeline,training]'" in told
    ended = core.run(f"(cd '{tmp_path}/p' && llm2llm validate --no-reach)")
    assert ended.exit_code != 0
    for extra in ("pipeline", "training"):
        assert f"`pip install 'llm2llm[{extra}]'`" in ended.output


def test_the_named_line_installs_the_extra(core: Shell, tmp_path: Path) -> None:
    """An Excel file names a line that, as it stands, brings the extra to the wheel."""
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    init = f"llm2llm init '{tmp_path}/p' --data '{tmp_path}/t.xlsx'"
    named = re.search(r"`(pip install 'llm2llm\[excel\]')`", core.run(init).output)
    assert named is not None
    succeed(core, f"{named[1]} -c '{ROOT}/requirements.lock'")
    assert "fastexcel" in locked(succeed(core, "pip list --format=freeze").splitlines())
    assert "pip install" not in core.run(init).output
