"""Make candidates and references of real sentences: mostly new texts, some of them near copies."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from llm2llm.leakage.normalize import words

_SENTENCE = re.compile(r"(?<=[.?!]) ")
_N_SENTENCES = (2, 3, 3, 4, 5)
_NEAR_COPIES = 50  # one candidate in so many


def questions(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["question"] for line in lines]


def write_corpus(folder: Path, raw: Path, n_candidates: int, n_references: int) -> None:
    """Write candidates.txt and references.txt, one text a line, its words parted by spaces.

    References are the test questions, then others put together from sentences of the train
    questions; so are candidates. One candidate in fifty is a reference with up to six edits for ten
    words: replaced, dropped or added.
    """
    draw = random.Random(0)
    sentences = [s for text in questions(raw / "train.jsonl") for s in _SENTENCE.split(text)]
    test = [words(text) for text in questions(raw / "test.jsonl")][:n_references]
    references = [*test, *_put_together(sentences, n_references - len(test), draw)]
    _write(folder / "references.txt", references)
    _write(folder / "candidates.txt", _candidates(references, sentences, n_candidates, draw))


def _put_together(sentences: list[str], n: int, draw: random.Random) -> Iterator[list[str]]:
    for _ in range(n):
        yield words(" ".join(draw.choice(sentences) for _ in range(draw.choice(_N_SENTENCES))))


def _candidates(
    references: list[list[str]], sentences: list[str], n: int, draw: random.Random
) -> Iterator[list[str]]:
    for place, text in enumerate(_put_together(sentences, n, draw)):
        yield text if place % _NEAR_COPIES else _changed(draw.choice(references), draw)


def _changed(text: list[str], draw: random.Random) -> list[str]:
    changed = list(text)
    for _ in range(draw.randrange(1 + int(0.6 * len(text)))):
        place = draw.randrange(len(changed))
        way = draw.randrange(3)
        if way == 0:
            changed[place] = draw.choice(text)
        elif way == 1:
            changed.insert(place, draw.choice(text))
        elif len(changed) > 1:
            del changed[place]
    return changed


def _write(path: Path, texts: object) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.writelines(" ".join(text) + "\n" for text in texts)  # type: ignore[attr-defined]
