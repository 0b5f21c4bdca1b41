"""`llm2llm push`: publish a bundle on a Hub."""

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm2llm.cli.tables import fact, heading, print_json, table
from llm2llm.exceptions import DataError, ParamsError

if TYPE_CHECKING:
    from llm2llm.bundle.disclosure import Disclosure
    from llm2llm.bundle.hub import Found, Pushed, Target
    from llm2llm.bundle.manifest import Manifest

_ENDPOINT = "https://huggingface.co"
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_NOT_DECLARED = "not declared"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would be, or was, sent where; `found` and `pushed` are null after a dry run."""

    url: str
    branch: str
    private: bool
    name: str
    version: str
    set: int
    n_files: int
    n_bytes: int
    disclosure: "Disclosure"
    undeclared: list[str]
    found: "Found | None"
    pushed: "Pushed | None"


def push(
    bundle: Annotated[Path, typer.Argument(help="The folder of a bundle, or its archive.")],
    repo: Annotated[str, typer.Option(help="The data set repository, OWNER/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new one private.")] = False,
    branch: Annotated[str, typer.Option(help="The branch; made where it is missing.")] = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing, ask no Hub.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Push without asking.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Verify a bundle, say what it shows, and commit it to a Hub.

    The token is read from HF_TOKEN and written nowhere; HF_ENDPOINT names another Hub.

    Example: llm2llm push data/export --repo me/my-set --private
    """
    # Here, since all of this would make every other command start later.
    from llm2llm.bundle.archive import opened
    from llm2llm.bundle.disclosure import disclosure
    from llm2llm.bundle.hub import Hub, Target
    from llm2llm.bundle.manifest import read_manifest
    from llm2llm.bundle.verifying import verify

    if not _REPO.fullmatch(repo):
        raise ParamsError(f"--repo: found {repo!r}, expected OWNER/NAME as on the Hub")
    target = Target((os.environ.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/"), repo, branch)
    # Before the bundle is read, which may take a minute.
    hub = None if dry_run else Hub(target, _token())
    with opened(bundle) as folder:
        checked = verify(folder)
        if not checked.passed:
            first = next(check.problems[0] for check in checked.checks if check.n_problems)
            raise DataError(
                f"{bundle}: {first.file}: {first.problem}; nothing was pushed."
                f" `llm2llm verify {shlex.quote(str(bundle))}` names every problem; `dvc repro`"
                " makes a sound bundle"
            )
        manifest = read_manifest(folder)
        shown = disclosure(folder, manifest)
        found = hub.look(manifest, private=private) if hub else None
        if not json_:
            _show(target, private, manifest, shown, found)
        pushed = None
        if hub is not None and found is not None:
            if not yes:
                _ask()
            pushed = hub.push(folder, manifest, found, private=private)
    if json_:
        outcome = Outcome(
            url=target.url,
            branch=branch,
            private=found.private if found and found.private is not None else private,
            name=manifest.name,
            version=manifest.version,
            set=manifest.set,
            n_files=len(manifest.files) + 1,
            n_bytes=sum(file.bytes for file in manifest.files.values()),
            disclosure=shown,
            undeclared=shown.undeclared,
            found=found,
            pushed=pushed,
        )
        print_json(outcome)
    elif pushed is None:
        print("\na dry run: nothing was sent, and the Hub was not asked what is there")
    else:
        print(f"\n{pushed.n_files} files are there as they were sent: {pushed.url}")


def _token() -> str:
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token:
        raise ParamsError(
            "the environment variable HF_TOKEN is not set; make a token that may write in your"
            " settings on the Hub, and export it"
        )
    return token


def _ask() -> None:
    try:
        agreed = typer.confirm("\nPush it?", err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise ParamsError("nothing was pushed; --yes pushes without asking")


def _show(
    target: "Target",
    private: bool,
    manifest: "Manifest",
    shown: "Disclosure",
    found: "Found | None",
) -> None:
    n_bytes = sum(file.bytes for file in manifest.files.values())
    print(
        f"{manifest.name} {manifest.version}: set {manifest.set},"
        f" {len(manifest.files) + 1} files, {n_bytes / 1e6:.1f} MB"
    )
    fact("to", f"{target.url}, branch {target.branch}")
    is_private = private
    if found is not None and found.private is not None:
        is_private = found.private
        fact("replaces", f"{len(found.replaced)} files there")
        fact("removes", ", ".join(found.removed) or None)
    elif found is not None:
        fact("makes", "this repository, which is not there yet")
    heading("What those you let in will see" if is_private else "What everybody will see")
    of_people = [
        [shown.edited, "examples that people edited"],
        [shown.before, "examples as they were before people edited or rejected them"],
        [shown.notes, "notes of reviewers"],
        [len(shown.withdrawals), "reasons of withdrawals"],
    ]
    table(
        ["texts", "of"],
        [
            [shown.seeds, "seeds, with input and target"],
            [shown.augmented, "examples that a teacher wrote"],
            [shown.errors, "wrong answers of the student"],
            [shown.requests, "requests to the teacher"],
            [shown.responses, "raw answers of the teacher"],
            [shown.rejected, "candidates that screening rejected"],
            *(row for row in of_people if row[0]),
        ],
    )
    fact("names of reviewers", ", ".join(shown.reviewers) or None)
    for reason in dict.fromkeys(shown.withdrawals):
        fact("reason of a withdrawal", reason)
    fact("params and task file", "whole, as params.json")
    fact("address of a teacher in them", shown.teacher_address)
    for address in shown.judge_addresses:
        fact("address of a judge in them", address)
    heading("What you declare of it")
    fact("license of the bundle", shown.license or _NOT_DECLARED)
    fact("source of the seeds", shown.seeds_source or _NOT_DECLARED)
    fact("license of the seeds", shown.seeds_license or _NOT_DECLARED)
    for name, terms in shown.teachers.items():
        fact(f"terms of the outputs of {name}", terms or _NOT_DECLARED)
    if shown.undeclared:
        print(f"  {len(shown.undeclared)} not declared: `export.card` of params.yaml is the place")
