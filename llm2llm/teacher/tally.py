"""Where a round of requests stands: counts, tokens, money, time."""

from dataclasses import dataclass

from llm2llm.ledger.database import Entry


@dataclass(slots=True)
class Tally:
    """Counts of one round; `n_known` were in the ledger, `n_lost` stay without an outcome.

    `cost` is that of the answers of this round, null once one of them is unknown. Times are
    seconds of any clock.
    """

    n_total: int
    n_known: int = 0
    n_answered: int = 0
    n_failed: int = 0
    n_lost: int = 0
    n_in_flight: int = 0
    n_tokens: int = 0
    cost: float | None = 0.0
    begun_s: float = 0.0

    @property
    def n_done(self) -> int:
        """How many requests have an outcome."""
        return self.n_known + self.n_answered + self.n_failed

    def add(self, entry: Entry) -> None:
        """Count an outcome that came just now."""
        if entry.status == "answered":
            self.n_answered += 1
        else:
            self.n_failed += 1
        self.n_tokens += (entry.n_prompt_tokens or 0) + (entry.n_completion_tokens or 0)
        if self.cost is not None and entry.status == "answered":
            self.cost = None if entry.cost is None else self.cost + entry.cost
        elif self.cost is not None:
            self.cost += entry.cost or 0.0

    def note(self, now_s: float) -> str:
        """Say in one line what the count alone does not: `2 failed, 8 in flight, 3.1/s, ...`."""
        n_new = self.n_answered + self.n_failed
        n_left = self.n_total - self.n_done - self.n_lost
        parts = [f"{self.n_failed} failed", f"{self.n_in_flight} in flight"]
        if self.n_lost:
            parts.append(f"{self.n_lost} without an answer")
        elapsed = now_s - self.begun_s
        rate = n_new / elapsed if elapsed > 0 else 0.0
        if n_new:
            parts.append(f"{rate:.1f}/s")
        if self.n_tokens:
            parts.append(f"{self.n_tokens:,} tokens")
        if self.cost is None:
            parts.append("cost unknown")
        elif self.cost:
            projected = self.cost * (n_new + n_left) / n_new if n_new else self.cost
            parts.append(f"cost {self.cost:.4f}, about {projected:.4f} in all")
        if rate and n_left:
            parts.append(f"{n_left / rate:.0f} s left")
        return ", ".join(parts)
