"""What `init` takes rows for: columns, kind of task, what is left out, and the split."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from llm2llm.exceptions import DataError, ParamsError
from llm2llm.starting.columns import choose_columns
from llm2llm.starting.gathering import RawRow, gather, without_test_items
from llm2llm.starting.kinds import guess_kind, of_kind
from llm2llm.starting.splitting import interval_at, shares_for, split_rows
from llm2llm.starting.table import Table

LONG = "a sentence that goes on for a while, as the input of a task does"


def table(**columns: list[str | None]) -> Table:
    """Make a table of columns."""
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return Table(Path("a.csv"), frame, pl.Series(range(2, frame.height + 2)), (), ())


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"label": ["A"], "text": [LONG]}, ("text", "label", True)),
        ({"id": ["1"], "Question": [LONG], "Answer": ["5"]}, ("Question", "Answer", True)),
        ({"mail": [LONG], "art": ["A"]}, ("mail", "art", True)),
        ({"art": ["A"], "mail": [LONG]}, ("mail", "art", True)),
        ({"one": ["abc"], "two": ["abd"]}, ("one", "two", False)),
        ({"id": ["1"], "mail": [LONG], "art": ["A"]}, ("mail", "art", True)),
        ({"id": ["1"], "one": ["abc"], "two": ["abd"]}, ("one", "two", False)),
        ({"Title": ["Up"], "Plot": [LONG], "Genres": ["A"]}, ("Plot", "Genres", True)),
        ({"title": ["Up"], "story": [LONG], "genre": ["A"]}, ("story", "genre", False)),
        ({"title": ["Up"], "genre": ["A"], "year": ["1"]}, ("title", "genre", True)),
        ({"ticket": ["T1"], "issue": [LONG], "label": ["A"]}, ("issue", "label", False)),
        ({"question": ["why"], "reply": [LONG]}, ("question", "reply", True)),
        ({"question": ["why"], "said": [LONG]}, ("question", "said", True)),
        ({"question": ["why"], "body": [LONG]}, ("question", "body", False)),
        (
            {"qid": ["1"], "stem": ["why"], "A": ["x"], "B": ["y"], "answer": ["B"]},
            ("stem", "answer", True),
        ),
        ({"text": [LONG], "who": ["A"], "when": ["B"]}, ("text", "when", False)),
    ],
)
def test_columns_are_proposed(columns: dict, expected: tuple) -> None:
    """By name, else by length; where two are left that could be meant it is not sure."""
    found = choose_columns(table(**columns), None, None)
    assert (found.input, found.target, found.sure) == expected


@pytest.mark.parametrize(
    ("names", "input_", "target", "expected"),
    [
        (["mail", "found"], None, None, ("mail", "found", True)),
        (["found", "mail"], None, None, ("mail", "found", True)),
        (["found", "mail"], None, "mail", ("found", "mail", True)),
        (["mail", "found", "who"], None, None, ("mail", "found", False)),
        (["mail", "who", "found"], None, None, ("mail", "found", False)),
        (["mail", "found", "more"], None, None, ("mail", "more", False)),
        (["mail", "found", "more"], "mail", None, ("mail", "more", False)),
        (["mail", "tags"], None, None, ("mail", "tags", True)),
    ],
)
def test_objects_and_lists_are_targets(
    names: list[str], input_: str | None, target: str | None, expected: tuple
) -> None:
    """However long they are; beside one text alone there is no doubt."""
    cells = {"mail": LONG, "who": "A", "found": "{" + LONG * 2 + "}", "more": "{" + LONG + "}"}
    made = table(**{name: [cells.get(name, LONG * 3)] for name in names})
    objects = tuple(name for name in names if name in ("found", "more"))
    lists = {name: ", " for name in names if name == "tags"}
    found = choose_columns(replace(made, objects=objects, lists=lists), input_, target)
    assert (found.input, found.target, found.sure) == expected


def test_what_is_named_is_taken() -> None:
    """Flags decide; a name that is not there is told with those that are."""
    wide = table(**{f"c{k}": ["x"] for k in range(40)})
    assert choose_columns(wide, "c7", "c9").sure
    assert not choose_columns(wide, None, None).sure
    with pytest.raises(ParamsError, match=r"no column 'c40'; its columns: c0, .* and 28 more"):
        choose_columns(wide, "c40", None)
    with pytest.raises(ParamsError, match="found 'c1', which is --input too"):
        choose_columns(wide, "c1", "c1")
    with pytest.raises(ParamsError, match=r"found one column of text \(a\)"):
        choose_columns(table(a=["x"]), None, None)


@pytest.mark.parametrize(
    ("targets", "kind", "sure"),
    [
        (["A", "B", "A", "A", "B", "A"] * 5, "label", False),
        (["B", "C", "B", "C"] * 5, "label", True),
        (["yes", "no"], "label", True),
        ([str(k * 7) for k in range(30)], "number", True),
        ([str(k % 5) for k in range(30)], "number", False),
        ([f"so {k} * 2 = {2 * k}\n#### {2 * k}" for k in range(30)], "number", True),
        ([f"see above #### {chr(65 + k)}" for k in range(20)], "text", True),
        ([f"{k} km" for k in range(30)], "number", False),
        ([f"ticket {k}x" for k in range(30)], "text", False),
        (["A, B", "B", "A", "C;A", "C"] * 6, "labels", True),
        (["a|b, c", "b, c", "a", "d|a"] * 8, "labels", True),
        ([f"l{k % 9}, l{k % 8}" for k in range(30)], "labels", True),
        (["New York, NY", "Austin, TX", "Reno, NV"] * 9, "label", True),
        ([f"Berg {k}, Anna" for k in range(30)], "text", False),
        ([f'{{"a": {k}}}' for k in range(30)], "json", True),
        ([f'{{"a": {k}' for k in range(30)], "text", False),
    ],
)
def test_kinds_are_proposed(targets: list[str], kind: str, sure: bool) -> None:
    """Few targets are labels, numbers are numbers; where both could be meant it is not sure."""
    found = guess_kind([LONG] * len(targets), targets)
    assert (found.kind, found.sure) == (kind, sure)
    if kind != "labels":
        assert found.labels == (tuple(sorted(set(targets))) if kind == "label" else ())


def test_letters_with_options_in_the_input_are_a_choice() -> None:
    """Letters alone may be labels, which is asked."""
    targets = ["A", "B", "C", "A"] * 5
    options = "Which one?\n(A) red\n(B) blue\n(C) green"
    assert guess_kind([options] * 20, targets).kind == "choice"
    found = guess_kind([LONG] * 20, targets)
    assert (found.kind, found.sure) == ("label", False)
    assert "the targets are letters, and no input lists options" in found.why


def test_what_no_comparison_can_grade_is_refused() -> None:
    """Long free texts are nobody's guess: they are told with the ways out."""
    targets = [f"{k} " + LONG * 5 for k in range(30)]
    with pytest.raises(
        ParamsError, match=r"say --kind free to have a judge, .* or end each target"
    ):
        guess_kind([LONG] * 30, targets)
    assert [of_kind(kind, targets).kind for kind in ("text", "free")] == ["text", "free"]


@pytest.mark.parametrize(
    ("kind", "targets", "message"),
    [
        ("colour", ["A", "B"], "found 'colour', expected one of label"),
        ("number", ["1", "two"], "the target 'two' is none"),
        ("label", [f"l{k}" for k in range(30)], "30 of 30 targets differ"),
        ("labels", ["a", "b"] * 9, r"no sets of at most 9 labels"),
        ("labels", [f"a{k}, b{k}" for k in range(9)], r"no sets of at most 4 labels"),
        ("json", ['{"a": 1}', "[1]"], r"the target '\[1\]' is no JSON object"),
        ("json", ['{"a": 1}', '{"a": "x"}'], "the field 'a' .* holds number and text"),
        ("json", ['{"a": {}}', '{"a": {"b": 1}}'], "the field 'a' .* holds object, expected"),
        ("json", ['{"a": 1, "a": 2}', '{"a": 1}'], "field 'a' stands twice"),
        ("json", ["{}", "{ }"], "the targets have no fields"),
    ],
)
def test_a_kind_that_does_not_fit_is_told(kind: str, targets: list[str], message: str) -> None:
    """--kind is checked against the rows."""
    with pytest.raises(ParamsError, match=message):
        of_kind(kind, targets)


@pytest.mark.parametrize("kind", [None, "label"])
def test_one_label_alone_is_nothing_to_learn(kind: str | None) -> None:
    """All rows with the same target are refused, asked or told."""
    with pytest.raises(DataError, match="all 9 rows have the target 'A', so there is nothing"):
        guess_kind([LONG] * 9, ["A"] * 9) if kind is None else of_kind(kind, ["A"] * 9)


def gathered(*, drop: bool = False, max_rows: int = 100, **columns: list[str | None]):
    """Gather a table's rows."""
    found = table(**columns)
    return gather(
        found, "text", "label", None, max_rows=max_rows, drop_bad_rows=drop, random_seed=1
    )


def test_empty_cells_are_told_or_left_out() -> None:
    """The message has the lines; --drop-bad-rows keeps the rows and the reason."""
    columns = {"text": ["a", None, "c", "d"], "label": ["A", "B", None, "D"]}
    with pytest.raises(DataError, match=r"a.csv:3: the column `text` is empty \(2 rows .* 3, 4\)"):
        gathered(**columns)
    found = gathered(drop=True, **columns)
    assert [row.input for row in found.rows] == ["a", "d"]
    assert [(row.line, row.reason) for row in found.left_out] == [
        (3, "empty input"),
        (4, "empty target"),
    ]


def test_contradictions_are_told_or_left_out() -> None:
    """The same text, up to case and punctuation, with two targets stands in no split."""
    columns = {"text": ["Go on.", "b", "go on", "c"], "label": ["A", "B", "B", "C"]}
    with pytest.raises(DataError, match=r"a.csv:2: the same text .*lines 2, 4\)"):
        gathered(**columns)
    found = gathered(drop=True, **columns)
    assert [row.input for row in found.rows] == ["b", "c"]
    assert [(row.line, row.because_of) for row in found.left_out] == [(2, 4), (4, 2)]


def test_signs_tell_texts_apart() -> None:
    """Of the same letters and digits, with two targets, rows are kept, and stay in one split."""
    texts = [f"{k} {sign} {k}" for k in range(100, 140) for sign in "+-"]
    found = gathered(text=[*texts, "fine :)", "fine :("], label=["A", "B"] * 41)
    assert found.left_out == []
    for random_seed in range(5):
        parts = split_rows(
            found.rows,
            stratified=True,
            random_seed=random_seed,
            shares=shares_for(82, with_test=True),
        )
        places = [{row.same_text for row in part} for part in parts.values()]
        assert sum(map(len, places)) == len(set.union(*places)) == 41


def test_repeated_rows_are_left_out_and_kept() -> None:
    """The first of equal rows stays; the others are counted."""
    found = gathered(text=["a", "b", "A!"], label=["A", "B", "A"])
    assert [row.line for row in found.rows] == [2, 3]
    assert [(row.line, row.reason, row.because_of) for row in found.left_out] == [
        (4, "repeated", 2)
    ]


def test_of_many_rows_some_are_drawn() -> None:
    """No more than the limit are looked at, in file order, the same ones each time."""
    texts = [f"row {k}" for k in range(5000)]
    found = gathered(max_rows=200, text=texts, label=["A", "B"] * 2500)
    assert (len(found.rows), found.n_rows) == (200, 5000)
    assert [row.line for row in found.rows] == sorted(row.line for row in found.rows)
    again = gathered(max_rows=200, text=texts, label=["A", "B"] * 2500)
    assert found.rows == again.rows


def rows(labels: list[str], groups: list[str] | None = None) -> list[RawRow]:
    """Make a row for each label."""
    groups = groups or [""] * len(labels)
    return [
        RawRow(k + 2, f"text {k}", label, group)
        for k, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]


def test_splits_keep_the_labels_shares() -> None:
    """Every row is in one split; each label's test share is that of all, within a row."""
    labels = ["A"] * 80 + ["B"] * 50 + ["C"] * 17 + ["D"] * 2 + ["E"]
    shares = shares_for(150, with_test=True)
    found = split_rows(rows(labels), stratified=True, random_seed=1, shares=shares)
    assert sorted(row.line for part in found.values() for row in part) == list(range(2, 152))
    assert {name: len(part) for name, part in found.items()} == {"train": 90, "dev": 15, "test": 45}
    counts = {name: Counter(row.target for row in part) for name, part in found.items()}
    for label, n in Counter(labels).items():
        assert abs(counts["test"][label] - 0.3 * n) <= 1
        assert counts["train"][label] >= 1
    assert counts["test"]["E"] == counts["dev"]["E"] == 0


def test_a_group_stays_in_one_split() -> None:
    """Whatever the groups' sizes, no group is in two splits, and test has about its share."""
    for random_seed in range(20):
        draw = random.Random(random_seed)
        groups = [f"g{draw.randrange(40)}" for _ in range(300)]
        labels = [draw.choice("AB") for _ in groups]
        shares = shares_for(300, with_test=True)
        found = split_rows(
            rows(labels, groups), stratified=True, random_seed=random_seed, shares=shares
        )
        places = {(row.group, name) for name, part in found.items() for row in part}
        assert len(places) == len(set(groups))
        assert 60 <= len(found["test"]) <= 120


def test_no_label_is_in_test_alone() -> None:
    """Not in mixed groups, nor where a target holds several labels."""
    for random_seed in range(20):
        draw = random.Random(random_seed)
        groups = [f"g{draw.randrange(40)}" for _ in range(120)]
        labels = [draw.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in groups]
        sets = [", ".join(draw.sample("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 2)) for _ in groups]
        for targets, of, labels_of in (
            (labels, groups, None),
            (sets, None, lambda target: target.split(", ")),
        ):
            found = split_rows(
                rows(targets, of),
                stratified=labels_of is None,
                random_seed=random_seed,
                shares=shares_for(120, with_test=True),
                labels_of=labels_of,
            )
            known = {label for row in found["train"] for label in row.target.split(", ")}
            assert {label for row in found["test"] for label in row.target.split(", ")} <= known


def test_the_split_depends_on_the_random_seed_and_on_nothing_else() -> None:
    """The same rows and seed give the same split."""
    made = rows(["A", "B"] * 50)
    shares = shares_for(100, with_test=True)
    one, same, other = (
        split_rows(made, stratified=True, random_seed=seed, shares=shares) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_too_few_rows_are_told() -> None:
    """Ten rows cannot be split; with a test file two are enough to train on."""
    with pytest.raises(DataError, match=r"10 rows are too few to split .* with --test"):
        shares_for(10, with_test=True)
    assert shares_for(10, with_test=False) == {"train": 1.0, "dev": 0.0, "test": 0.0}
    with pytest.raises(DataError, match="1 rows to train on"):
        shares_for(1, with_test=False)


def test_a_large_set_has_a_bounded_test_set() -> None:
    """Beyond 2,000 test rows nothing is gained."""
    shares = shares_for(20_000, with_test=True)
    assert round(20_000 * shares["test"]) == 2000
    assert round(20_000 * shares["dev"]) == 500


def test_test_items_among_train_rows_are_left_out() -> None:
    """Equal but for case and punctuation, or of a test item's group."""
    train = [RawRow(2, "Same text", "A", ""), RawRow(3, "b", "B", "g"), RawRow(4, "c", "A", "h")]
    test = [RawRow(2, "same  TEXT!", "A", ""), RawRow(3, "d", "B", "g")]
    kept, out = without_test_items(train, test)
    assert [row.line for row in kept] == [4]
    assert [(row.line, row.reason, row.because_of) for row in out] == [
        (2, "test item", 2),
        (3, "in the group of a test item", 3),
    ]


def test_the_interval_is_that_of_the_report() -> None:
    """45 rows at 80 %: Wilson's interval is 23 points wide."""
    found = interval_at(45, 0.8)
    assert (round(found.low, 3), round(found.high, 3)) == (0.662, 0.891)
