"""What the README and the docs name exists."""

import re
from pathlib import Path

import pytest
from module_deps import PIPELINES, ROOT, load, stages
from typer.main import get_command

from llm2llm.cli.main import app

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file that is there."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_exist(page: Path) -> None:
    """Every `llm2llm COMMAND` and `make TARGET` that a page names exists."""
    text = page.read_text(encoding="utf-8")
    commands = set(get_command(app).commands)
    named = set(re.findall(r"(?:`|\$ )llm2llm ([a-z]+)", text))
    assert named <= commands, named - commands
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text)) <= targets


def test_the_table_holds_every_stage() -> None:
    """The README's table has each stage of both pipelines."""
    names = {name for pipeline in PIPELINES for name, _ in stages(load(ROOT / pipeline)[1])}
    rows = re.findall(r"(?m)^\| ([a-z@, -]+) \|", README)
    told = {name.removesuffix("@i").strip() for row in rows for name in row.split(",")}
    assert names <= told


def test_the_readme_has_no_open_places() -> None:
    """No placeholder is left in any page."""
    for page in PAGES:
        assert not re.search(r"@[A-Z_]{4,}@", page.read_text(encoding="utf-8")), page


def test_the_study_table_is_there() -> None:
    """The quick start's page holds the measured table: eight random seeds and their mean."""
    text = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
    table = text.split("study table: begin")[1].split("five-seed table: end")[0]
    rows = re.findall(r"(?m)^\| (\d|mean) \|.*\|$", table)
    assert rows == [*"12345678", "mean"]
