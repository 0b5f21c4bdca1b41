"""`llm2llm ledger`: what it shows, takes out and brings in."""

import contextlib
import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_rows import CREATED, content, failed, fill, row, under_way
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.exceptions import DataError, MachineError, ParamsError
from llm2llm.files import as_json, read_records, schema_of, write_records
from llm2llm.ids import canonical_json
from llm2llm.ledger.database import Entry, Ledger
from llm2llm.ledger.exporting import export
from llm2llm.ledger.importing import bring
from llm2llm.ledger.locks import holders, locks
from llm2llm.ledger.reading import reading
from llm2llm.records.responses import NO_ANSWER, Response

ROWS = [
    *(row(n) for n in range(5)),
    row(5, cost=None),
    row(6, n_prompt_tokens=None, cost=None, created="2026-11-24T00:00:00.000+00:00"),
    failed(7, "content policy (answer filtered)"),
    failed(8, "content policy (prompt)"),
    failed(9, "declined: no"),
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder; give the place of its ledger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path / ".llm2llm"


def call(*arguments: object) -> str:
    """Call a command that succeeds; give its standard output."""
    result = CliRunner().invoke(app, ["ledger", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def loaded(*arguments: object) -> Any:
    """Call a command that succeeds with --json; give what it printed."""
    return json.loads(call(*arguments, "--json"))


def refused(*files: object) -> str:
    """Import files of which at least one is bad; give what is told."""
    result = CliRunner().invoke(app, ["ledger", "import", *map(str, files)])
    assert result.exit_code == DataError.exit_code, result.output
    return result.stderr


# --------------------------------------------------------------------------------------- status


def test_no_ledger_is_said_and_made_by_nobody(store: Path) -> None:
    """Without a ledger the counts are zero, the exit code is too, and no file appears."""
    Path("params.yaml").touch()
    assert "no ledger yet" in call("status")
    found = loaded("status")
    assert (found["exists"], found["total"]["n"], found["charges"]["n"]) == (False, 0, 0)
    assert not store.exists()


def test_outside_of_a_project_no_ledger_is_looked_for(store: Path) -> None:
    """Where there is neither a ledger nor params.yaml the folder is the wrong one."""
    result = CliRunner().invoke(app, ["ledger", "status"])
    assert isinstance(result.exception, ParamsError)
    assert "so no project is here" in str(result.exception)
    assert not store.exists()


def test_status_counts_everything_apart(store: Path) -> None:
    """Counts by backend, model and status; unknown costs, charges and failures each apart."""
    fill(store, ROWS, n_charges=2)
    found = loaded("status")
    assert found["format"] == 2
    assert found["damage"] == []
    assert found["total"] == {
        "n": 10,
        "n_attempts": 20,
        "n_prompt_tokens": 90,
        "n_completion_tokens": 50,
        "n_tokens_unknown": 1,
        "cost": 0.5 * 2 + 2.0 * 3,
        "n_cost_unknown": 5,
    }
    groups = [(g["backend"], g["model"], g["status"], g["total"]["n"]) for g in found["groups"]]
    assert groups == [("openai", "m-1", "answered", 7), ("openai", "m-1", "failed", 3)]
    assert found["groups"][1]["total"]["cost"] is None
    assert found["failures"] == [
        {"reason": "content policy", "n": 2},
        {"reason": "declined", "n": 1},
    ]
    assert (found["charges"]["n"], found["charges"]["cost"]) == (2, 6.0)
    assert (found["first"], found["last"]) == (CREATED, "2026-11-24T00:00:00.000+00:00")
    assert found["size_bytes"] >= 4096
    text = call("status")
    assert "whole: yes" in text
    assert "no answer, in no sum above" in text


def test_status_counts_batches_under_way_by_endpoint(store: Path) -> None:
    """Open batches and the requests that they owe are shown; finished ones are not."""
    fill(store, ROWS)
    assert loaded("status")["batches"] == []
    assert "Batches under way" not in call("status")
    names = ["rq-" + digit * 64 for digit in "12345"]
    under_way(store, "http://a/v1", names[:2], batch_id="batch_1")
    under_way(store, "http://a/v1", names[2:3])
    under_way(store, "http://b/v1", names[3:4], batch_id="batch_2")
    under_way(store, "http://c/v1", [], batch_id="batch_3", is_done=True)
    assert loaded("status")["batches"] == [
        {"endpoint": "http://a/v1", "n_batches": 2, "n_requests": 3},
        {"endpoint": "http://b/v1", "n_batches": 1, "n_requests": 1},
    ]
    text = call("status")
    assert "Batches under way at a provider" in text and "http://a/v1" in text
    with (store / "ledger.sqlite").open("r+b") as stream:
        stream.write(b"\xff" * 50)
    assert loaded("status")["batches"] is None


def test_salvage_tells_of_batches_that_it_could_not_save(store: Path) -> None:
    """Without the first page it says so in words and in JSON, with the batches that it found."""
    fill(store, ROWS)
    under_way(store, "http://a/v1", ["rq-" + "1" * 64], batch_id="batch_1")
    data = (store / "ledger.sqlite").read_bytes()
    (store / "ledger.sqlite").write_bytes(bytes(4096) + data[4096:])
    text = call("salvage")
    assert "further tables could not be read" in text
    assert "batches may be under way at the provider" in text and "batch_1" in text
    assert "look there first" in text
    (store / "ledger.sqlite").write_bytes(bytes(4096) + data[4096:])
    done = loaded("salvage")
    assert (done["others_read"], done["batches_lost"], done["n_owed_lost"]) == (
        False,
        ["batch_1"],
        1,
    )


def test_status_sees_a_run_that_writes(store: Path) -> None:
    """What another process has committed is counted, and the requests it holds are named."""
    code = (
        "import sys; from pathlib import Path; from ledger_rows import row\n"
        "from llm2llm.ledger.database import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1])); ledger.put(row(1))\n"
        "ledger.claim(row(2).request_id); ledger.claim(row(3).request_id)\n"
        "ledger._writer.execute('BEGIN IMMEDIATE')\n"
        "print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        found = loaded("status")
        assert found["in_flight"] == [process.pid] * 2
        assert f"2 (process {process.pid})" in call("status")
        process.kill()
    assert found["total"]["n"] == 1
    assert loaded("status")["in_flight"] == []


def test_status_counts_the_claims_of_its_own_process(store: Path) -> None:
    """Looking at the claims takes none and frees none."""
    ledger = Ledger(store)
    assert ledger.claim(row(1).request_id)
    assert loaded("status")["in_flight"] == [os.getpid()]
    assert loaded("status")["in_flight"] == [os.getpid()]
    ledger.release(row(1).request_id)
    assert loaded("status")["in_flight"] == []
    ledger.close()


def test_locks_are_found_in_any_order(tmp_path: Path) -> None:
    """Every locked byte of another process is seen once, with who holds it."""
    path = tmp_path / "file"
    path.touch()
    code = (
        "import fcntl, os, sys\n"
        "d = os.open(sys.argv[1], os.O_RDWR)\n"
        "[fcntl.lockf(d, fcntl.LOCK_EX, 1, at) for at in (90, 5, 2**60, 40)]\n"
        "print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        descriptor = os.open(path, os.O_RDONLY)
        assert sorted(lock.first for lock in locks(descriptor)) == [5, 40, 90, 2**60]
        assert sorted(lock.first for lock in locks(descriptor, 41)) == [90, 2**60]
        os.close(descriptor)
        assert holders(path) == [process.pid]
        process.communicate()
    assert holders(path) == []
    assert holders(tmp_path / "none") == []


def test_status_tells_a_damaged_ledger(store: Path) -> None:
    """What SQLite finds wrong is shown with the command that helps; counts are unknown."""
    fill(store, [row(n) for n in range(60)])
    path = store / "ledger.sqlite"
    data = bytearray(path.read_bytes())
    data[5 * 4096 : 7 * 4096] = b"\xa5" * 8192
    path.write_bytes(data)
    found = loaded("status")
    assert found["damage"]
    assert found["total"] is None
    assert "next: llm2llm ledger salvage" in call("status")
    salvaged = loaded("salvage")
    assert salvaged["kept_as"] == "ledger.sqlite.damaged-1"
    assert loaded("status")["total"]["n"] == salvaged["n_saved"] > 40
    assert "is whole" in call("salvage")


def test_salvage_is_told_in_words(store: Path) -> None:
    """A person reads what was saved, what is lost, and where the damaged file is."""
    fill(store, [row(n) for n in range(60)], n_charges=1)
    with (store / "ledger.sqlite").open("r+b") as stream:
        stream.write(b"\0" * 64)
    text = call("salvage")
    assert "the damaged one is ledger.sqlite.damaged-1 beside it" in text
    assert "requests saved: 60" in text
    assert "paid again" in text


@pytest.mark.parametrize("command", [["status"], ["salvage"], ["export", "a.jsonl"]])
def test_a_newer_ledger_is_refused(store: Path, command: list[str]) -> None:
    """No command reads a format that it does not know."""
    store.mkdir()
    with contextlib.closing(sqlite3.connect(store / "ledger.sqlite")) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(MachineError, match="format 99, expected at most 2"):
        call(*command)


# ------------------------------------------------------------------------------- format 1 to 2


def counts(ledger: Ledger) -> tuple[int, int, int, int]:
    """Give what counts as spent: requests, tokens of both kinds, answers without a count."""
    spent = ledger.spent([])
    return spent.n_requests, spent.n_prompt_tokens, spent.n_completion_tokens, spent.n_unknown


def test_a_ledger_of_format_1_keeps_its_rows(store: Path) -> None:
    """Opening a ledger that has no tables of charges and marks adds them and loses nothing."""
    fill(store, ROWS)
    with contextlib.closing(sqlite3.connect(store / "ledger.sqlite")) as old:
        old.executescript("DROP TABLE charges; DROP TABLE imported; PRAGMA user_version = 1")
    assert loaded("status")["format"] == 1
    assert loaded("status")["total"]["n"] == 10
    assert loaded("export", "old.jsonl")["n_rows"] == 10
    assert content(store) == {one.request_id: one for one in ROWS}
    ledger = Ledger(store)
    assert counts(ledger) == (10, 90, 50, 1)
    ledger.close()
    assert loaded("status")["format"] == 2


# --------------------------------------------------------------------------------------- export


@pytest.mark.parametrize("name", ["all.parquet", "all.jsonl"])
def test_an_export_goes_into_another_project_and_is_no_spending(
    store: Path, tmp_path: Path, name: str
) -> None:
    """Every row comes back as it was, cost included; the other project has spent nothing."""
    fill(store, ROWS, n_charges=1)
    assert loaded("export", tmp_path / name) == {
        "file": str(tmp_path / name),
        "n_rows": 10,
        "n_judged": 0,
    }
    (tmp_path / "other").mkdir()
    os.chdir(tmp_path / "other")
    found = loaded("import", tmp_path / name)["files"]
    assert [(f["n_added"], f["n_known"], f["differing"]) for f in found] == [(10, 0, [])]
    other = tmp_path / "other/.llm2llm"
    assert content(other) == {one.request_id: one for one in ROWS}
    ledger = Ledger(other)
    assert counts(ledger) == (0, 0, 0, 0)
    ledger.put(row(100))
    assert counts(ledger) == (1, 10, 5, 0)
    ledger.close()
    assert loaded("status")["n_imported"] == 10
    assert "10 of them imported: no spending" in call("status")


def test_an_export_has_the_schema_of_the_entry(store: Path) -> None:
    """A Parquet export reads as Entry records; rows stand in the order of their ids."""
    fill(store, ROWS)
    call("export", "all.parquet")
    assert pq.read_schema("all.parquet").equals(schema_of(Entry))
    rows = read_records(Path("all.parquet"), Entry)
    assert rows == sorted(ROWS, key=lambda one: one.request_id)


@pytest.mark.parametrize(
    ("options", "n"),
    [
        (["--backend", "openai"], 10),
        (["--backend", "symbolic"], 0),
        (["--since", "2026-11-23"], 1),
        (["--since", "2026-11-24T01:00:00+01:00"], 1),
        (["--since", "2026-11-24T00:00:01"], 0),
    ],
)
def test_an_export_can_be_a_part(store: Path, options: list[str], n: int) -> None:
    """Rows are chosen by backend and by the time at which they came."""
    fill(store, ROWS)
    assert loaded("export", "some.jsonl", *options)["n_rows"] == n
    assert len(Path("some.jsonl").read_text(encoding="utf-8").splitlines()) == n


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["all.csv"], r"found the suffix \.csv, expected \.parquet or \.jsonl"),
        (["all"], r"found the suffix \(none\)"),
        (["a.jsonl", "--since", "yesterday"], "found 'yesterday', expected a day or time"),
    ],
)
def test_an_export_that_cannot_be_is_refused(
    store: Path, arguments: list[str], message: str
) -> None:
    """A suffix or a day that means nothing is told, and no file is left."""
    fill(store, ROWS[:1])
    with pytest.raises((DataError, ParamsError), match=message):
        call("export", *arguments)
    assert [path.name for path in Path().iterdir()] == [".llm2llm"]


def test_nothing_to_export_is_told(store: Path) -> None:
    """Without a ledger there is no empty file but a message."""
    with pytest.raises(MachineError, match="no such file"):
        call("export", "all.jsonl")
    assert not Path("all.jsonl").exists()


# --------------------------------------------------------------------------------------- import


def response(entry: Entry, **changes: Any) -> Response:
    """Make the row of responses.parquet that a ledger entry leads to."""
    made = Response(
        request_id=entry.request_id,
        seed_id=entry.seed_id,
        iteration=0,
        purpose="write",
        about=None,
        draw=entry.draw,
        status=entry.status,
        text=entry.text,
        finish_reason=entry.finish_reason,
        failure=entry.failure,
        request=entry.request,
        prompt_sha256="ab" * 32,
        teacher=entry.teacher,
        n_prompt_tokens=entry.n_prompt_tokens,
        n_completion_tokens=entry.n_completion_tokens,
    )
    return dataclasses.replace(made, **changes)


def test_the_responses_of_an_earlier_run_are_taken(store: Path) -> None:
    """Answers and failures come in; a request left without an outcome is passed over, counted."""
    nothing = response(failed(3, NO_ANSWER))
    rows = [response(row(1)), response(failed(2, "content policy")), nothing]
    write_records(Path("responses.parquet"), Response, rows)
    (found,) = loaded("import", "responses.parquet")["files"]
    assert (found["n_added"], found["n_no_outcome"]) == (2, 1)
    kept = content(store)
    assert kept.keys() == {row(1).request_id, failed(2, "").request_id}
    one = kept[row(1).request_id]
    assert (one.text, one.backend, one.raw, one.cost) == (row(1).text, "openai", None, None)
    assert (one.n_prompt_tokens, one.seed_id, one.draw) == (10, "ex-1", 1)


def test_another_ledger_is_taken(store: Path, tmp_path: Path) -> None:
    """A ledger file is read as it stands, what only its log holds included, and not written to."""
    fill(tmp_path / "other", ROWS[:5], n_charges=2)
    other = Ledger(tmp_path / "other")
    other.put(ROWS[5])
    path = tmp_path / "other/ledger.sqlite"
    before = path.read_bytes()
    (found,) = loaded("import", path)["files"]
    assert found["n_added"] == 6
    assert path.read_bytes() == before
    other.close()
    assert loaded("status")["charges"]["n"] == 0


def test_what_is_there_stays(store: Path) -> None:
    """A known request keeps its answer; one with another answer is named."""
    fill(store, [row(1), row(2)])
    other = row(2, text="another text")
    lines = [row(1), other, row(3), other]
    text = "".join(json.dumps(as_json(one)) + "\n" for one in lines)
    Path("a.jsonl").write_text(text, encoding="utf-8")
    (found,) = loaded("import", "a.jsonl")["files"]
    assert (found["n_added"], found["n_known"]) == (1, 1)
    assert found["differing"] == [other.request_id] * 2
    assert content(store)[other.request_id] == row(2)
    assert "with another answer, which stays" in call("import", "a.jsonl")
    ledger = Ledger(store)
    assert ledger.spent([]).n_requests == 2
    ledger.close()


CHANGED = [
    ({"request": row(1).request + " "}, "is not the hash of its request"),
    ({"request": "no json"}, "field request: not the JSON of a request that names its teacher"),
    ({"request": "[1]"}, "field request: not the JSON"),
    ({"request_id": "rq-1"}, "rq-1 is not the hash"),
    ({"text": None}, "status 'answered' with no text and no failure"),
    ({"failure": "why"}, "with a text and a failure"),
    ({"status": "lost"}, "status 'lost'"),
    ({"draw": -1}, "field draw: found -1, expected 0 or more"),
    ({"cost": -0.5}, "field cost: found -0.5"),
    ({"cost": float("nan")}, "field cost: found nan"),
    ({"n_attempts": 2**70}, "field n_attempts: found 1180591620717411303424"),
    ({"created": "soon"}, "field created: found 'soon', expected a time"),
    ({"backend": "symbolic"}, "field backend: found 'symbolic', expected 'openai'"),
    ({"text": 5}, "field text: found int, expected str or null"),
    ({"draw": True}, "field draw: found bool, expected int"),
    ({"draw": None}, "field draw: found NoneType, expected int"),
    ({"key": "sk-1"}, "expected the fields request_id, seed_id"),
    ({"teacher": "\ud800"}, "is not the hash"),
]


@pytest.mark.parametrize(("changes", "message"), CHANGED, ids=lambda value: str(value)[:30])
def test_one_bad_row_keeps_its_whole_file_out(
    store: Path, changes: dict[str, Any], message: str
) -> None:
    """A row that does not hold is named by its line, and no other row of the file comes in."""
    lines = [as_json(row(0)), as_json(row(1)) | changes, as_json(row(2))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    Path("bad.jsonl").write_text(text, encoding="utf-8")
    fill(store, [row(9)])
    told = refused("bad.jsonl")
    assert "error: bad.jsonl:2" in told
    assert message in told
    assert content(store).keys() == {row(9).request_id}


def test_a_bad_row_of_a_parquet_file_is_named(store: Path) -> None:
    """In a Parquet file rows count from 1."""
    bad = dataclasses.replace(row(1), request=row(2).request)
    write_records(Path("bad.parquet"), Entry, [row(0), bad])
    assert "bad.parquet: row 2" in refused("bad.parquet")
    assert content(store) == {}


def test_the_good_files_beside_a_bad_one_are_taken(store: Path) -> None:
    """Each file stands for itself; the exit code tells that one failed."""
    write_records(Path("good.parquet"), Entry, [row(1)])
    Path("bad.jsonl").write_text("{", encoding="utf-8")
    arguments = ["ledger", "import", "bad.jsonl", "good.parquet", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == DataError.exit_code
    found = json.loads(result.stdout)
    assert [each["n_added"] for each in found["files"]] == [1]
    assert "bad.jsonl:1: not JSON" in found["failures"][0]
    assert len(content(store)) == 1


def wrong_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield files that hold no answers, with what is said of each."""
    yield "expected an export", b"\x00\x01\x02"
    yield "not JSON", b'{"request_id": '
    yield "cannot be read as Parquet", b"PAR1 and nothing more"
    yield "found the columns example_id", (folder / "other.parquet").read_bytes()
    yield "file is not a database", b"SQLite format 3\0" + b"\xff" * 5000
    yield "found list; expected the fields", b"[]\n"


def test_files_of_other_kinds_are_refused(store: Path, tmp_path: Path) -> None:
    """Whatever is given, the message names the file and what was expected."""
    from llm2llm.records.split import SplitRow

    rows = [SplitRow("ex-1", "in", "out", "o", 1)]
    write_records(tmp_path / "other.parquet", SplitRow, rows)
    for message, data in wrong_files(tmp_path):
        (tmp_path / "given").write_bytes(data)
        told = refused("given")
        assert "given" in told
        assert message in told
    assert "none: cannot be read (No such file" in refused("none")
    assert "cannot be read (Is a directory)" in refused(tmp_path)
    assert content(store) == {}


def test_a_ledger_with_a_changed_row_is_not_taken(store: Path, tmp_path: Path) -> None:
    """Another project's ledger is believed no more than a file."""
    fill(tmp_path / "other", [row(1), row(2)])
    path = tmp_path / "other/ledger.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE requests SET request = '{}' WHERE draw = 2")
        other.commit()
    assert "field request" in refused(path)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    assert "format 99" in refused(path)
    assert content(store) == {}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one file of each kind that can be imported."""
    folder = tmp_path_factory.mktemp("exported")
    fill(folder, ROWS)
    for name in ("all.parquet", "all.jsonl"):
        export(folder / "ledger.sqlite", folder / name, backend=None, since=None)
    return folder


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["ledger.sqlite", "all.parquet", "all.jsonl", None]),
    places=st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1)), min_size=1),
    kept=st.integers(1, 10**6),
)
def test_no_bytes_bring_a_traceback(
    exported: Path, kind: str | None, places: list[tuple[int, bytes]], kept: int
) -> None:
    """Whatever is done to a file, it is refused with a message, or its rows are as asked."""
    data = bytearray((exported / kind).read_bytes() if kind else b"")
    for at, filler in places:
        place = at % (len(data) + 1)
        data[place : place + len(filler)] = filler
    given_file = exported / "given"
    given_file.write_bytes(data[:kept])
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Ledger(Path(folder))) as into:
        try:
            bring(into, given_file, CREATED)
        except DataError as failure:
            assert str(failure).startswith(str(given_file))
        requests = {one.request_id: one.request for one in ROWS}
        for key, found in into.find(requests).items():
            assert found.request == requests[key]


def test_reading_a_ledger_writes_nothing(tmp_path: Path) -> None:
    """A read connection refuses to write, and failures of SQLite are told with what helps."""
    fill(tmp_path, [row(1)])
    with (
        pytest.raises(MachineError, match=r"readonly.*ledger salvage"),
        reading(tmp_path / "ledger.sqlite") as connection,
    ):
        connection.execute("DELETE FROM requests")


def test_the_canonical_json_of_a_row_is_its_request() -> None:
    """The rows of these tests are named as a run names them."""
    assert canonical_json(json.loads(row(1).request)) == row(1).request


@pytest.mark.parametrize("command", ["status", "salvage", "export", "import"])
def test_help_has_an_example(command: str) -> None:
    """Each command shows how it is called."""
    assert f"Example: llm2llm ledger {command}" in call(command, "--help")


def test_completion_is_offered() -> None:
    """A shell gets the commands that begin with what was typed."""
    done = subprocess.run(
        [sys.executable, "-c", "from llm2llm.cli.main import app; app(prog_name='llm2llm')"],
        env={
            **os.environ,
            "_LLM2LLM_COMPLETE": "complete_bash",
            "COMP_WORDS": "llm2llm ledger s",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["status", "salvage"]
