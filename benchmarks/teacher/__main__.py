"""Compare ways of getting many answers from one endpoint: `python benchmarks/teacher`.

A local server answers each request 0.2 s after it came. Ideal is the time that 64 requests at once
would take if nothing else cost time. The published code's way uses 10 threads, so its own ideal is
longer; it is measured with fewer requests, since its cost grows with their square.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LATENCY_S = 0.2
CONCURRENCY = 64


def run(way: str, url: str, n: int) -> dict[str, Any]:
    """Run one way in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "warm-up").mkdir()
        done = subprocess.run(
            [sys.executable, str(HERE / "ways.py"), way, url, str(n), folder],
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["answers"] != n:
        raise SystemExit(f"{way}: {found['answers']} of {n} answers")
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, str(HERE / "slow_server.py"), "--latency", str(LATENCY_S)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        print("way       requests  seconds  of ideal  CPU ms/request  peak MB")
        for n in given.sizes:
            ways = ["llm2llm", "client"] + (["naive"] if n <= 2000 else [])
            for way in ways * given.repeats:
                found = run(way, url, n)
                ideal = n / CONCURRENCY * LATENCY_S
                print(
                    f"{way:9} {n:8} {found['seconds']:8.2f} {found['seconds'] / ideal:9.2f}"
                    f" {1000 * found['cpu_s'] / n:15.2f} {found['peak_mb']:8.0f}",
                    flush=True,
                )
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
