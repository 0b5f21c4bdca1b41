"""Which library multiplies matrices while the embedded model is pretrained."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fast_products() -> Iterator[None]:
    """Let oneDNN multiply fp32 matrices, which torch does only where that may round to bf16.

    oneDNN rounds on CPUs with AMX. On others the products stay in fp32, and where MKL is slow they
    take half the time (measured on AMD Zen 5, one thread: 220 instead of 105 GFLOP/s).
    """
    import torch

    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before
