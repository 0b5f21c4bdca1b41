"""The loss curve: means of the updates' losses, wherever a training was cut."""

import json
import math
from pathlib import Path

import pytest
from tiny_student import a_training, make_base, train

from llm2llm.student.losses import curve, folded, updates_per_point
from llm2llm.student.training import train_student

LINES = [{"step": step, "loss": 1 / step, "epoch": 0.1} for step in range(1, 13)]


@pytest.mark.parametrize(
    ("n_updates", "every"), [(1, 5), (150, 5), (500, 5), (501, 6), (9999, 100)]
)
def test_a_curve_has_a_hundred_points_at_most(n_updates: int, every: int) -> None:
    """Short trainings have a point for five updates, longer ones coarser points."""
    assert updates_per_point(n_updates) == every
    assert math.ceil(n_updates / every) <= 100


def test_a_point_is_the_mean_of_its_updates() -> None:
    """The last point may have fewer; lines without a loss are no part of it."""
    points = curve([*LINES, {"step": 12, "train_loss": 9.0}], 5)
    means = [sum(1 / n for n in range(a, b)) / (b - a) for a, b in ((1, 6), (6, 11), (11, 13))]
    assert [point["update"] for point in points] == [5, 10, 12]
    assert [point["loss"] for point in points] == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("cut", [0, 5, 10])
def test_folding_on_the_way_changes_no_point(cut: int) -> None:
    """A history folded after any full point gives the curve of all its lines."""
    assert curve([*folded(LINES[:cut], 5), *LINES[cut:]], 5) == curve(LINES, 5)


def test_training_states_change_no_point(tmp_path: Path) -> None:
    """However often states are kept, the manifest has the same curve, in order of updates."""
    base = make_base(tmp_path / "base")
    training = a_training(base)
    often = json.loads((train(training, tmp_path / "often") / "manifest.json").read_text())
    seen: list[float] = []
    never = train_student(
        training,
        store=tmp_path / "never",
        checkpoint_every_steps=1000,
        on_wait=lambda _: None,
        on_progress=lambda at: seen.append(at.n_new_tokens),
        use=lambda _: None,
    )
    written = json.loads((never / "manifest.json").read_text())
    assert written["losses"] == often["losses"]
    assert [point["update"] for point in written["losses"]] == [5, 10, 15, 16]
    assert written["losses"][0]["loss"] > written["losses"][-1]["loss"] > 0
    # Four epochs, and every token of an epoch is counted in one of its updates.
    assert seen[0] == 0
    assert seen[-1] == 4 * written["counts"]["tokens"]
