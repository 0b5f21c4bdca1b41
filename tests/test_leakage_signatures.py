"""Claims about signatures: each word more or less changes one bit, whatever their width."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.leakage.signatures import Signed, set_places

CODES = st.lists(st.integers(0, 300), max_size=400)


def bits(text: list[int], n_planes: int) -> dict[int, int]:
    """Sign one text; return its bits by width."""
    codes = np.array(text, np.uint32)
    signed = Signed.of(codes, np.array([len(text)]), n_planes)
    assert signed.n_known.tolist() == [sum(code > 0 for code in text)]
    return {
        width: int.from_bytes(rows[:, 0].tobytes(), "big")
        for width, rows in signed.by_width.items()
    }


@given(CODES, st.integers(1, 300), st.sampled_from([4, 8, 16]))
def test_one_word_more_changes_one_bit(text: list[int], word: int, n_planes: int) -> None:
    """At every width, also where hundreds of words share a counter and it has run over."""
    before, after = bits(text, n_planes), bits([*text, word], n_planes)
    assert sorted(before) == [width for width in (1, 2, 4, 8, 16) if width <= n_planes]
    assert all((before[width] ^ after[width]).bit_count() == 1 for width in before)


def test_one_word_twice_is_not_the_same_as_none() -> None:
    """Texts that differ by a word and its repetition differ in two bits, unlike in parity."""
    once, thrice = bits([7], 4), bits([7, 7, 7], 4)
    assert all((once[width] ^ thrice[width]).bit_count() == 2 for width in once)


@given(CODES, st.randoms())
def test_order_and_unknown_words_change_no_bit(text: list[int], order: object) -> None:
    """A signature is that of the known words, in any order."""
    turned = order.sample(text, len(text))  # type: ignore[attr-defined]
    assert bits(turned, 8) == bits([code for code in text if code], 8)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 4))
def test_flags_are_found_at_their_places(flags: list[bool], n_rows: int) -> None:
    """Of any number of flags, in rows too, those that are set are found, each at its flat place."""
    flags = flags[: len(flags) // n_rows * n_rows]
    rows = np.array(flags, bool).reshape(n_rows, -1)
    found = set_places(rows)
    assert found.tolist() == [place for place, flag in enumerate(flags) if flag]
