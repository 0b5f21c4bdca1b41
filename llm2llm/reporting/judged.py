"""What the judge of free text said of the answers to seeds and test set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm2llm.answer_verdicts import by_split, in_words, names_of, opinions
from llm2llm.files import read_records
from llm2llm.lineage.finished import Finished
from llm2llm.lineage.history import checked
from llm2llm.lineage.run import Run
from llm2llm.records.judgments import AnswerJudgment

SPLITS = ("seed", "test")
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class JudgedAnswers:
    """Likeliest answers of the first and the last student, and of the control, counted.

    By split, of SPLITS, and opinion. The control's is null where none was trained. `judges` names
    the models that judged the last student.
    """

    first: Counts
    final: Counts
    control: Counts | None
    judges: str


def read_judged(root: Path, finished: Finished) -> JudgedAnswers | None:
    """Read it, the first student's checked against history.json; null where nobody was asked."""
    run = Run(root, finished.n_iterations)
    last = _read(run.in_iteration(finished.n_iterations, "judgments.parquet"))
    first = last
    if finished.history.iterations:
        # Judgments are listed where there were some.
        files = finished.history.iterations[0].files
        name = "data/iterations/0/judgments.parquet"
        first = _read(checked(root, files, name)) if name in files else []
    control = None
    if finished.control:
        control = _read(run.control().with_name("judgments.parquet"))
    if not (first or last or control):
        return None
    return JudgedAnswers(
        _counted(first),
        _counted(last),
        None if control is None else _counted(control),
        names_of(last),
    )


def told(judged: JudgedAnswers) -> str:
    """Say in one line what the judge made of the last student's answers."""
    counts = [
        f"{sum(judged.final[split].values())} {split} answers of the last student"
        f" ({in_words(judged.final[split]) or 'none'})"
        for split in SPLITS
    ]
    return f"judge: was asked about {' and '.join(counts)}"


def _read(path: Path) -> list[AnswerJudgment]:
    return read_records(path, AnswerJudgment) if path.exists() else []


def _counted(judgments: Sequence[AnswerJudgment]) -> Counts:
    found = by_split(judgments)
    return {split: found.get(split) or opinions([]) for split in SPLITS}
