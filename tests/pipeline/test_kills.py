"""The teacher stage, killed at random moments under the real DVC."""

from pathlib import Path

import pytest
from kills import CONCURRENCY, kill_often

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(600)]


def test_kills_cost_no_answer_that_reached_the_ledger(tmp_path: Path) -> None:
    """After kills of group, stage and dvc: no committed answer asked again, the same bytes."""
    seen = kill_often(tmp_path, n_kills=4, n_requests=60, delay_s=0.4, random_seed=3)
    assert seen.n_kills == 4
    assert seen.n_repeated_after_commit == 0
    assert 0 <= seen.n_repeated <= 4 * CONCURRENCY
    assert seen.equal
