"""What the budget of a project still allows, and what would go beyond it."""

from dataclasses import dataclass

from llm2llm.estimating import Amount
from llm2llm.ledger.database import Ledger
from llm2llm.params.runtime import RuntimeParams
from llm2llm.teacher.backends import FREE
from llm2llm.teacher.budget import Prices


@dataclass(frozen=True, slots=True)
class Left:
    """What the budget still allows; null is no limit."""

    n_requests: int | None
    n_tokens: int | None
    cost: float | None


def prices_of(runtime: RuntimeParams) -> Prices:
    """Give the prices that params name."""
    return Prices(
        runtime.price_per_million_prompt_tokens, runtime.price_per_million_completion_tokens
    )


def left_of(runtime: RuntimeParams, ledger: Ledger) -> Left:
    """Take what the ledger holds of paid requests from the limits."""
    spent = ledger.spent(FREE)
    n_prompt, n_completion = spent.n_prompt_tokens, spent.n_completion_tokens
    cost = None
    if runtime.max_cost is not None:
        unpriced = prices_of(runtime).cost(
            spent.n_unpriced_prompt_tokens, spent.n_unpriced_completion_tokens
        )
        cost = max(0.0, runtime.max_cost - spent.cost - (unpriced or 0.0))
    return Left(
        None if runtime.max_requests is None else max(0, runtime.max_requests - spent.n_requests),
        None
        if runtime.max_tokens is None
        else max(0, runtime.max_tokens - n_prompt - n_completion),
        cost,
    )


def used_up(left: Left) -> list[str]:
    """Name the limits that nothing is left of."""
    limits = {"max_requests": left.n_requests, "max_tokens": left.n_tokens, "max_cost": left.cost}
    return [f"runtime.{name}" for name, rest in limits.items() if rest is not None and rest <= 0]


def beyond(expected: Amount, left: Left) -> list[str]:
    """Name the limits that an amount exceeds."""
    n_tokens = expected.n_prompt_tokens + (expected.n_completion_tokens or 0)
    found = []
    if left.n_requests is not None and expected.n_requests > left.n_requests:
        found.append("runtime.max_requests")
    if left.n_tokens is not None and n_tokens > left.n_tokens:
        found.append("runtime.max_tokens")
    if left.cost is not None and expected.cost is not None and expected.cost > left.cost:
        found.append("runtime.max_cost")
    return found
