"""Short mails about orders, each with what can be read out of it: rows for extraction tasks.

`python tests/order_mails.py FILE [N [RANDOM_SEED]]` writes 120 of them, or N, as CSV with a
column for each field.
"""

import csv
import datetime
import random
import sys
from pathlib import Path
from typing import Any

GOODS = [
    *("lamps", "chairs", "clocks", "kettles", "desks", "mirrors", "rugs", "shelves"),
    *("stools", "vases", "trays", "baskets", "candles", "frames"),
]
MAILS = [
    "please send {n} {goods} under order {order} by {day}, {amount} euros in all",
    "order {order}: {n} {goods}, due {day}, total {amount} euros",
    "we need {n} {goods} on {day}. the order is {order} and the price {amount} euros",
    "our order {order} of {n} {goods} for {amount} euros has to be here on {day}",
]
UNDATED = [
    "please send {n} {goods} under order {order}, {amount} euros in all",
    "order {order} was for {n} {goods} at {amount} euros. any day will do",
]
FIELDS = ("order", "goods", "amount", "due")


def order_mail(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """Write a mail, and its fields; one mail in six names no day."""
    due = datetime.date(2024, 1, 1) + datetime.timedelta(days=rng.randrange(365))
    order = f"{rng.choice('ABCDEF')}{rng.randint(10, 99)}"
    goods, amount = rng.choice(GOODS), rng.randint(2, 99) * 10
    mail = rng.choice(UNDATED if rng.random() < 1 / 6 else MAILS)
    text = mail.format(n=rng.randint(2, 9), goods=goods, order=order, day=due, amount=amount)
    fields = {"order": order, "goods": goods, "amount": amount}
    return text, fields | ({"due": due.isoformat()} if str(due) in text else {})


def order_mails(n: int, random_seed: int = 1) -> list[tuple[str, dict[str, Any]]]:
    """Write so many different mails."""
    rng = random.Random(random_seed)
    found: dict[str, dict[str, Any]] = {}
    while len(found) < n:
        text, fields = order_mail(rng)
        found.setdefault(text, fields)
    return list(found.items())


def write_mails(path: Path, n: int = 120, random_seed: int = 1) -> None:
    """Write a CSV of mails with a column for each field."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["mail", *FIELDS])
        for text, fields in order_mails(n, random_seed):
            writer.writerow([text, *(fields.get(name, "") for name in FIELDS)])


if __name__ == "__main__":
    write_mails(Path(sys.argv[1]), *map(int, sys.argv[2:]))
