"""Bring what a finished batch holds into the ledger, a group of lines at a time."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from llm2llm.ledger.batches import Batch, Batches, BatchRequest
from llm2llm.ledger.database import Charge, Entry
from llm2llm.teacher.entries import Recorder
from llm2llm.teacher.openai_batch.output_lines import Line, read_line
from llm2llm.teacher.openai_batch.provider import CutError, GoneError, Provider
from llm2llm.teacher.openai_batch.request_file import request_id_of
from llm2llm.teacher.openai_batch.states import Finished, Refused, advance
from llm2llm.teacher.openai_batch.stuck import cut_short
from llm2llm.teacher.openai_batch.validation import judge_validation
from llm2llm.teacher.openai_batch.views import View
from llm2llm.teacher.protocol import Answer, LostCall, Refusal, TeacherStoppedError

BACKEND = "openai-batch"

_GROUP = 200


@dataclass(slots=True)
class Count:
    """What the lines of a batch were; `stopped` is the first that no further request can mend.

    `short` says which files are not what the provider counts.
    """

    n_answered: int = 0
    n_failed: int = 0
    n_again: int = 0
    n_repeated: int = 0
    n_unknown: int = 0
    n_unreadable: int = 0
    short: list[str] = field(default_factory=list)
    stopped: TeacherStoppedError | None = None

    def note(self) -> str:
        """Say what was not as expected, too."""
        odd = [
            f"{n} lines {what}"
            for n, what in (
                (self.n_repeated, "repeated a request"),
                (self.n_unknown, "named no request of this batch and were not taken"),
                (self.n_unreadable, "could not be read"),
            )
            if n
        ]
        counts = [f"{self.n_answered} answered", f"{self.n_failed} failed for good"]
        return ", ".join([*counts, *odd, *self.short])


class Collector:
    """Collect finished batches; files lie nameless in `folder` while they are read.

    Only with `pay_again` is it submitted again what a file should hold and does not.
    """

    def __init__(
        self,
        batches: Batches,
        recorder: Recorder,
        provider: Provider,
        *,
        folder: Path,
        say: Callable[[str], None],
        on_lost: Callable[[str, LostCall], None],
        pay_again: bool,
    ) -> None:
        self._batches = batches
        self._recorder = recorder
        self._provider = provider
        self._folder = folder
        self._say = say
        self._on_lost = on_lost
        self._pay_again = pay_again

    def collect(self, batch: Batch, view: View) -> TeacherStoppedError | None:
        """Take all that came, and free what did not for another batch.

        Gives a reason to submit nothing more, where the provider named one. Raises StuckError
        where lines are missing that should be there.
        """
        count = Count()
        self._collect_files(batch, view, count)
        if count.short and not self._pay_again:
            n_missing = self._batches.n_unnamed(batch)
            if n_missing:
                self._say(f"batch {view.batch_id} is {view.status}: {count.note()}")
                raise cut_short(batch, count.short, n_missing)
        reason = f"the batch is {view.status} and has no line for this request"
        if view.status == "failed":
            reason = self._judge_as_a_whole(batch, view, count)
        if view.status == "failed" and count.stopped is not None:
            self._batches.save(advance(batch, Refused(view.status)), of=batch.state)
        else:
            ended = advance(batch, Finished(view.status))
            count.n_again = self._batches.close(ended, of=batch.state, reason=reason)
        missing = f", {count.n_again} to be submitted again" if count.n_again else ""
        self._say(f"batch {view.batch_id} is {view.status}: {count.note()}{missing}")
        return count.stopped

    def _collect_files(self, batch: Batch, view: View, count: Count) -> None:
        with (
            tempfile.TemporaryFile(dir=self._folder) as output,
            tempfile.TemporaryFile(dir=self._folder) as errors,
        ):
            n_lines = self._fetch(view.error_file_id, errors, 0, count)
            n_expected = min(view.n_lines(n_lines), batch.n_requests)
            self._fetch(view.output_file_id, output, n_expected, count)
            for stream in (output, errors):
                stream.seek(0)
                for group in _groups(stream):
                    self._keep(batch, group, count)

    def _fetch(self, file_id: str | None, stream: BinaryIO, n_expected: int, count: Count) -> int:
        """Fetch what there is of a file, and note what is not; gives the number of lines."""
        if file_id is None:
            if n_expected:
                count.short.append(f"no output file is named, the batch counts {n_expected} lines")
            return 0
        try:
            return self._provider.download(file_id, stream, n_expected)
        except GoneError:
            stream.truncate(0)
            count.short.append(f"file {file_id} is gone (404)")
            return 0
        except CutError as failure:
            count.short.append(str(failure))
            return failure.n_lines

    def _keep(self, batch: Batch, group: list[bytes], count: Count) -> None:
        lines = []
        for raw in group:
            line = read_line(raw)
            if line is None:
                count.n_unreadable += 1
            else:
                lines.append(line)
        rows = self._batches.find(batch, [request_id_of(line.custom_id) for line in lines])
        kept = _Kept()
        for line in lines:
            row = rows.get(request_id_of(line.custom_id))
            if row is None:
                count.n_unknown += 1
            elif row.outcome is not None or row.request_id in kept.entries:
                count.n_repeated += 1
            else:
                self._take(row, line, kept, count)
        self._batches.keep(batch, list(kept.entries.values()), kept.again, kept.charges)
        for request_id, call in kept.lost:
            self._on_lost(request_id, call)

    def _take(self, row: BatchRequest, line: Line, kept: "_Kept", count: Count) -> None:
        outcome = line.outcome
        if isinstance(outcome, Answer | Refusal):
            count.n_answered += isinstance(outcome, Answer)
            count.n_failed += isinstance(outcome, Refusal)
            kept.entries[row.request_id] = self._entry(row, outcome)
            return
        # Noted before, by this batch's other file or by a process that died: charged then.
        if row.reason is not None or row.request_id in kept.again:
            count.n_repeated += 1
            return
        kept.again[row.request_id] = str(outcome)
        if isinstance(outcome, TeacherStoppedError):
            count.stopped = count.stopped or outcome
        elif outcome.lost is not None:
            kept.charges += self._recorder.charges(row, (outcome.lost,))
            kept.lost.append((row.request_id, outcome.lost))

    def _entry(self, row: BatchRequest, outcome: Answer | Refusal) -> Entry:
        counted = dataclasses.replace(outcome, n_attempts=row.n_earlier + 1)
        return self._recorder.record(row, row.request, BACKEND, counted)

    def _judge_as_a_whole(self, batch: Batch, view: View, count: Count) -> str:
        """Deal with a batch that the provider would not begin; gives what it says."""
        failed = judge_validation(view.problems, batch.n_requests)
        count.stopped = count.stopped or failed.stopped
        rows = self._batches.find_lines(batch, failed.refused)
        refused = [self._entry(row, Refusal(failed.refused[row.line])) for row in rows]
        count.n_failed += len(refused)
        self._batches.keep(batch, refused, {}, [])
        if failed.stopped is None:
            self._say(failed.again)
        return failed.again


@dataclass(slots=True)
class _Kept:
    """What a group of lines adds to the ledger."""

    entries: dict[str, Entry] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    lost: list[tuple[str, LostCall]] = field(default_factory=list)


def _groups(stream: BinaryIO) -> Iterable[list[bytes]]:
    group: list[bytes] = []
    for line in stream:
        if line.strip():
            group.append(line)
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group
