"""What kind of task a column of targets is: labels, a choice, a number, JSON or a text."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llm2llm.exceptions import DataError, ParamsError
from llm2llm.quantities import number
from llm2llm.starting.json_fields import are_objects, infer_fields
from llm2llm.starting.label_sets import find_sets
from llm2llm.tasks.sections import AnswerField

KINDS = ("label", "labels", "choice", "number", "json", "text", "free")
# GSM8K's way to end a worked answer.
MARKED_ANSWER = r"####[ \t]*([^\n]*)"

_MOST_LABELS = 200
_LABEL_CHARS = 60
_LONG_TEXT = 200
_FEW_NUMBERS = 12
# `number` finds one in any text that holds a single one; here it has to come first.
_NUMBER = re.compile(r"[-+−$€£¥]*\s*\d.{0,30}$")
_LETTERS = re.compile(r"[^\W\d_]")
_LETTER = re.compile(r"[A-Ja-j]")
_OPTIONS = re.compile(r"(?:^|\s)\(?[AB][).:]", re.MULTILINE)
LETTERS_ALONE = (
    "the targets are letters, and no input lists options: join those into the input as lines"
    " `A. ...` if the letters stand for some"
)


@dataclass(frozen=True, slots=True)
class Guess:
    """A kind, whether it is beyond doubt, and what speaks for it.

    `labels` are those found, for label, labels and choice; `pattern` cuts the answer out of the
    target; `separator` stands between labels where it is not one of the usual.
    """

    kind: str
    sure: bool
    why: str
    labels: tuple[str, ...] = ()
    pattern: str | None = None
    separator: str | None = None
    fields: tuple[AnswerField, ...] = ()


def n_listing(inputs: Sequence[str]) -> int:
    """Count the inputs that list options."""
    return sum(bool(_OPTIONS.search(text)) for text in inputs)


def _from_a(letters: Iterable[str]) -> bool:
    """Tell whether letters are the first of the alphabet, as those of options are."""
    found = "".join(sorted({letter.upper() for letter in letters}))
    return len(found) > 1 and "ABCDEFGHIJ".startswith(found)


def guess_kind(inputs: Sequence[str], targets: Sequence[str], places: Sequence[str] = ()) -> Guess:
    """Look at inputs and targets, none of them empty; raises ParamsError for what is not supported.

    A kind that is not sure is a proposal to be confirmed. `places` are file and line of each row,
    for what is said of one.
    """
    _require_variety(targets)
    counts = Counter(targets)
    n, longest = len(targets), max(map(len, counts))
    if are_objects(list(counts)):
        return of_kind("json", targets, why="each target is a JSON object", places=places)
    if all("####" in target for target in counts):
        if any(number(_marked(target)) is None for target in counts):
            return of_kind("text", targets, why="targets end in `#### answer`, not always a number")
        return of_kind("number", targets, why="each target ends in `#### number`")
    few = len(counts) <= max(2, min(_MOST_LABELS, n // 3)) and longest <= _LABEL_CHARS
    if few and all(_LETTER.fullmatch(target) for target in counts):
        asks = n_listing(inputs)
        if 2 * asks > len(inputs):
            return of_kind("choice", targets, why="targets are letters and inputs list options")
        if _from_a(counts) and not asks:
            return of_kind("label", targets, why=LETTERS_ALONE, sure=False)
    if all(_NUMBER.match(target) and number(target) is not None for target in counts):
        why = f"all {len(counts)} different targets are numbers"
        plain = not any(_LETTERS.search(target) for target in counts)
        sure = plain and (not few or len(counts) > _FEW_NUMBERS)
        return of_kind("number", targets, why=why, sure=sure)
    sets = find_sets(targets, max(2, min(_MOST_LABELS, n // 3)))
    if sets is not None and (sets.sure or not few):
        why = f"{len(sets.labels)} labels in {len(counts)} combinations"
        return of_kind("labels", targets, why=why, sure=sets.sure)
    if few:
        return of_kind("label", targets, why=f"{len(counts)} different targets in {n} rows")
    if longest > _LONG_TEXT:
        raise ParamsError(
            f"the targets are free text (up to {longest} characters, {len(counts)} different in"
            f" {n} rows), which no comparison can grade; say --kind free to have a judge, a model,"
            " grade them, or end each target with a line `#### answer` that can be compared, or say"
            " --kind text if only the very same text is right"
        )
    why = (
        f"{len(counts)} different targets in {n} rows; as text only the very same one is right, as"
        " free what a judge, a model, calls right"
    )
    return of_kind("text", targets, why=why, sure=False)


def of_kind(
    kind: str,
    targets: Sequence[str],
    *,
    why: str = "as told",
    sure: bool = True,
    places: Sequence[str] = (),
) -> Guess:
    """Give what goes with a kind; raises ParamsError where the targets do not fit it."""
    if kind not in KINDS:
        raise ParamsError(f"--kind: found {kind!r}, expected one of {', '.join(KINDS)}")
    _require_variety(targets)
    labels = tuple(sorted(set(targets)))
    if kind in ("label", "choice"):
        if len(labels) > max(2, min(_MOST_LABELS, len(targets) // 2)):
            raise ParamsError(
                f"--kind: found {kind}, but {len(labels)} of {len(targets)} targets differ"
                f" (such as {labels[0][:_LABEL_CHARS]!r}); at most {_MOST_LABELS}, and two rows for"
                " each; say --kind text, or name another column as --target"
            )
        return Guess(kind, sure, why, labels)
    if kind == "labels":
        return _sets(targets, why, sure=sure)
    if kind == "json":
        return Guess(kind, sure, why, fields=infer_fields(targets, places))
    marked = all("####" in target for target in labels)
    if kind == "number":
        for target in labels:
            if number(_marked(target) if marked else target) is None:
                raise ParamsError(
                    f"--kind: found number, but the target {target[:_LABEL_CHARS]!r} is none, or"
                    " could mean two; mend it, or say --kind text"
                )
    return Guess(kind, sure, why, (), MARKED_ANSWER if marked else None)


def _sets(targets: Sequence[str], why: str, *, sure: bool) -> Guess:
    most = max(2, min(_MOST_LABELS, len(targets) // 2))
    sets = find_sets(targets, most)
    if sets is None:
        raise ParamsError(
            f"--kind: found labels, but the targets (such as {targets[0][:_LABEL_CHARS]!r}) are no"
            f" sets of at most {most} labels with commas, semicolons, bars or line ends in between;"
            " write them so, or say --kind label where each has one"
        )
    return Guess("labels", sure, why, sets.labels, separator=sets.separator)


def _require_variety(targets: Sequence[str]) -> None:
    if len(set(targets)) == 1:
        raise DataError(
            f"all {len(targets)} rows have the target {targets[0][:_LABEL_CHARS]!r}, so there is"
            " nothing to learn; add rows with others, or name another column as --target"
        )


def _marked(target: str) -> str:
    return target.rpartition("####")[2].split("\n")[0]
