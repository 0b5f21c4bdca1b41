"""What `sets.exclude` takes out of what screening kept, and of the seeds."""

import pytest
from finished_run import make_run

from llm2llm.files import read_json, read_records
from llm2llm.params.exclude import Exclusion
from llm2llm.params.subsample import SubsampleParams
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.screening import Screened
from llm2llm.subsampling import subsample
from llm2llm.withdrawing import withdraw


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Screened, list[Response]]:
    """Read what screening made of the first iteration of a made-up run."""
    folder = make_run(tmp_path_factory.mktemp("run")).root / "data/iterations/0"
    found = Screened(
        read_records(folder / "screened/kept.parquet", Kept),
        read_records(folder / "screened/rejected.parquet", Rejected),
        read_json(folder / "screened/certificate.json"),
    )
    return found, read_records(folder / "responses.parquet", Response)


def test_without_entries_nothing_changes(screened: tuple[Screened, list[Response]]) -> None:
    """Neither no entry nor one that fits nothing changes a byte of what is written."""
    found, responses = screened
    assert withdraw(found, responses, []) is found
    other = Exclusion(seed="ex-0000000000000000", reason="x")
    assert withdraw(found, responses, [other]) is found


@pytest.mark.parametrize("kind", ["seed", "example", "prompt", "teacher", "test_item"])
def test_what_is_withdrawn_is_rejected_with_the_reason(
    screened: tuple[Screened, list[Response]], kind: str
) -> None:
    """It moves from kept to rejected, in request order, and the certificate counts it so."""
    found, responses = screened
    row = found.kept[1]
    names = {
        "seed": row.seed_id,
        "example": row.example_id,
        "prompt": responses[0].prompt_sha256,
        "teacher": responses[0].teacher,
        "test_item": row.nearest_test_id,
    }
    entry = Exclusion.model_validate({kind: names[kind], "reason": "late"})
    after = withdraw(found, responses, [entry])
    gone = [each for each in found.kept if each not in after.kept]
    assert row in gone
    assert len(gone) == (2 if kind in ("prompt", "teacher") else 1)
    new = [each for each in after.rejected if each.gate == "withdrawn"]
    assert [each.input for each in new] == [each.input for each in gone]
    assert {each.reason for each in new} == {f"{entry.told}: late"}
    order = [response.request_id for response in responses]
    places = [order.index(each.request_id) for each in after.rejected]
    assert places == sorted(places)
    counts = after.certificate["counts"]
    assert counts["kept"] == len(after.kept)
    assert counts["rejected_by_gate"]["withdrawn"] == len(gone)
    assert counts["candidates"] == counts["kept"] + counts["rejected_candidates"]


def test_a_withdrawn_candidate_keeps_its_place_in_its_response(
    screened: tuple[Screened, list[Response]],
) -> None:
    """Places are those that its rejected siblings leave, so that none is named twice."""
    found, responses = screened
    entry = Exclusion(example=found.kept[1].example_id, reason="late")
    after = withdraw(found, responses, [entry])
    places = [(row.request_id, row.position) for row in after.rejected]
    assert len(set(places)) == len(places)
    assert (found.kept[1].request_id, 0) in places


def test_a_score_bound_spares_what_is_farther(
    screened: tuple[Screened, list[Response]],
) -> None:
    """A test item takes only examples with at least that score."""
    found, responses = screened
    row = found.kept[1]
    for above, n_left in ((0.44, 1), (0.45, 2)):
        entry = Exclusion(test_item=row.nearest_test_id, above=above, reason="x")
        assert len(withdraw(found, responses, [entry]).kept) == n_left


def test_a_withdrawn_seed_leaves_the_other_seeds_as_they_were() -> None:
    """It is left out after the draw, counted, and no row that is left calibrates a gate."""
    train = [SplitRow(f"ex-{n}", f"Question {n}", str(n), str(n), n) for n in range(20)]
    params = SubsampleParams(
        train="t", test="t", dev="d", n_seeds=6, rate=None, duplicates="fail", drop_leaked=True
    )
    before = subsample(train, [], [], params, 1)
    gone = {before.seed[2].example_id, before.rest[3].example_id}
    after = subsample(train, [], [], params, 1, gone)
    assert after.seed == [row for row in before.seed if row.example_id not in gone]
    assert after.rest == [row for row in before.rest if row.example_id not in gone]
    assert after.report["withdrawn"] == 2
    assert "withdrawn" not in before.report
