"""The pages of a SQLite file that SQLite itself may refuse: main file and write-ahead log."""

import mmap
import struct
from collections.abc import Iterator

Bytes = bytes | mmap.mmap

# https://www.sqlite.org/fileformat2.html names every number here.
MAGIC = b"SQLite format 3\0"
HEADER = 100
_DEFAULT_SIZE = 4096
_WAL_HEADER = 32
_FRAME_HEADER = 24
_WAL_MAGIC = (0x377F0682, 0x377F0683)


class Pages:
    """Pages by number from 1, each in its newest committed version that is whole.

    `missing` counts pages that the header promises and no file holds; `torn` names those whose
    newest version in the log fails its checksum, `n_torn` counts all versions that do: SQLite
    passes over everything that comes after one, without a word.
    """

    def __init__(self, main: Bytes, log: bytes) -> None:
        self._main = main
        self.size = _page_size(main, log)
        self._newer: dict[int, bytes] = {}
        self.torn: set[int] = set()
        self.n_torn = 0
        for number, image in _committed(log, self.size):
            if image is None:
                self.torn.add(number)
                self.n_torn += 1
            else:
                self.torn.discard(number)
                self._newer[number] = image
        n_main = -(-len(main) // self.size)
        self.count = max([n_main, *self._newer])
        # A file cut in the middle of a page holds some of its cells still.
        self.missing = max(0, self._promised() - self.count) + (len(main) % self.size > 0)

    def image(self, number: int) -> bytes | None:
        """Give a page, short where the file ends in it; None where there is none."""
        if number in self._newer:
            return self._newer[number]
        if not 1 <= number <= self.count:
            return None
        return bytes(self._main[(number - 1) * self.size : number * self.size]) or None

    def unused(self) -> set[int]:
        """Name the pages of the free list, which may hold rows that were removed."""
        first = self.image(1)
        found: set[int] = set()
        if first is None or not first.startswith(MAGIC):
            return found
        trunk = int.from_bytes(first[32:36], "big")
        while trunk and trunk not in found:
            image = self.image(trunk)
            if image is None or len(image) < self.size:
                break
            found.add(trunk)
            following, n_leaves = struct.unpack_from(">II", image)
            n_leaves = min(n_leaves, self.size // 4 - 2)
            found |= set(struct.unpack_from(f">{n_leaves}I", image, 8))
            trunk = following
        return found

    def _promised(self) -> int:
        first = self.image(1)
        if first is None or not first.startswith(MAGIC):
            return 0
        count, changed = (int.from_bytes(first[at : at + 4], "big") for at in (28, 24))
        # The count is valid only where both counters of changes agree.
        return count if int.from_bytes(first[92:96], "big") == changed else 0


def new_header(size: int) -> bytes:
    """Write the header of a file of UTF-8 texts whose number of pages its length tells."""
    head = MAGIC + (size & 0xFFFF or 1).to_bytes(2, "big") + bytes([2, 2, 0, 64, 32, 32])
    # Schema format 4 and encoding 1; counters, free list and versions are zero.
    fields = {44: 4, 56: 1}
    rest = b"".join(fields.get(at, 0).to_bytes(4, "big") for at in range(len(head), HEADER, 4))
    return head + rest


def _page_size(main: Bytes, log: bytes) -> int:
    sizes = []
    if main[:16] == MAGIC and len(main) >= 18:
        sizes.append(int.from_bytes(main[16:18], "big"))
    if int.from_bytes(log[:4], "big") in _WAL_MAGIC and len(log) >= 12:
        sizes.append(int.from_bytes(log[8:12], "big"))
    sizes = [65536 if size == 1 else size for size in sizes]
    return next((s for s in sizes if 512 <= s <= 65536 and s & (s - 1) == 0), _DEFAULT_SIZE)


def _committed(log: bytes, size: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the frames of a log up to the last commit, oldest first; None is a torn page.

    Each checksum goes on from the one before, so frames after a torn one can be told whole.
    """
    if len(log) < _WAL_HEADER or int.from_bytes(log[:4], "big") not in _WAL_MAGIC:
        return
    order = ">" if int.from_bytes(log[:4], "big") & 1 else "<"
    salts = log[16:24]
    frames: list[tuple[int, bytes | None]] = []
    n_committed = 0
    before = struct.unpack_from(">II", log, 24)
    for at in range(_WAL_HEADER, len(log) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        head = log[at : at + _FRAME_HEADER]
        image = bytes(log[at + _FRAME_HEADER : at + _FRAME_HEADER + size])
        number, n_pages = struct.unpack_from(">II", head)
        if head[8:16] != salts or number == 0:
            break  # what an earlier use of the log left
        stored = struct.unpack_from(">II", head, 16)
        whole = _checksum(head[:8] + image, before, order) == stored
        frames.append((number, image if whole else None))
        if whole and n_pages:
            n_committed = len(frames)
        before = stored
    yield from frames[:n_committed]


def _checksum(data: bytes, before: tuple[int, ...], order: str) -> tuple[int, int]:
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for left, right in zip(words[::2], words[1::2], strict=True):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return first, second
