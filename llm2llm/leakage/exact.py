"""Find texts that are a test item but for case, punctuation, spaces and look-alike characters."""

from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import LeakageCheckError
from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.normalize import exact_keys
from llm2llm.records.split import SplitRow


@dataclass(frozen=True, slots=True)
class ExactGate:
    """The first test item of each key."""

    places: dict[str, int]
    name = "exact"

    @classmethod
    def of(cls, inputs: Sequence[str]) -> "ExactGate":
        """Index the test items' inputs."""
        places: dict[str, int] = {}
        for place, text in enumerate(inputs):
            for key in exact_keys(text):
                places.setdefault(key, place)
        return cls(places)

    @property
    def settings(self) -> dict[str, int | str]:
        """Return nothing: equal is equal."""
        return {}

    def nearest(self, texts: Sequence[Text], at_least: float = 1.0) -> list[Match | None]:
        """Return the test item that equals each text's input; none scores less than 1."""
        found: list[Match | None] = []
        for text in texts:
            places = [self.places[key] for key in exact_keys(text.input) if key in self.places]
            found.append(Match(min(places), 1.0) if places and at_least <= 1.0 else None)
        return found


def find_leaked(rows: Sequence[str], test: Sequence[SplitRow]) -> list[tuple[int, str]]:
    """List the rows, by place, that are test items, each with the test item's id."""
    require_visible(test)
    matches = ExactGate.of([row.input for row in test]).nearest([Text(row, "") for row in rows])
    return [
        (place, test[match.reference].example_id)
        for place, match in enumerate(matches)
        if match is not None
    ]


def require_visible(test: Sequence[SplitRow]) -> None:
    """Raise LeakageCheckError unless there are test items, each with something to compare."""
    if not test:
        raise LeakageCheckError(
            "the test set has no rows, expected at least one: nothing can be called clean; "
            "check `subsample.test` in params.yaml"
        )
    for row in test:
        if not exact_keys(row.input)[0]:
            raise LeakageCheckError(
                f"test set: row {row.source_row} ({row.example_id}): found {row.input!r} as input, "
                "expected visible text: no candidate could be compared with it; mend or remove "
                "that row"
            )
