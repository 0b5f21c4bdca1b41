"""Content hashes and derived random streams."""

from hypothesis import given
from hypothesis import strategies as st

from llm2llm import ids, seeding

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(st.dictionaries(st.text(), json_values))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    """A mapping hashes the same in whatever order its keys stand."""
    turned = dict(reversed(list(value.items())))
    assert ids.sha256_json(value) == ids.sha256_json(turned)  # type: ignore[arg-type]


@given(st.text(), st.text(), st.text(), st.text())
def test_ids_differ_where_content_differs(a: str, b: str, c: str, d: str) -> None:
    """Two examples share an id exactly when input and target are equal, wherever a text is cut."""
    assert (ids.example_id(a, b) == ids.example_id(c, d)) == ((a, b) == (c, d))


@given(st.integers(), st.lists(st.text(alphabet="ab"), min_size=1))
def test_streams_are_independent(random_seed: int, names: list[str]) -> None:
    """Another random_seed, or another name, gives another stream; the same gives the same."""
    first = seeding.stream(random_seed, *names).random()
    assert first == seeding.stream(random_seed, *names).random()
    assert first != seeding.stream(random_seed + 1, *names).random()
    assert first != seeding.stream(random_seed, *names, "x").random()


def test_names_are_kept_apart() -> None:
    """Joined names do not collide: ("ab", "c") is not ("a", "bc")."""
    assert seeding.derive(1, "ab", "c") != seeding.derive(1, "a", "bc")
