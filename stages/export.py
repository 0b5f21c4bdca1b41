"""Export the release bundle of a finished run, and the same as one archive."""

import os
from pathlib import Path

from llm2llm.bundle.archive import write_archive
from llm2llm.exporting.facts import declared_for
from llm2llm.exporting.params_told import params_told
from llm2llm.exporting.release import Release, write_bundle
from llm2llm.exporting.withdrawn import without_empty_lists
from llm2llm.files import read_records, replacing_folder
from llm2llm.lineage.history import read_history
from llm2llm.lineage.run import Run
from llm2llm.params.export import ExportParams
from llm2llm.params.loading import load_section, read_yaml
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.edits import reviewed
from llm2llm.stage import PARAMS, run_iteration, say


def main(n: int) -> None:
    """Write data/export/ and data/export.tar.gz for the run that set `n` ends."""
    export = load_section(PARAMS, "export", ExportParams)
    params = without_empty_lists(params_told(read_yaml(PARAMS)))
    run = Run(Path(), n)
    release = Release(
        run=run,
        history=read_history(run.in_set(n, "history.json"), n),
        test=read_records(run.split("test"), SplitRow),
        export=export,
        params=params,
        task=read_yaml(Path(params["task"])),
        secrets=[os.environ.get(name, "") for name in _key_names(params)],
        reviewed=reviewed(run, n),
    )
    bundle = Path("data/export")
    with replacing_folder(bundle) as folder:
        tally = write_bundle(folder, release)
    write_archive(bundle, Path("data/export.tar.gz"), f"{export.name}-{export.version}")
    if declared_for(export.card, params["subsample"]["train"]) is not export.card:
        say(
            f"export: the card declares nothing: `export.card` is for {export.card.seeds_file},"
            f" the seeds are of {params['subsample']['train']}"
        )
    for entry, n_gone in tally.withdrawn.items():
        say(f"export: withdrawn by {entry}: {n_gone} examples")
    for decision, n_decided in tally.reviewed.items():
        say(f"export: review: {decision}: {n_decided}")
    held_back = sum(tally.without_text.values())
    say(
        f"export: {tally.rows['examples']} examples in data/export/ and data/export.tar.gz;"
        f" {held_back} rows without their text"
        + " (their column `withheld` says why)"
        * bool(held_back)
    )


def _key_names(params: object) -> list[str]:
    """Find the environment variables that hold keys, wherever params name one."""
    if isinstance(params, dict):
        named = [params["api_key_env"]] if isinstance(params.get("api_key_env"), str) else []
        return named + [name for value in params.values() for name in _key_names(value)]
    return []


if __name__ == "__main__":
    run_iteration(main)
