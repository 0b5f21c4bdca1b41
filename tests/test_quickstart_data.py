"""The quick start's raw data: made by code, sound, and held apart where it says so."""

import importlib.util
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from llm2llm.arithmetic import evaluate
from llm2llm.student.embedded import corpus, words
from llm2llm.teacher import lexicon

FOLDER = Path(__file__).parent.parent / "data" / "raw" / "quickstart"
SPLITS = {"train": 1000, "dev": 200, "test": 250}
SOURCE = yaml.safe_load((FOLDER / "families.yaml").read_text(encoding="utf-8"))
FAMILIES: dict[str, Any] = SOURCE["families"]


def _rows(split: str) -> list[dict[str, str]]:
    lines = (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


ROWS = {split: _rows(split) for split in SPLITS}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """Import the script as a module."""
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _patterns() -> dict[str, list[list[re.Pattern[str]]]]:
    """Make a pattern for every phrasing, by family and slot."""
    return {
        family: [
            [
                re.compile(re.sub(r"\\{\w+\\}", r"(?:[\\w ]+?)", re.escape(phrasing)))
                for phrasing in slot
            ]
            for slot in spec["slots"]
        ]
        for family, spec in FAMILIES.items()
    }


def _combinations(question: str) -> set[tuple[str, tuple[int, ...]]]:
    """Every family and combination of phrasings that a question may be made of."""
    found = set()
    for family, slots in _patterns().items():
        options = [
            [i for i, pattern in enumerate(slot) if pattern.search(question)] for slot in slots
        ]
        for chosen in itertools.product(*options):
            whole = " ".join(slot[i].pattern for slot, i in zip(slots, chosen, strict=True))
            if re.fullmatch(whole, question):
                found.add((family, chosen))
    return found


def test_generator_gives_the_same_bytes(tmp_path: Path) -> None:
    """The committed files are what the script writes."""
    subprocess.run(
        [sys.executable, FOLDER / "generate.py", "--folder", tmp_path], check=True, timeout=60
    )
    for split in SPLITS:
        name = f"{split}.jsonl"
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_counts_and_fields() -> None:
    """Each split has its rows, with question and answer only, and no question occurs twice."""
    assert {split: len(rows) for split, rows in ROWS.items()} == SPLITS
    rows = [row for rows in ROWS.values() for row in rows]
    assert {tuple(row) for row in rows} == {("question", "answer")}
    assert len({row["question"] for row in rows}) == len(rows)


def test_every_annotation_holds() -> None:
    """Each row's calculations are exact, chained to its numbers, and the last is the answer."""
    for row in itertools.chain.from_iterable(ROWS.values()):
        body, final = row["answer"].rsplit("\n#### ", 1)
        annotations = re.findall(r"<<([^<>=]+)=(\d+)>>(\d+)", body)
        assert body.count("<<") == len(annotations) == len(body.splitlines()) >= 2
        known = {*re.findall(r"\d+", row["question"])}
        for expression, result, repeated in annotations:
            assert evaluate(expression) == int(result) == int(repeated)
            assert set(re.findall(r"\d+", expression)) <= known
            known.add(result)
        assert final == annotations[-1][1]


def test_families_and_phrasings() -> None:
    """There are at least 12 families, whose sentences have four phrasings each."""
    assert len(FAMILIES) >= 12
    for spec in FAMILIES.values():
        assert len(spec["slots"]) >= 3
        assert all(len(set(slot)) == len(slot) == 4 for slot in spec["slots"])


def test_combinations_of_the_splits_are_disjoint(generator: ModuleType) -> None:
    """No test or dev problem is worded like a train problem, read back from the committed text."""
    of_split = {}
    for split, rows in ROWS.items():
        of_split[split] = set()
        for row in rows:
            combinations = _combinations(row["question"])
            assert combinations, row["question"]
            remainders = {sum(chosen) % 4 for _, chosen in combinations}
            assert remainders <= set(generator.REMAINDERS[split]), row["question"]
            of_split[split] |= combinations
    assert of_split["train"].isdisjoint(of_split["dev"] | of_split["test"])
    assert of_split["dev"].isdisjoint(of_split["test"])
    assert {family for family, _ in of_split["test"]} == set(FAMILIES)


def test_some_entities_are_never_met_in_train() -> None:
    """A share of the dev and test rows has names or things that train never shows."""
    unseen = {name for pools in SOURCE["entities"].values() for name in pools["never_in_train"]}
    for split, rows in ROWS.items():
        n_unseen = sum(bool(unseen & set(re.findall(r"\w+", row["question"]))) for row in rows)
        assert n_unseen == 0 if split == "train" else n_unseen > len(rows) / 4


def test_families_are_held_apart_from_the_base_corpus() -> None:
    """The base corpus has no sentence of a family, and no word problem of more than one step."""
    sentences = {
        _masked(sentence)
        for rows in ROWS.values()
        for row in rows
        for sentence in _sentences(row["question"])
    }
    assert len(sentences) > 150
    n_problems = 0
    for document in itertools.islice(corpus.documents(0), 20_000):
        question = document.removeprefix("Question: ").split(corpus.ANSWER)[0]
        shared = sentences & {_masked(sentence) for sentence in _sentences(question)}
        assert not shared, document
        if corpus.ANSWER in document:
            is_number_game = question.startswith(corpus.GAME_OPENINGS)
            assert is_number_game or document.count("<<") == 1, document
            n_problems += not is_number_game
    assert n_problems > 5_000


def test_a_shared_sentence_would_be_seen() -> None:
    """The comparison above finds a family's sentence with other names and numbers."""
    row = ROWS["train"][0]["question"]
    altered = re.sub(r"\d+", "3", row)
    assert {_masked(s) for s in _sentences(altered)} == {_masked(s) for s in _sentences(row)}


def test_every_word_is_known_to_the_student() -> None:
    """Words of the data, and what the symbolic teacher may write, are in the vocabulary."""
    text = " ".join(row["question"] + " " + row["answer"] for rows in ROWS.values() for row in rows)
    written = {*lexicon.WOMEN, *lexicon.MEN}
    written |= {plural for kind in lexicon.THINGS.values() for _, plural in kind}
    assert {*re.findall(r"[A-Za-z]+", text), *written} <= set(words.every_word())


def _sentences(question: str) -> list[str]:
    return re.split(r"(?<=[.?]) ", question)


_ENTITIES = {*words.WOMEN, *words.MEN, *words.THINGS, *words.OBJECTS, *words.PLACES}


def _masked(sentence: str) -> str:
    """Mask numbers, people and things."""
    return re.sub(
        r"\w+",
        lambda m: "#" if m.group().isdigit() else "@" if m.group() in _ENTITIES else m.group(),
        sentence,
    )
