"""What to do when memory runs out: the estimate, and which knob takes how much less."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llm2llm.exceptions import MachineError
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.student.compute import is_shortage
from llm2llm.student.memory import Shape, gib, knobs, training_need


@contextmanager
def explained(
    read: Callable[[], Shape | None],
    params: TrainIterParams,
    n_tokens: int | None,
    *,
    bf16: bool,
    device: str,
) -> Iterator[None]:
    """Turn a failed allocation into a MachineError that names the knobs and the estimate.

    `read` looks the model's shape up; `n_tokens` null is a failure before rows were there.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as failure:
        if not is_shortage(failure):
            raise
        raise _shortage(read(), params, n_tokens, bf16, device, failure) from None


def _shortage(
    shape: Shape | None,
    params: TrainIterParams,
    n_tokens: int | None,
    bf16: bool,
    device: str,
    failure: Exception,
) -> MachineError:
    told = (str(failure).strip() or "no more memory").split("\n")[0][:200]
    if shape is None:
        names = " or ".join(knob for knob, _ in knobs(params, device))
        return MachineError(
            f"training: out of memory on {device} ({told}); set {names}, or a lower"
            " `train_iter.max_tokens`"
        )
    tokens = n_tokens or 0
    need = training_need(shape, params, tokens, bf16=bf16, device=device)
    turned, options = [], []
    for knob, changed in knobs(params, device):
        turned.append(knob)
        less = training_need(shape, changed, tokens, bf16=bf16, device=device)
        options.append(f"{' and '.join(turned)} (about {gib(less.total)})")
    if n_tokens is not None:
        options.append("a lower `train_iter.max_tokens`")
    what = "the model" if n_tokens is None else f"a training on rows of up to {n_tokens} tokens"
    return MachineError(
        f"training: out of memory on {device} ({told}); {what} takes about"
        f" {gib(need.total)}; set {', or '.join(options)}, or free memory and run `dvc repro`: it"
        " goes on from the last complete state"
    )
