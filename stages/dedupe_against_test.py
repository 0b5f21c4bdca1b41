"""Screen the teacher's responses of this iteration against the test set and the set so far."""

import time
from pathlib import Path

from llm2llm.files import read_records, replacing_folder, write_json, write_records, write_text
from llm2llm.judging_stage import judge_of, paying_alone
from llm2llm.leakage.encoder import Encode, load_encoder
from llm2llm.leakage.page import readable
from llm2llm.ledger.database import Ledger
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.exclude import SetsParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.progress import progress
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.screening import screen
from llm2llm.stage import PARAMS, run_iteration, say, store
from llm2llm.tasks.sections import LeakagePolicy
from llm2llm.validity import load_criteria
from llm2llm.withdrawing import withdraw


def _encoder(params: DedupeParams) -> tuple[Encode, str] | None:
    gate = params.embedding
    return load_encoder(gate.encoder, gate.revision) if "embedding" in params.gates else None


def main(iteration: int) -> None:
    """Write data/iterations/i/screened/."""
    name = f"dedupe-against-test {iteration}"
    params = load_section(PARAMS, "dedupe_against_test", DedupeParams)
    task = Path(load_value(PARAMS, "task", str))
    folder = Path(f"data/iterations/{iteration}")
    files = (
        folder / "responses.parquet",
        Path(f"data/sets/{iteration}/examples.parquet"),
        *(Path("data/split", each) for each in ("test.parquet", "rest.parquet")),
    )
    responses = read_records(files[0], Response)
    with paying_alone(name, files), progress(name) as advance:
        screened = screen(
            responses,
            read_records(files[1], Example),
            read_records(files[2], SplitRow),
            read_records(files[3], SplitRow),
            criteria=load_criteria(task),
            policy=load_section(task, "leakage", LeakagePolicy),
            params=params,
            on_progress=advance,
            encoder=_encoder(params),
            judge=judge_of(
                f"dedupe-against-test@{iteration}",
                lambda: Ledger(store()),
                lambda tally: advance(tally.n_done, tally.n_total, tally.note(time.monotonic())),
            ),
        )
        screened = withdraw(screened, responses, load_section(PARAMS, "sets", SetsParams).exclude)
        with replacing_folder(folder / "screened") as target:
            write_records(target / "kept.parquet", Kept, screened.kept)
            write_records(target / "rejected.parquet", Rejected, screened.rejected)
            write_json(target / "certificate.json", screened.certificate)
            write_text(target / "certificate.md", readable(screened.certificate))
    say(f"{name}: {len(screened.kept)} kept, {len(screened.rejected)} rejected")


if __name__ == "__main__":
    run_iteration(main)
