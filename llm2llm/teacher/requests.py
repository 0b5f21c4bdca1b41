"""Requests made when they are looked at, so that a long round takes no memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llm2llm.teacher.protocol import TeacherRequest


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests `make(k)` for each k of `numbers`; the same k gives an equal request again."""

    numbers: Sequence[int]
    make: Callable[[int], TeacherRequest]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[TeacherRequest]:
        return map(self.make, self.numbers)

    def chunks(self, size: int) -> Iterator[list[tuple[int, TeacherRequest]]]:
        """Yield up to `size` numbers at a time, each with its request."""
        for start in range(0, len(self.numbers), size):
            yield [(k, self.make(k)) for k in self.numbers[start : start + size]]

    def only(self, numbers: Sequence[int]) -> "Requests":
        """Select some of them."""
        return Requests(numbers, self.make)
