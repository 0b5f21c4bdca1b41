"""A limit on requests in flight that gives way to an endpoint's complaints."""

import threading


class AdaptiveLimit:
    """At most `maximum` at once; halved at each complaint, raised by one per round of successes."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._n_in_flight = 0
        self._n_halvings = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many may be in flight now."""
        return int(self._limit)

    def enter(self) -> int:
        """Wait for a place; the ticket goes back to `leave`."""
        with self._changed:
            while self._n_in_flight >= self.limit:
                self._changed.wait()
            self._n_in_flight += 1
            return self._n_halvings

    def leave(self, ticket: int, *, complained: bool, succeeded: bool) -> None:
        """Give the place back and learn from what happened.

        Complaints about requests that began before the last halving say nothing new.
        """
        with self._changed:
            self._n_in_flight -= 1
            if complained and ticket == self._n_halvings:
                self._limit = max(1.0, self._limit / 2)
                self._n_halvings += 1
            elif succeeded:
                self._limit = min(float(self._maximum), self._limit + 1 / self._limit)
            self._changed.notify_all()
