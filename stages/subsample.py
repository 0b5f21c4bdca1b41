"""Split the raw rows into seed, dev, rest and test, and make set 0."""

from pathlib import Path

from llm2llm.files import replacing_folder, write_json, write_records
from llm2llm.leakage.exact import find_leaked
from llm2llm.params.exclude import SetsParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.subsample import SubsampleParams
from llm2llm.raw import read_raw
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.records.state import SeedState
from llm2llm.stage import PARAMS, run, say
from llm2llm.subsampling import first_set, subsample
from llm2llm.tasks.sections import AnswerFormat, Fields


def main() -> None:
    """Write data/split/ and data/sets/0/."""
    params = load_section(PARAMS, "subsample", SubsampleParams)
    random_seed = load_value(PARAMS, "random_seed", int)
    task = Path(load_value(PARAMS, "task", str))
    fields = load_section(task, "fields", Fields)
    answer_format = load_section(task, "answer", AnswerFormat)
    train = read_raw(Path(params.train), fields, answer_format)
    test = read_raw(Path(params.test), fields, answer_format)
    dev = read_raw(Path(params.dev), fields, answer_format, may_be_empty=True)
    leaked = find_leaked([row.input for row in train], test)
    exclude = load_section(PARAMS, "sets", SetsParams).exclude
    withdrawn = {entry.id for entry in exclude if entry.kind == "seed"}
    split = subsample(train, test, leaked, params, random_seed, withdrawn)
    examples, states = first_set(split.seed)
    with replacing_folder(Path("data/split")) as folder:
        for name, rows in (
            ("seed", split.seed),
            ("dev", dev),
            ("rest", split.rest),
            ("test", test),
        ):
            write_records(folder / f"{name}.parquet", SplitRow, rows)
        write_json(folder / "report.json", split.report)
    with replacing_folder(Path("data/sets/0")) as folder:
        write_records(folder / "examples.parquet", Example, examples)
        write_records(folder / "state.parquet", SeedState, states)
        write_json(folder / "history.json", {"iterations": []})
    say(
        f"subsample: {len(split.seed)} seeds of {len(train)} train rows, {len(test)} test rows,"
        f" {len(leaked)} train rows are test items"
        f" ({split.report['leaks_dropped']} dropped),"
        f" {split.report['duplicates_dropped']} duplicates dropped,"
        f" {split.report.get('withdrawn', 0)} withdrawn"
    )


if __name__ == "__main__":
    run(main)
