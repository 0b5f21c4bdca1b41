"""Write a new project's folder, whole or not at all, with git set up."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from llm2llm.exceptions import MachineError, ParamsError
from llm2llm.files import replacing_folder
from llm2llm.starting.project import SOURCE_NOTE

_READ_ONLY = 0o444
# A hook of another repository sets them, and git would write there.
_ELSEWHERE = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"),
    *("GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
)


def require_new(folder: Path) -> None:
    """Raise before any work where the folder cannot be made, or git is not there."""
    try:
        place = folder.resolve()
    except RuntimeError:
        raise ParamsError(f"{folder}: a link that leads to itself; name another folder") from None
    if place in (Path.cwd(), *Path.cwd().parents):
        raise ParamsError(
            f"{folder}: is or holds the folder you are in, expected a new one, which is made whole;"
            " name one, such as my-project"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ParamsError(
            f"{folder}: exists already, expected a new folder; name another, or remove it"
            " (`llm2llm upgrade` brings an older project up to date)"
        )
    if shutil.which("git") is None:
        raise MachineError("git is not installed, and a project needs it; install it and try again")


def lies_inside(folder: Path) -> Iterator[str]:
    """Say which other repository and which other project a new folder would lie in."""
    above = folder.resolve().parents
    repository = next((place for place in above if (place / ".git").exists()), None)
    project = next((place for place in above if (place / SOURCE_NOTE).is_file()), None)
    if project is not None:
        yield (
            f"{folder}/ lies inside the llm2llm project {project}, and is no part of it; make it"
            " beside that one if that was not meant"
        )
    elif repository is not None:
        yield (
            f"{folder}/ lies inside the git repository {repository}, and is a repository of its"
            " own: that one does not hold its files; add it to that one's .gitignore"
        )


def make_project(folder: Path, files: Mapping[str, str]) -> str | None:
    """Write all files and `git init`; commit them where git knows who commits, and say who."""
    try:
        return _made(folder.resolve(), files)
    except UnicodeEncodeError:
        raise ParamsError(
            f"{folder}: a name that was given is not UTF-8, and nothing was made; rename what it"
            " names, and try again"
        ) from None
    except OSError as failure:
        raise MachineError(
            f"{folder}: cannot be made ({failure.strerror or failure}); name a folder where you"
            " can write, on a disk with room"
        ) from None


def _made(folder: Path, files: Mapping[str, str]) -> str | None:
    with replacing_folder(folder) as made:
        for name, text in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
            if name.startswith("data/raw/"):
                path.chmod(_READ_ONLY)
        _git(made, "init", "-q")
        # Not what git would make up from the machine's name.
        ident = _git(
            made, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT", check=False
        )
        if ident is not None:
            _git(made, "add", "-A")
            _git(made, "commit", "-q", "-m", "Start the project with llm2llm init")
    # Without time and time zone.
    return None if ident is None else ident.rpartition(">")[0] + ">"


def _git(folder: Path, *arguments: str, check: bool = True) -> str | None:
    """Run git and give what it prints; null where it fails and that is no fault."""
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        told = (done.stderr.strip().splitlines() or ["no reason told"])[-1]
        raise MachineError(
            f"`git {' '.join(arguments)}` failed in the new folder ({told}); nothing was made;"
            " mend git's configuration (`git config --list --show-origin`) and try again"
        )
    return None if done.returncode else done.stdout.strip()
