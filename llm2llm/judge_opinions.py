"""Read what the leak judge answered: only a plain no lets a candidate pass."""

import dataclasses

from llm2llm.ledger.database import Entry
from llm2llm.opinions import Judgment, Opinion, Question
from llm2llm.opinions import judgment_of as read_judgment
from llm2llm.opinions import read_opinion as read_any_opinion

_QUESTION = Question("same_problem", "the judge's answer is no clear no")
# The JSON schema that the judge is to answer by.
SCHEMA = _QUESTION.schema
# In place of the judge's own reasons, which may quote a test item.
_SAYS = {
    "no": "the judge says that it is another problem",
    "yes": "the judge says that it is the test item",
}


def judgment_of(entry: Entry) -> Judgment:
    """Read the outcome of a request; all but `no` make the candidate a leak, for the reason."""
    read = read_judgment(entry, _QUESTION)
    reason = f"{_SAYS.get(read.opinion, read.reason)}; request {entry.request_id}"
    return dataclasses.replace(read, reason=reason)


def read_opinion(text: str, finish_reason: str | None) -> tuple[Opinion, str]:
    """Read an answer: the opinion, and what it says of the candidate."""
    opinion, reason = read_any_opinion(text, finish_reason, _QUESTION)
    return opinion, _SAYS.get(opinion, reason)
