"""Turn the records of an iteration into rows that may be handed on, text withheld where needed."""

import hashlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from llm2llm.bundle.records import (
    ExportedError,
    ExportedKept,
    ExportedRejection,
    ExportedRequest,
    ExportedResponse,
)
from llm2llm.exclusions import WITHDRAWN
from llm2llm.exporting.protected import TestTexts
from llm2llm.exporting.withdrawn import Withdrawn
from llm2llm.ids import example_id
from llm2llm.records.errors import SeedError
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected

TEST, SEED = "test", "seed"
_CHUNK = 500


@dataclass(slots=True)
class Withholding:
    """What is withheld, and from which requests on.

    `private` withholds all texts that could quote a seed; `test_seeds` are seeds that are test
    items; `withdrawn` says what is taken back. `leaks` gathers the requests with a rejected
    candidate that could tell a test item, `unread` those whose answer held no candidate: rejections
    must be gone through first.
    """

    test: TestTexts
    private: bool
    test_seeds: Container[str]
    withdrawn: Withdrawn
    leaks: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)

    def reason(self, *, told: bool, gone: bool) -> str | None:
        """Say why a text is withheld; null: it is not."""
        if self.private:
            return SEED
        return TEST if told else WITHDRAWN if gone else None


def rejections(
    iteration: int, rows: Iterable[Rejected], how: Withholding
) -> Iterator[ExportedRejection]:
    """Give each rejection: by id, gate and score, and with its text where that may leave."""
    source = iter(rows)
    while chunk := list(islice(source, _CHUNK)):
        for row, may_leave in zip(chunk, how.test.may_leave(chunk), strict=True):
            if row.input is None:
                how.unread.add(row.request_id)
                # It quotes the answer at most in its reason.
                told = how.test.told_by(row.reason) or how.test.rewritten_in(row.reason)
            else:
                told = not may_leave
                if told:
                    how.leaks.add(row.request_id)
            named = row.input is not None and row.target is not None
            name = example_id(row.input or "", row.target or "") if named else None
            gone = _is_withdrawn(row, name, how.withdrawn)
            withheld = how.reason(told=told, gone=gone)
            yield ExportedRejection(
                iteration=iteration,
                candidate_id=name,
                request_id=row.request_id,
                seed_id=row.seed_id,
                position=row.position,
                input=None if withheld else row.input,
                target=None if withheld else row.target,
                gate=row.gate,
                reason=None if withheld else row.reason,
                reference_id=row.reference_id,
                score=row.score,
                gate_version=row.gate_version,
                withheld=withheld,
            )


def _is_withdrawn(row: Rejected, name: str | None, withdrawn: Withdrawn) -> bool:
    """Say whether a rejected text is withdrawn, or much like one; notes its request if so."""
    gone = (
        row.gate == WITHDRAWN
        or row.seed_id in withdrawn.seeds
        or row.request_id in withdrawn.requests
        or row.reference_id in withdrawn.examples
        or withdrawn.texts.told_by(row.input, row.target, row.reason)
    )
    if gone:
        withdrawn.requests.add(row.request_id)
        if name is not None and row.gate == WITHDRAWN:
            withdrawn.examples.add(name)
    return gone


def errors(rows: Iterable[SeedError], checkpoint: str, how: Withholding) -> Iterator[ExportedError]:
    """Give each error, without the student's words where they could tell what must stay."""
    for row in rows:
        told = row.seed_id in how.test_seeds or how.test.told_by(row.text, row.answer)
        texts = how.withdrawn.texts
        gone = row.seed_id in how.withdrawn.seeds or texts.told_by(row.text, row.answer)
        withheld = how.reason(told=told, gone=gone)
        yield ExportedError(
            seed_id=row.seed_id,
            iteration=row.iteration,
            checkpoint=checkpoint,
            verdict=row.verdict,
            text=None if withheld else row.text,
            text_sha256=_sha256(row.text),
            answer=None if withheld else row.answer,
            n_wrong_in_a_row=row.n_wrong_in_a_row,
            ever_right=row.ever_right,
            n_requests=row.n_requests,
            ask=row.ask,
            withheld=withheld,
        )


def requests(rows: Iterable[Response], how: Withholding) -> Iterator[ExportedRequest]:
    """Give what was sent; a request to solve a withheld candidate is withheld too.

    So is one that shows a withdrawn text, such as that of an example that its seed gave earlier.
    """
    for row in rows:
        told = (
            row.seed_id in how.test_seeds or row.about in how.leaks or how.test.told_by(row.request)
        )
        gone = (
            row.seed_id in how.withdrawn.seeds
            or row.prompt_sha256 in how.withdrawn.prompts
            or row.about in how.withdrawn.requests
            or how.withdrawn.texts.in_request(row.request)
        )
        withheld = how.reason(told=told, gone=gone)
        yield ExportedRequest(
            request_id=row.request_id,
            seed_id=row.seed_id,
            iteration=row.iteration,
            purpose=row.purpose,
            about=row.about,
            draw=row.draw,
            prompt_sha256=row.prompt_sha256,
            request=None if withheld else row.request,
            withheld=withheld,
        )


def responses(rows: Iterable[Response], how: Withholding) -> Iterator[ExportedResponse]:
    """Give what came; the raw answer behind a withheld candidate is withheld too."""
    for row in rows:
        told = (
            row.request_id in how.leaks
            or row.about in how.leaks
            or row.seed_id in how.test_seeds
            or how.test.told_by(row.text, row.failure)
            or (row.request_id in how.unread and how.test.rewritten_in(row.text or ""))
        )
        bare = row.text is None and row.failure is None
        gone = (
            row.seed_id in how.withdrawn.seeds
            or row.request_id in how.withdrawn.requests
            or row.about in how.withdrawn.requests
            or how.withdrawn.texts.told_by(row.text, row.failure)
        )
        withheld = None if bare else how.reason(told=told, gone=gone)
        yield ExportedResponse(
            request_id=row.request_id,
            iteration=row.iteration,
            status=row.status,
            teacher=row.teacher,
            text=None if withheld else row.text,
            text_sha256=None if row.text is None else _sha256(row.text),
            finish_reason=row.finish_reason,
            failure=None if withheld else row.failure,
            n_prompt_tokens=row.n_prompt_tokens,
            n_completion_tokens=row.n_completion_tokens,
            withheld=withheld,
        )


def kept(iteration: int, rows: Iterable[Kept], left_out: Container[str]) -> Iterator[ExportedKept]:
    """Give what screening measured of each kept candidate."""
    for row in rows:
        yield ExportedKept(
            example_id=row.example_id,
            iteration=iteration,
            seed_id=row.seed_id,
            request_id=row.request_id,
            in_dataset=row.example_id not in left_out,
            gate_version=row.gate_version,
            nearest_test_id=row.nearest_test_id,
            nearest_test_score=row.nearest_test_score,
            nearest_train_id=row.nearest_train_id,
            nearest_train_score=row.nearest_train_score,
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
