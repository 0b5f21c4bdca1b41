"""What to do when memory runs out at an answer: the estimate, and the knob that lowers it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.student.compute import is_shortage
from llm2llm.student.memory import gib, prediction_need, read_shape


@contextmanager
def explained_batch(
    weights: Callable[[], Path], n_rows: int, n_tokens: int, *, bf16: bool, device: str
) -> Iterator[None]:
    """Turn a failed allocation into a MachineError that names knob and estimate.

    `weights` finds the model's folder, `n_tokens` is what the longest row of the batch may come to.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as failure:
        if not is_shortage(failure):
            raise
        told = (str(failure).strip() or "no more memory").split("\n")[0][:200]
        shape = read_shape(weights())
        estimate = ""
        if shape is not None:
            whole, half = (
                gib(prediction_need(shape, rows, n_tokens, bf16=bf16, device=device).total)
                for rows in (n_rows, max(1, n_rows // 2))
            )
            estimate = f", which takes about {whole}, with half the rows about {half}"
        raise MachineError(
            f"predict: out of memory on {device} ({told}) at a batch of {n_rows} rows of up to"
            f" {n_tokens} tokens{estimate}; lower `predict.batch_size` or"
            " `predict.max_new_tokens`, or free memory and run `dvc repro`"
        ) from None
