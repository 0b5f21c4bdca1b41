"""Claims about near-duplicates on the training side."""

from hypothesis import given
from hypothesis import strategies as st

from llm2llm.duplicates import Item, Nearest, find_duplicates

SENTENCE = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6).map(" ".join)


def plain_f(left: str, right: str) -> float:
    """Compute ROUGE-L F by the textbook table."""
    a, b = left.split(), right.split()
    row = [0] * (len(b) + 1)
    for x in a:
        above, row = row, [0] * (len(b) + 1)
        for j, y in enumerate(b):
            row[j + 1] = above[j] + 1 if x == y else max(above[j + 1], row[j])
    return 2 * row[-1] / (len(a) + len(b))


def plain_duplicates(candidates: list[str], examples: list[str], cut: float) -> list[bool]:
    """Go through the candidates one by one, keeping those that repeat nothing kept."""
    kept, verdicts = list(examples), []
    for candidate in candidates:
        verdicts.append(any(plain_f(candidate, other) > cut for other in kept))
        if not verdicts[-1]:
            kept.append(candidate)
    return verdicts


@given(
    st.lists(SENTENCE, max_size=8),
    st.lists(SENTENCE, max_size=5),
    st.sampled_from([0.5, 0.6, 2 / 3, 0.75, 0.8, 0.95, 1.0]),
)
def test_verdicts_equal_the_plain_loop(
    candidates: list[str], examples: list[str], cut: float
) -> None:
    """Pair by pair, ties at the cut included, verdicts are those of the textbook comparison."""
    found = find_duplicates(
        [Item(f"c{n}", text) for n, text in enumerate(candidates)],
        [Item(f"e{n}", text) for n, text in enumerate(examples)],
        cut,
    )
    assert [n.reason is not None for n in found] == plain_duplicates(candidates, examples, cut)


def test_duplicates_do_not_chain() -> None:
    """A candidate close only to a rejected duplicate is kept."""
    texts = ["a b c d", "a b c x", "a b y x"]
    items = [Item(str(n), text) for n, text in enumerate(texts)]
    found = find_duplicates(items[1:], items[:1], 0.7)
    assert found == [
        Nearest("nearly repeats an example", "0", 0.75),
        Nearest(None, "0", 0.5),
    ]


def test_first_of_two_equal_candidates_wins() -> None:
    """The second of two near-equal candidates names the first."""
    items = [Item("c0", "a new question"), Item("c1", "A new question!")]
    assert find_duplicates(items, [], 0.95) == [
        Nearest(None, None, None),
        Nearest("nearly repeats an example", "c0", 1.0),
    ]


def test_equal_content_is_a_duplicate_at_any_cut() -> None:
    """The same id is never kept twice, not even where no score exceeds the cut."""
    found = find_duplicates([Item("x", "a"), Item("y", "b"), Item("y", "b")], [Item("x", "a")], 1.0)
    assert [nearest.reason for nearest in found] == [
        "is an example already",
        None,
        "is an example already",
    ]


@given(
    st.lists(SENTENCE, max_size=8),
    st.lists(SENTENCE, max_size=5),
    st.sampled_from([0.5, 0.75, 0.95]),
)
def test_the_nearest_of_a_kept_candidate_is_exact(
    candidates: list[str], examples: list[str], cut: float
) -> None:
    """However far it is: the best of all examples and of earlier candidates that were kept."""
    items = [Item(f"c{n}", text) for n, text in enumerate(candidates)]
    found = find_duplicates(items, [Item(f"e{n}", t) for n, t in enumerate(examples)], cut)
    before = [(f"e{n}", text) for n, text in enumerate(examples)]
    for item, nearest in zip(items, found, strict=True):
        scores = [plain_f(item.input, text) for _, text in before]
        best = max(scores, default=0.0)
        name = before[scores.index(best)][0] if best else None
        assert (nearest.reference_id, nearest.score) == (name, best or None)
        if nearest.reason is None:
            before.append((item.example_id, item.input))
