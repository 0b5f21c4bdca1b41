"""Check all params, and that the pool holds enough iterations, before any work."""

from pathlib import Path

from llm2llm.exceptions import ParamsError
from llm2llm.files import write_json
from llm2llm.params.whole import problems
from llm2llm.stage import PARAMS, run


def main() -> None:
    """Fail in one message that lists every problem, or write a plan that never changes."""
    found = problems(PARAMS, Path("stages/pool.yaml"))
    if found:
        raise ParamsError("\n".join(found))
    # What this file says must not depend on `iterations`: all stages hang on it.
    write_json(Path("data/plan.json"), {"params": "checked"})


if __name__ == "__main__":
    run(main)
