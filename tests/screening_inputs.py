"""Make the records that screening takes."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from llm2llm.ids import example_id
from llm2llm.leakage.gates import LeakageGates, build_gates
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import LeakagePolicy

ANY_SCRIPT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("abcXYZ 0123456789.,!?$-_'\n\u200b\u0301éßİıŉаеВНΝέςЖ問題ไทยसंख्याعدد½²℃№🍕"),
    ),
    max_size=30,
)

_PARAMS: dict[str, Any] = {
    "gates": ["exact", "coverage", "rouge", "masked", "duplicate"],
    "ngram_words": 5,
    "extra_words": 3,
    "coverage": {"default": 0.5, "strictest": 0.4},
    "rouge": {"default": 0.8, "strictest": 0.6},
    "masked": {"default": 0.85, "strictest": 0.75},
    "embedding": {
        "default": 0.9,
        "strictest": 0.8,
        "encoder": "e",
        "revision": None,
        "window_words": None,
    },
    "judge": None,
    "loosest": 0.95,
    "flag_rate": 0.005,
    "calibration_rows": 1000,
    "duplicate_cut": 0.95,
    "n_planted": 10,
}


def params(**changed: Any) -> DedupeParams:
    """Make the section with some values changed."""
    return DedupeParams.model_validate(_PARAMS | changed)


def row(text: str, target: str = "#### 1", number: int = 1) -> SplitRow:
    """Make a row of a split."""
    return SplitRow(example_id(text, target), text, target, "1", number)


def seed(text: str, target: str) -> Example:
    """Make a seed example."""
    name = example_id(text, target)
    return Example(name, "seed", name, text, target, *[None] * 7)


def response(of: Example, text: str | None, number: int, status: str = "answered") -> Response:
    """Make a response, or a failed request, for a seed."""
    return Response(
        request_id=f"rq-{number}",
        seed_id=of.example_id,
        iteration=0,
        purpose="write",
        about=None,
        draw=0,
        status=status,
        text=text,
        finish_reason="stop",
        failure=None if status == "answered" else "content policy",
        request="{}",
        prompt_sha256="0",
        teacher="t",
        n_prompt_tokens=None,
        n_completion_tokens=None,
    )


MASKED = LeakagePolicy(masked=True, templated=False)
UNMASKED = LeakagePolicy(masked=False, templated=False)
TEMPLATED = LeakagePolicy(masked=True, templated=True)

TEST = [
    row("Mary has 5 red apples and buys 7 more at the market. How many apples has Mary now?"),
    row("A train travels 60 miles in one hour. How far does it travel in three hours?"),
    row("What is cholesterol ?"),
]


def gates_for(test: Sequence[SplitRow], policy: LeakagePolicy = MASKED) -> LeakageGates:
    """Build gates without calibration rows."""
    return build_gates(test, [], [], policy, params())
