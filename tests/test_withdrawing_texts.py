"""Which texts count as withdrawn, and what is withheld as it tells one."""

from dataclasses import replace

from finished_run import TEST_INPUTS

from llm2llm.exporting.lineage import Withholding, errors, rejections, responses
from llm2llm.exporting.protected import TestTexts
from llm2llm.exporting.withdrawn import Withdrawn, WithdrawnTexts
from llm2llm.records.errors import SeedError
from llm2llm.records.responses import Response
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow

GROWN = "that grew by the old mill at the river"


def test_what_also_stands_in_an_example_that_stays_is_no_withdrawn_text() -> None:
    """A short input counts as a whole text or line, a short target never, what stays never."""
    long, shared = f"Ten plums {GROWN}", f"All the pears {GROWN}"
    found = WithdrawnTexts(
        [(long, "#### 3"), ("New figs", shared), ("Seed 1", "yes")],
        [("Seed 1", f"Now this: {shared}.")],
    )
    assert found.told_by(f"He said: {long}")
    assert found.told_by("new figs!")
    assert found.in_request('{"content":"Write:\\n- New figs\\nand no more"}')
    for text in ("Other new figs", shared, "Seed 1", "#### 3", "yes"):
        assert not found.told_by(text), text
        assert not found.inside(text), text
    assert not WithdrawnTexts().told_by("", None)


def test_an_answer_or_error_that_tells_a_withdrawn_text_is_withheld() -> None:
    """So is a rejected copy, with the answer that it came in."""
    test = TestTexts([SplitRow("t0", TEST_INPUTS[0], "#### 1", "1", 0)], 0.7)
    gone = Withdrawn([])
    text = f"New pears {GROWN}"
    gone.texts = WithdrawnTexts([(text, "#### 3")])
    how = Withholding(test, False, set(), gone)
    copy = Rejected("rq-1", "s0", 0, text, "#### 4", "vote", "no", None, None, "v1")
    assert next(rejections(0, [copy], how)).withheld == "withdrawn"
    assert gone.requests == {"rq-1"}
    error = SeedError("s0", 0, "wrong", f"I know: {text}", "3", 1, False, 0, True)
    assert next(errors([error], "c", how)).withheld == "withdrawn"
    row = Response(
        "rq-2", "s0", 0, "write", None, 0, "answered", text, None, None, "{}", "p", "t", 1, 1
    )
    assert next(responses([row], how)).withheld == "withdrawn"
    assert next(responses([replace(row, text="Fine.")], how)).withheld is None
