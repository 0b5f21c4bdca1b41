"""A batch that only a person can bring on, and the message that tells them how."""

from llm2llm.ledger.batches import Batch
from llm2llm.teacher.protocol import TeacherStoppedError


class StuckError(TeacherStoppedError):
    """One batch stays where it is; others can go on."""


def unknown(batch: Batch) -> StuckError:
    """Say that the provider does not know a batch that it made."""
    return StuckError(
        f"{batch.endpoint} does not know batch {batch.batch_id} (404), whose {batch.n_requests}"
        " requests may have been paid for: the key may be that of another project, a proxy may"
        " have answered, or the batch was deleted; set the right key and run `dvc repro`, or set"
        f" `runtime.pay_again: true` to submit the {batch.n_requests} requests again, and pay again"
    )


def cut_short(batch: Batch, problems: list[str], n_missing: int) -> StuckError:
    """Say that the files of a batch lack answers that may have been paid for."""
    return StuckError(
        f"batch {batch.batch_id} at {batch.endpoint} is done, and {n_missing} of its"
        f" {batch.n_requests} requests, which may have been paid for, have no line:"
        f" {'; '.join(problems)}; the key may be that of another project, a proxy may have cut the"
        " file, or the files have expired; `dvc repro` fetches them again, `runtime.pay_again:"
        f" true` submits the {n_missing} requests again, and pays again"
    )


def unlisted(batch: Batch, reason: str) -> StuckError:
    """Say that nobody can tell whether a batch exists."""
    return StuckError(
        f"a run broke off while it made a batch of file {batch.file_id} at {batch.endpoint}, and"
        f" this key may not list the batches there ({reason}), so whether it exists is unknown;"
        f" give the key that right and run `dvc repro`, or set `runtime.pay_again: true` to submit"
        f" the {batch.n_requests} requests again, which pays twice if it exists"
    )


def without_end(batch: Batch, status: str, n_looks: int) -> StuckError:
    """Say that a batch stands under a word that means nothing here."""
    return StuckError(
        f"batch {batch.batch_id} at {batch.endpoint} was {status!r} in {n_looks} looks, a status"
        " that is not known here, and nothing changed; see there what it means: `dvc repro` goes"
        " on looking, and once the batch is cancelled there what it answered is collected"
    )
