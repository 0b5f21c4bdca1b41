"""Independent random streams, derived from one number and a name."""

import hashlib
import random


def derive(random_seed: int, *names: str | int) -> int:
    """Derive a 63-bit number that differs for every `random_seed` and sequence of names."""
    text = "\x1f".join([str(random_seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(random_seed: int, *names: str | int) -> random.Random:
    """Make a generator of its own for what `names` says it is used for."""
    return random.Random(derive(random_seed, *names))
