"""Compare candidates with references in one way: `ways.py WAY FOLDER CUT [N]`.

Reads candidates.txt and references.txt, N candidates spread over the file where N is given, and
prints JSON: CPU seconds from reading the lines to the verdicts, peak memory, and what was found.
Each way runs in a process of its own, some of them with another Python: so each imports what it
needs, before its clock starts.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 32_768
_PERMUTATIONS = 128
_DATATROVE_NGRAM = 12  # its default


class Clock:
    """CPU seconds since the imports were done."""

    start = 0.0

    @classmethod
    def begin(cls) -> None:
        cls.start = time.process_time()


def lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield line.rstrip("\n")


def chosen(folder: Path, n: int | None) -> Iterator[tuple[int, str]]:
    every = 1
    if n:
        with (folder / "candidates.txt").open(encoding="utf-8") as stream:
            every = max(1, sum(1 for _ in stream) // n)
    texts = enumerate(lines(folder / "candidates.txt"))
    return itertools.islice((t for t in texts if t[0] % every == 0), n)


def blocks(folder: Path, n: int | None, size: int) -> Iterator[list[tuple[int, str]]]:
    candidates = chosen(folder, n)
    while block := list(itertools.islice(candidates, size)):
        yield block


def llm2llm(folder: Path, cut: float, n: int | None) -> dict:
    """Join as the gates do, with plain ROUGE-L F."""
    import pyarrow.compute  # noqa: F401 - which numbering many texts imports

    from llm2llm.leakage.rouge import RougeIndex

    Clock.begin()
    index = RougeIndex(lines(folder / "references.txt"))
    found = []
    for block in blocks(folder, n, _BLOCK):
        queries = [line for _, line in block]
        found += [[block[q][0], r] for q, r, _ in index.pairs(queries, 0, cut)]
    return {"pairs": found}


def rapidfuzz(folder: Path, cut: float, n: int | None) -> dict:
    """Compare all pairs with the fastest scorer that gives ROUGE-L F, words as characters."""
    import numpy as np
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    Clock.begin()
    code: dict[str, str] = {}

    def encoded(line: str) -> str:
        return "".join(code.setdefault(w, chr(len(code) + 1)) for w in line.split())

    references = [encoded(line) for line in lines(folder / "references.txt")]
    found = []
    for block in blocks(folder, n, max(1, 4_000_000 // len(references))):
        queries = [encoded(line) for _, line in block]
        scores = cdist(
            queries, references, scorer=Indel.normalized_similarity, score_cutoff=cut - 1e-6,
            dtype=np.float64, workers=1,
        )  # fmt: skip
        for q, r in np.argwhere(scores >= cut - 1e-6):
            n_words = len(queries[q]) + len(references[r])
            lcs = round(scores[q, r] * n_words / 2)
            if 2.0 * lcs / n_words >= cut:
                found.append([block[q][0], int(r)])
    return {"pairs": found}


def rouge_score(folder: Path, cut: float, n: int | None) -> dict:
    """Score each pair, as the published near-duplicate filter does."""
    from rouge_score.rouge_scorer import RougeScorer

    Clock.begin()
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    references = list(lines(folder / "references.txt"))
    found = []
    for place, line in chosen(folder, n):
        scores = [scorer.score(r, line)["rougeL"].fmeasure for r in references]
        found += [[place, r] for r, score in enumerate(scores) if score >= cut]
    return {"pairs": found}


def datasketch(folder: Path, cut: float, n: int | None) -> dict:
    """Index MinHashes of word sets; what shares a bucket is found."""
    from datasketch import MinHash, MinHashLSH

    Clock.begin()

    def hashed(line: str) -> MinHash:
        made = MinHash(num_perm=_PERMUTATIONS)
        made.update_batch([word.encode() for word in set(line.split())])
        return made

    index = MinHashLSH(threshold=_jaccard(cut), num_perm=_PERMUTATIONS)
    for place, line in enumerate(lines(folder / "references.txt")):
        index.insert(place, hashed(line))
    return {"flagged": [place for place, line in chosen(folder, n) if index.query(hashed(line))]}


def rensa(folder: Path, cut: float, n: int | None) -> dict:
    """Do the same in Rust, one text at a time: its calls for many texts take longer."""
    from rensa import RMinHash, RMinHashLSH

    Clock.begin()

    def hashed(line: str) -> RMinHash:
        made = RMinHash(num_perm=_PERMUTATIONS, seed=42)
        made.update(line.split())
        return made

    index = RMinHashLSH(threshold=_jaccard(cut), num_perm=_PERMUTATIONS, num_bands=16)
    for place, line in enumerate(lines(folder / "references.txt")):
        index.insert(place, hashed(line))
    return {"flagged": [place for place, line in chosen(folder, n) if index.query(hashed(line))]}


def datatrove(folder: Path, cut: float, n: int | None) -> dict:  # noqa: ARG001 - has no cut
    """Look for 12-grams of the references with the filter as published.

    Its index is filled directly: building it on disk asks for lighteval, which is not needed for
    references at hand.
    """
    import tempfile

    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import ngrams, simplify_text

    Clock.begin()
    config = NGramsDecontConfig(n_grams=_DATATROVE_NGRAM)
    with tempfile.TemporaryDirectory() as empty:
        gate = NGramsDecontFilter(empty, config)
        gate._index_hashes = {}
        for line in lines(folder / "references.txt"):
            tokens = gate.tokenizer.word_tokenize(simplify_text(line, config.norm_config))
            for gram in ngrams(tokens, config.n_grams):
                gate._index_hashes[gate.hash_func(" ".join(gram))] = "references"
        flagged = [
            place
            for place, line in chosen(folder, n)
            if gate.filter(Document(text=line, id=str(place))) is not True
        ]
    return {"flagged": flagged}


def _jaccard(cut: float) -> float:
    """Turn an F of overlapping words into the Jaccard similarity of sets of equal size."""
    return cut / (2 - cut)


def peak_mb() -> float:
    """Return this process's peak; getrusage would count the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) / 1024


WAYS = (llm2llm, rapidfuzz, rouge_score, datasketch, rensa, datatrove)

if __name__ == "__main__":
    way = next(w for w in WAYS if w.__name__ == sys.argv[1])
    n = int(sys.argv[4]) if len(sys.argv) > 4 else None
    result = way(Path(sys.argv[2]), float(sys.argv[3]), n)
    result["cpu_s"] = time.process_time() - Clock.start
    result["peak_mb"] = peak_mb()
    print(json.dumps(result))
