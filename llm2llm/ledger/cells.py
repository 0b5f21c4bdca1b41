"""The rows that the pages of a SQLite file hold, read without SQLite."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from llm2llm.ledger.pages import HEADER, Pages

Value = None | int | float | str | bytes

# Kinds of a page of a table or an index; what holds rows, and what names further pages.
_INNER_INDEX, _INNER_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_KINDS = (_INNER_INDEX, _INNER_TABLE, _LEAF_INDEX, _LEAF_TABLE)
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class TornError(Exception):
    """A row cannot be read whole; `first` is its first column where that much is there."""

    def __init__(self, first: Value = None) -> None:
        super().__init__(first)
        self.first = first


@dataclass(frozen=True, slots=True)
class Row:
    """One row of some table, its values in the order of the file; `rowid` null without one."""

    rowid: int | None
    values: tuple[Value, ...]


def rows(pages: Pages) -> Iterator[Row | TornError]:
    """Yield all rows of all tables and indexes, in the order of the pages; torn ones too."""
    unused = pages.unused()
    for number in range(1, pages.count + 1):
        if number in unused:
            continue
        image = pages.image(number)
        header = _header(number, image)
        if image is None or header is None:
            continue
        kind, cells = header
        if kind == _INNER_TABLE:
            continue
        for at in cells:
            try:
                yield _row(pages, image, kind, at)
            except TornError as torn:
                yield torn


def lost_pages(pages: Pages, roots: set[int]) -> set[int]:
    """Name the pages that tables are known to have and that hold no readable cells."""
    named = set(roots)
    unused = pages.unused()
    for number in range(1, pages.count + 1):
        image = None if number in unused else pages.image(number)
        header = _header(number, image)
        if image is None or header is None or header[0] not in (_INNER_INDEX, _INNER_TABLE):
            continue
        start = _start(number)
        places = (*header[1], start + 8)
        named |= {_number(image, at) for at in places if at + 4 <= len(image)}
    return {number for number in named if _header(number, pages.image(number)) is None}


def _start(number: int) -> int:
    return HEADER if number == 1 else 0


def _header(number: int, image: bytes | None) -> tuple[int, tuple[int, ...]] | None:
    """Give a page's kind and where its cells begin; None where it holds none."""
    start = _start(number)
    if image is None or len(image) < start + 12 or image[start] not in _KINDS:
        return None
    kind = image[start]
    n_cells = int.from_bytes(image[start + 3 : start + 5], "big")
    first = start + (12 if kind in (_INNER_INDEX, _INNER_TABLE) else 8)
    if first + 2 * n_cells > len(image):
        return None
    return kind, struct.unpack_from(f">{n_cells}H", image, first)


def _row(pages: Pages, image: bytes, kind: int, at: int) -> Row:
    if kind == _INNER_INDEX:
        at += 4  # the page of what comes before this row
    n_bytes, at = _varint(image, at)
    rowid = None
    if kind == _LEAF_TABLE:
        rowid, at = _varint(image, at)
    if not 0 < n_bytes <= pages.count * pages.size:
        raise TornError
    n_local = _n_local(pages.size, n_bytes, kind)
    local = image[at : at + n_local]
    try:
        if len(local) < n_local:
            raise TornError
        rest = b""
        if n_local < n_bytes:
            rest = _overflow(pages, _number(image, at + n_local), n_bytes - n_local)
        return Row(rowid, tuple(_values(local + rest)))
    except TornError:
        raise TornError(_first(local)) from None


def _n_local(size: int, n_bytes: int, kind: int) -> int:
    """Count the bytes of a row that stand on its own page; the others overflow."""
    most = size - 35 if kind == _LEAF_TABLE else (size - 12) * 64 // 255 - 23
    if n_bytes <= most:
        return n_bytes
    least = (size - 12) * 32 // 255 - 23
    fitting = least + (n_bytes - least) % (size - 4)
    return fitting if fitting <= most else least


def _overflow(pages: Pages, number: int, n_bytes: int) -> bytes:
    found = bytearray()
    while len(found) < n_bytes:
        image = pages.image(number)
        if image is None or number in pages.torn:
            raise TornError
        part = image[4 : min(pages.size, 4 + n_bytes - len(found))]
        if not part:
            raise TornError
        found += part
        number = _number(image, 0)
    return bytes(found)


def _values(record: bytes) -> Iterator[Value]:
    n_header, at = _varint(record, 0)
    if n_header > len(record):
        raise TornError
    place = n_header
    while at < n_header:
        kind, at = _varint(record, at)
        n = _n_bytes(kind)
        if place + n > len(record):
            raise TornError
        yield _value(kind, record[place : place + n])
        place += n
    if at != n_header or place != len(record):
        raise TornError


def _first(record: bytes) -> Value:
    """Read the first column of a record that may be cut short."""
    try:
        n_header, at = _varint(record, 0)
        kind, _ = _varint(record, at)
        part = record[n_header : n_header + _n_bytes(kind)]
        return _value(kind, part) if len(part) == _n_bytes(kind) else None
    except TornError:
        return None


def _n_bytes(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    if kind in (10, 11):
        raise TornError
    return 8 if kind == 7 else _INTEGERS.get(kind, 0)


def _value(kind: int, part: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind == 7:
        return float(struct.unpack(">d", part)[0])
    if kind < 12:
        return int.from_bytes(part, "big", signed=True)
    if kind % 2 == 0:
        return part
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise TornError from None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(9):
        if at + n >= len(data):
            raise TornError
        byte = data[at + n]
        if n == 8:
            return (value << 8 | byte), at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    raise AssertionError


def _number(image: bytes, at: int) -> int:
    part = image[at : at + 4]
    if len(part) < 4:
        raise TornError
    return int.from_bytes(part, "big")
