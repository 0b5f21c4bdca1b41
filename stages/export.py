"""Export the release bundle of a finished run; its manifest is written last."""

from dataclasses import asdict
from pathlib import Path

from llm2llm.exporting import (
    ExportedRejection,
    TestTexts,
    chat_lines,
    exported_examples,
    exported_rejections,
)
from llm2llm.files import read_records, replacing_folder, write_json, write_records, write_text
from llm2llm.ids import sha256_file
from llm2llm.lineage.finished import certificates, read_rejected
from llm2llm.lineage.history import read_history
from llm2llm.params.export import ExportParams
from llm2llm.params.loading import load_section
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, run_iteration, say


def main(n: int) -> None:
    """Write data/export/ for the run that set `n` ends."""
    params = load_section(PARAMS, "export", ExportParams)
    folder = Path(f"data/sets/{n}")
    history = read_history(folder / "history.json", n)
    files = {name: value for entry in history.iterations for name, value in entry.files.items()}
    texts = TestTexts(
        read_records(Path("data/split/test.parquet"), SplitRow), params.rejected_text_below
    )
    examples = read_records(folder / "examples.parquet", Example)
    examples, left_out = exported_examples(examples, texts)
    rejected = [
        row
        for i in range(n)
        for row in exported_rejections(i, read_rejected(Path(), files, i), texts)
    ]
    with replacing_folder(Path("data/export")) as target:
        if "parquet" in params.formats:
            write_records(target / "dataset.parquet", Example, examples)
        if "chat" in params.formats:
            write_text(target / "chat.jsonl", chat_lines(examples))
        write_records(target / "rejected.parquet", ExportedRejection, rejected)
        manifest = {
            "format": 1,
            "set": n,
            "counts": {
                "examples": len(examples),
                "seeds": sum(example.origin == "seed" for example in examples),
                "augmented": sum(example.origin != "seed" for example in examples),
                "rejected": len(rejected),
                "rejected_without_text": sum(row.input is None for row in rejected),
            },
            "files": {path.name: sha256_file(path) for path in sorted(target.iterdir())},
            "set_sha256": sha256_file(folder / "examples.parquet"),
            "history_sha256": sha256_file(folder / "history.json"),
            "certificates": {str(i): h for i, h in certificates(Path(), history).items()},
            "left_out": [asdict(row) for row in left_out],
        }
        write_json(target / "manifest.json", manifest)
    say(f"export: {len(examples)} examples in data/export/, {len(left_out)} seeds left out")


if __name__ == "__main__":
    run_iteration(main)
