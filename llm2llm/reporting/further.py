"""Read what the report shows besides the sets: loss curves, draws, test items, whole chains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm2llm.files import read_json, read_records
from llm2llm.lineage.finished import Finished
from llm2llm.lineage.history import checked
from llm2llm.lineage.run import Run
from llm2llm.records.samples import Sample
from llm2llm.records.split import SplitRow
from llm2llm.reporting.chains import Chain, chains
from llm2llm.reporting.losses import Curve, curve
from llm2llm.reporting.passing import PassRate, pass_rate


@dataclass(frozen=True, slots=True)
class Further:
    """One entry for each student in `curves` and `passes`, null where nothing was recorded."""

    tests: Mapping[str, SplitRow]
    curves: Sequence[Curve | None]
    passes: Sequence[PassRate | None]
    control_passed: PassRate | None
    chains: Sequence[Chain]


def read_further(root: Path, finished: Finished, n_chains: int) -> Further:
    """Read it; files of earlier iterations are checked against history.json first."""
    run = Run(root, finished.n_iterations)
    last = finished.n_iterations
    curves, passes = [], []
    for entry in finished.history.iterations:
        folder = f"data/iterations/{entry.iteration}"
        curves.append(_curve(checked(root, entry.files, f"{folder}/student/manifest.json")))
        # Samples are listed where some were drawn.
        drawn = f"{folder}/samples.parquet"
        passes.append(_passed(checked(root, entry.files, drawn)) if drawn in entry.files else None)
    curves.append(_curve(run.in_iteration(last, "student/manifest.json")))
    passes.append(_passed(run.in_iteration(last, "samples.parquet")))
    return Further(
        tests={row.example_id: row for row in read_records(run.split("test"), SplitRow)},
        curves=curves,
        passes=passes,
        control_passed=_passed(run.control().with_name("samples.parquet")),
        chains=chains(root, finished, n_chains),
    )


def _curve(manifest: Path) -> Curve | None:
    return curve(read_json(manifest), manifest)


def _passed(path: Path) -> PassRate | None:
    return pass_rate(read_records(path, Sample)) if path.exists() else None
