"""Make the next set out of this set and what screening kept."""

from pathlib import Path

from llm2llm.files import read_json, read_records, replacing_folder, write_json, write_records
from llm2llm.ids import sha256_file
from llm2llm.merging import Iteration, history_entry, merge
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.samples import Sample
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.state import SeedState
from llm2llm.stage import run_iteration, say
from llm2llm.streaming import RecordFile

FILES = (
    "student/manifest.json",
    "predictions.parquet",
    "errors.parquet",
    "responses.parquet",
    "screened/kept.parquet",
    "screened/rejected.parquet",
    "screened/certificate.json",
)
# In the history where answers were drawn, or judged.
SOMETIMES = {"samples.parquet": Sample, "judgments.parquet": AnswerJudgment}


def main(iteration: int) -> None:
    """Write data/sets/i+1/."""
    folder = Path(f"data/iterations/{iteration}")
    here = Path(f"data/sets/{iteration}")
    examples = RecordFile(here / "examples.parquet", Example)
    states = read_records(here / "state.parquet", SeedState)
    done = Iteration(
        iteration=iteration,
        checkpoint=read_json(folder / "student/manifest.json")["checkpoint_sha256"],
        predictions=RecordFile(folder / "predictions.parquet", Prediction),
        errors=RecordFile(folder / "errors.parquet", SeedError),
        responses=RecordFile(folder / "responses.parquet", Response),
        kept=RecordFile(folder / "screened/kept.parquet", Kept),
        rejected=RecordFile(folder / "screened/rejected.parquet", Rejected),
        judge=read_json(folder / "screened/certificate.json").get("judge"),
    )
    merged, advanced = merge(examples, states, done)
    history = read_json(here / "history.json")
    present = [name for name, of in SOMETIMES.items() if len(RecordFile(folder / name, of))]
    names = [*FILES, *present]
    hashes = {f"{folder}/{name}": sha256_file(folder / name) for name in names}
    set_sha256 = sha256_file(here / "examples.parquet")
    entry = history_entry(len(examples), set_sha256, hashes, done)
    with replacing_folder(Path(f"data/sets/{iteration + 1}")) as target:
        write_records(target / "examples.parquet", Example, merged)
        write_records(target / "state.parquet", SeedState, advanced)
        write_json(target / "history.json", {"iterations": [*history["iterations"], entry]})
    n_examples, n_kept = len(examples), len(done.kept)
    say(f"merge {iteration}: {n_examples} + {n_kept} = {n_examples + n_kept} examples")


if __name__ == "__main__":
    run_iteration(main)
