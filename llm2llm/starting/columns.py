"""Which column is the input and which the target, as their names and contents suggest."""

from dataclasses import dataclass

import polars as pl

from llm2llm.exceptions import ParamsError
from llm2llm.starting.options import option_columns
from llm2llm.starting.table import Table

# The likelier ones first.
_INPUTS = (
    *("text", "input", "question", "sentence", "message", "content", "prompt", "instruction"),
    *("query", "body", "review", "comment", "utterance", "description", "document", "mail"),
    *("email", "ticket", "abstract", "plot", "article", "post", "tweet", "problem", "passage"),
    *("title", "subject"),
)
# A column with such a name is the head or the number of another one, if that is much longer.
_WEAK = ("title", "subject", "ticket", "mail", "email", "post", "article", "problem")
_TARGETS = (
    *("label", "labels", "target", "answer", "class", "category", "output", "intent", "sentiment"),
    *("topic", "coarse_label", "response", "completion", "tags", "gold", "y", "reply", "genre"),
    *("genres", "tag", "topics", "categories", "classes", "emotion", "solution", "answerkey"),
    *("answer_key", "answer_idx", "correct", "correct_answer", "correct_option", "cop"),
)
_IDS = ("id", "uid", "uuid", "guid", "qid", "index", "idx", "row", "nr", "no", "unnamed: 0")
# So large a share of an id's values occur once.
_MOST_DIFFER = 0.9
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Columns:
    """The two columns; `sure` is false where a person should be asked."""

    input: str
    target: str
    sure: bool


def choose_columns(table: Table, input_: str | None, target: str | None) -> Columns:
    """Take the columns that are named, and propose what is not; raises ParamsError."""
    names = table.frame.columns
    for flag, name in (("--input", input_), ("--target", target)):
        if name is not None and name not in names:
            raise ParamsError(no_such_column(table, flag, name))
    if len(names) < 2:
        others = f"; {told(list(table.nested))}: lists" if table.nested else ""
        notes = "".join(f"; {note}" for note in table.notes)
        raise ParamsError(
            f"{table.path}: found one column of text ({', '.join(names)}{others}{notes}), expected"
            " an input and a target column; save it with both"
        )
    if input_ is not None and input_ == target:
        raise ParamsError(f"--target: found {target!r}, which is --input too; name another column")
    if input_ is not None and target is not None:
        return Columns(input_, target, sure=True)
    options = option_columns(table)
    meant = [
        name
        for name in names
        if name in (input_, target) or (name not in options and not _is_id(table.frame[name]))
    ]
    names = meant if len(meant) > 1 else names
    # A column of JSON objects or of lists is a target, if it is one of the two.
    texts = [name for name in names if name not in table.objects and name not in table.lists]
    longest_first = sorted(texts or names, key=lambda name: -_mean_length(table.frame, name))
    named_input = input_ or _named_input(table, texts, longest_first, without=target)
    named_target = target or _named(names, _TARGETS, without=named_input)
    if named_input and named_target:
        return Columns(named_input, named_target, sure=True)
    by_name = bool(named_target) or (
        named_input is not None and _named(names, _INPUTS, without=named_input) is None
    )
    if named_input is None:
        named_input = next(name for name in [*longest_first, *names] if name != named_target)
    if named_target is None:
        rest = [name for name in reversed(names) if name != named_input]
        rest.sort(key=lambda name: name in texts)
        named_target = next((name for name in rest if name != longest_first[0]), rest[0])
    named = input_ is not None or target is not None or by_name
    sure = len(names) == 2 and (named or len(texts) == 1 or _apart(table, named_input))
    return Columns(named_input, named_target, sure=sure)


def _is_id(column: pl.Series) -> bool:
    """Tell whether a column numbers rows; an `intent_id` that comes again and again does not."""
    plain = column.name.strip().casefold()
    numbers = column.n_unique() >= _MOST_DIFFER * len(column)
    return plain in _IDS or (plain.endswith(("_id", " id")) and numbers)


def _named_input(
    table: Table, texts: list[str], longest_first: list[str], without: str | None
) -> str | None:
    """Find the input by name; null where the name is a weak one and another text much longer."""
    found = _named(texts, _INPUTS, without)
    if found is None or found.strip().casefold() not in _WEAK:
        return found
    targets = [name for name in texts if name.strip().casefold() in _TARGETS]
    longest = next((name for name in longest_first if name not in (without, *targets)), found)
    much = _mean_length(table.frame, longest) > 3 * _mean_length(table.frame, found)
    return None if much else found


def told(names: list[str]) -> str:
    """List the columns, the first dozen of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def no_such_column(table: Table, flag: str, name: str) -> str:
    """Say that a flag names a column that is not there, or is no text."""
    if name in table.nested:
        return (
            f"{flag}: the column {name!r} of {table.path} holds lists or bytes, expected text, or"
            " lists of texts; name another, or write what is meant into a column of its own"
        )
    return f"{flag}: {table.path} has no column {name!r}; its columns: {told(table.frame.columns)}"


def _named(names: list[str], wanted: tuple[str, ...], without: str | None) -> str | None:
    by_name = {name.strip().casefold(): name for name in names if name != without}
    return next((by_name[name] for name in wanted if name in by_name), None)


def _mean_length(frame: pl.DataFrame, name: str) -> float:
    length = frame[name].str.len_chars().mean()
    return float(length) if isinstance(length, int | float) else 0.0


def _apart(table: Table, input_: str) -> bool:
    """Tell whether one of two columns is so much longer that it is the input without a doubt."""
    lengths = {name: _mean_length(table.frame, name) for name in table.frame.columns}
    return all(lengths[input_] > 3 * length for name, length in lengths.items() if name != input_)
