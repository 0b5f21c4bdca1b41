"""Claims about masking numbers and names."""

import pytest

from llm2llm.leakage.masking import NAME, NUMBER, Masker

TEXTS = [
    "Yesterday Natalia sold 48 clips. How many clips did Natalia sell?",
    "If Weng earns $12, how much does she earn yesterday? How come?",
]


@pytest.fixture
def masker() -> Masker:
    """Learn from two problems."""
    return Masker.learn(TEXTS)


def test_names_are_learned_from_capitals_within_sentences(masker: Masker) -> None:
    """Words that begin sentences and occur in small letters are no names."""
    assert masker.names == {"natalia", "weng"}
    assert {"yesterday", "how"} <= masker.common | {"if"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Natalia sold 48 clips.", "Zoe sold 1,205.5 clips."),
        ("How many did Natalia sell?", "How many did Leo Tolstoy sell?"),
        ("Weng has twelve clips.", "Ana has 7 clips."),
        ("She earns twice his pay.", "He earns three her pay."),
        ("natalia sold twenty-one", "Natalia sold 21"),
        ("He was 20th.", "She was 3rd."),
    ],
)
def test_other_numbers_and_names_mask_alike(masker: Masker, left: str, right: str) -> None:
    """Texts that differ in numbers, names and pronouns alone have the same masked words."""
    assert masker.mask(left) == masker.mask(right)


def test_other_words_stay(masker: Masker) -> None:
    """What is neither number nor name is kept, in small letters."""
    assert masker.mask("How many clips did Natalia sell?") == [
        "how", "many", "clips", "did", NAME, "sell",
    ]  # fmt: skip
    assert masker.mask("I earn $5") == ["i", "earn", NUMBER]


def test_capitals_throughout_are_not_all_names(masker: Masker) -> None:
    """In text without small letters only known names are masked."""
    assert masker.mask("HOW MANY DID NATALIA SELL") == ["how", "many", "did", NAME, "sell"]


def test_a_word_also_seen_in_small_letters_is_no_known_name() -> None:
    """`may` stays a word though May was seen as a name within a sentence."""
    masker = Masker.learn(["He left in May as he may do and so did I"])
    assert masker.mask("you may go") == ["you", "may", "go"]
    assert masker.mask("gone in May") == ["gone", "in", NAME]
    assert masker.names == frozenset()
