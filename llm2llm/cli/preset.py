"""`llm2llm preset`: ready-made params.yaml files."""

import itertools
import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from llm2llm.exceptions import ParamsError
from llm2llm.files import write_text
from llm2llm.stage import PARAMS

preset = typer.Typer(help="List, show or use ready-made params.", no_args_is_help=True)

# The one complete preset; the others name only what they change in it.
_WHOLE = "quickstart"

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Train = Annotated[Path | None, typer.Option(help="raw train rows, in place of the preset's")]
Test = Annotated[Path | None, typer.Option(help="raw test rows, in place of the preset's")]


@preset.command("list")
def list_presets(json_: Json = False) -> None:
    """List the presets with what each is for.

    Example: llm2llm preset list
    """
    about = {name: _about(name) for name in _names()}
    if json_:
        print(json.dumps(about, indent=2))
    else:
        for name, text in about.items():
            print(f"{name:14} {text}")


@preset.command("show")
def show(name: str, json_: Json = False) -> None:
    """Print the params.yaml that a preset writes.

    Example: llm2llm preset show gsm8k-smoke
    """
    text = render(name)
    print(json.dumps(yaml.safe_load(text), indent=2) if json_ else text, end="\n" if json_ else "")


@preset.command("use")
def use(name: str, train: Train = None, test: Test = None, json_: Json = False) -> None:
    """Write params.yaml from a preset; a params.yaml of your own is kept as params.yaml.bak.

    Example: llm2llm preset use gsm8k-smoke --train gsm8k/train.jsonl --test gsm8k/test.jsonl
    """
    text = render(name, train, test)
    kept = None
    if PARAMS.exists() and PARAMS.read_text(encoding="utf-8") not in {render(n) for n in _names()}:
        kept = next(path for path in _backups() if not path.exists())
        shutil.copy2(PARAMS, kept)
    write_text(PARAMS, text)
    if json_:
        print(json.dumps({"written": str(PARAMS), "kept": str(kept) if kept else None}))
    else:
        print(f"{PARAMS} is now preset {name}" + (f"; yours is kept as {kept}" if kept else ""))
        print("next: llm2llm validate, then dvc repro")


def _backups() -> Iterator[Path]:
    """Name params.yaml.bak, then numbered ones, so that none is ever overwritten."""
    yield PARAMS.with_suffix(".yaml.bak")
    yield from (PARAMS.with_suffix(f".yaml.bak.{n}") for n in itertools.count(2))


def render(name: str, train: Path | None = None, test: Path | None = None) -> str:
    """Give the text of params.yaml for a preset, comments included."""
    names = _names()
    if name not in names:
        raise ParamsError(f"preset {name!r}: not known; the presets are {', '.join(names)}")
    changes: dict[str, Any] = {} if name == _WHOLE else yaml.safe_load(_source(name))
    raw: dict[str, Any] = changes.setdefault("subsample", {})
    for key, path in (("train", train), ("test", test)):
        if path is not None:
            raw[key] = str(path)
    if not raw:
        del changes["subsample"]
    return _overlay(_source(_WHOLE), changes)


def _overlay(text: str, changes: dict[str, Any]) -> str:
    """Replace values in YAML text, line by line, so that every comment stays where it is."""
    lines = text.splitlines()
    open_keys: list[tuple[int, str]] = []
    wanted = dict(_leaves(changes, ()))
    for index, line in enumerate(lines):
        body = line.split("#", 1)[0].rstrip()
        if ":" not in body or body.lstrip().startswith("- "):
            continue
        indent = len(body) - len(body.lstrip())
        key = body.strip().split(":", 1)[0]
        open_keys = [entry for entry in open_keys if entry[0] < indent] + [(indent, key)]
        path = tuple(name for _, name in open_keys)
        if path in wanted:
            value = json.dumps(wanted.pop(path), ensure_ascii=False)
            comment = line[line.index("  #") :] if "  #" in line else ""
            lines[index] = f"{' ' * indent}{key}: {value}{comment}"
    if wanted:
        raise ParamsError(f"preset: no such key {'.'.join(next(iter(wanted)))} in params.yaml")
    return "\n".join(lines) + "\n"


def _leaves(values: dict[str, Any], path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found += _leaves(value, (*path, key))
        else:
            found.append(((*path, key), value))
    return found


def _names() -> list[str]:
    folder = files("llm2llm") / "presets"
    names = sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name[-5:] == ".yaml")
    return [_WHOLE, *(name for name in names if name != _WHOLE)]


def _source(name: str) -> str:
    return (files("llm2llm") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")


def _about(name: str) -> str:
    return _source(name).splitlines()[0].removeprefix("# ")
