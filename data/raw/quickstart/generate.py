"""Write the quick start's raw data: word problems in GSM8K's form, made from families.yaml.

Each sentence of a problem is drawn from four phrasings. A combination of phrasings belongs to one
split: by the sum of the phrasings' numbers modulo 4, so that every phrasing occurs in every split
and no test or dev problem is worded like a train problem. A third of the names and things in dev
and test problems are met in no train problem.
"""

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RANDOM_SEED = 20240323
N_ROWS = {"train": 1000, "dev": 200, "test": 250}
REMAINDERS = {"train": (2, 3), "dev": (1,), "test": (0,)}
UNSEEN_SHARE = 1 / 3
LARGEST = 999  # larger results say nothing about reading a problem


def main() -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl into the folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=HERE)
    folder = parser.parse_args().folder
    for split, rows in generate().items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8", newline="")
        sys.stdout.write(f"{folder / f'{split}.jsonl'}: {len(rows)} rows\n")


def generate() -> dict[str, list[dict[str, str]]]:
    """Make the rows of every split; no question occurs twice, families take turns."""
    source = yaml.safe_load((HERE / "families.yaml").read_text(encoding="utf-8"))
    families = list(source["families"].values())
    seen: set[str] = set()
    splits: dict[str, list[dict[str, str]]] = {}
    for split, n_rows in N_ROWS.items():
        rng = random.Random(f"{RANDOM_SEED} {split}")
        rows: list[dict[str, str]] = []
        while len(rows) < n_rows:
            row = problem(families[len(rows) % len(families)], source["entities"], split, rng)
            if row["question"] not in seen:
                seen.add(row["question"])
                rows.append(row)
        rng.shuffle(rows)
        splits[split] = rows
    return splits


def problem(
    family: dict[str, Any], entities: dict[str, Any], split: str, rng: random.Random
) -> dict[str, str]:
    """Draw one problem of a family, worded as the split may be."""
    words = choose_entities(entities, split, rng)
    numbers, solution, result = solve(family, words, rng)
    sentences = [phrasings[i] for phrasings, i in combination(family["slots"], split, rng)]
    values = {name: str(value) for name, value in numbers.items()} | words
    return {
        "question": " ".join(sentences).format(**values),
        "answer": "\n".join([*solution, f"#### {result}"]),
    }


def combination(
    slots: list[list[str]], split: str, rng: random.Random
) -> list[tuple[list[str], int]]:
    """Choose a phrasing for every slot; the split's remainders say which combinations it has."""
    while True:
        chosen = [rng.randrange(len(phrasings)) for phrasings in slots]
        if sum(chosen) % 4 in REMAINDERS[split]:
            return list(zip(slots, chosen, strict=True))


def choose_entities(
    entities: dict[str, dict[str, list[str]]], split: str, rng: random.Random
) -> dict[str, str]:
    """Choose people and things; some of dev's and test's are never met in train."""
    woman, man, thing = (
        rng.choice(
            pools["never_in_train"]
            if split != "train" and rng.random() < UNSEEN_SHARE
            else pools["every_split"]
        )
        for pools in (entities[kind] for kind in ("women", "men", "things"))
    )
    people = (
        {"name": woman, "other": man, "he": "she", "He": "She", "him": "her"}
        if rng.random() < 0.5
        else {"name": man, "other": woman, "he": "he", "He": "He", "him": "him"}
    )
    return people | {"thing": thing}


def solve(
    family: dict[str, Any], words: dict[str, str], rng: random.Random
) -> tuple[dict[str, int], list[str], int]:
    """Draw numbers until every step is a whole number from 1 to LARGEST; returns the solution."""
    while True:
        numbers = {}
        for name, bounds in family["numbers"].items():
            low, high = bounds.split("-")
            numbers[name] = rng.randint(int(low), int(high))
        known: dict[str, int] = dict(numbers)
        solution = []
        for i, (text, left, operator, right) in enumerate(family["steps"], start=1):
            a, b = known[left], known[right]
            if operator == "/" and a % b:
                break
            result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[operator]
            if not 1 <= result <= LARGEST:
                break
            known[f"s{i}"] = result
            annotated = f"<<{a}{operator}{b}={result}>>{result}"
            solution.append(text.format(**words).replace("@", annotated))
        else:
            return numbers, solution, result


if __name__ == "__main__":
    main()
