"""Claims about `llm2llm leakcheck`."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from llm2llm.cli.main import app
from llm2llm.files import read_records
from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.rouge import RougeGate
from llm2llm.records.checked import CheckedKept, CheckedRejected

TEST = [
    "Mary has 5 red apples and buys 7 more at the market. How many apples has Mary now?",
    "A train travels 60 miles in one hour. How far does it travel in three hours?",
    "What is cholesterol ?",
    "小明有五个苹果，又买了七个。他现在有几个苹果？",
    "แมรี่มีแอปเปิ้ลห้าผลและซื้อเพิ่มอีกเจ็ดผล",
    "كم عدد الكتب التي قرأها أحمد في الصيف الماضي؟",
    "मैरी के पास पाँच सेब हैं और वह सात और खरीदती है",
    "りんごを五個持っていて、さらに七個買いました。",
]
CLEAN = ["Eight birds sat on a wire until two flew off.", "Why is the sky blue?", "天气很好。"]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows in the format that the file's name tells."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            out = csv.DictWriter(stream, fieldnames=list(rows[0]))
            out.writeheader()
            out.writerows(rows)
    else:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        path.write_text("".join(lines), encoding="utf-8")
    return path


def check(candidates: Path, against: Path, *more: str) -> Result:
    """Run the command."""
    given = ["leakcheck", "--candidates", str(candidates), "--against", str(against), *more]
    return CliRunner().invoke(app, given)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_csv_may_be_a_spreadsheets(tmp_path: Path, against: Path, encoding: str) -> None:
    """Semicolons and UTF-16 are read, and long cells and rows without anything in them."""
    text = f"id;text\n1;{CLEAN[0]}\n;\n2;{TEST[0]}\n3;{'long ' * 40_000}\n"
    (tmp_path / "c.csv").write_text(text, encoding=encoding)
    result = check(tmp_path / "c.csv", against, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["certificate"]["counts"]["kept"] == 2
    assert len(found["first_leaks"]) == 1


@pytest.fixture
def against(tmp_path: Path) -> Path:
    """Write the test set."""
    return write(tmp_path / "test.jsonl", [{"text": text} for text in TEST])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_every_format_is_read_and_every_row_written(
    tmp_path: Path, against: Path, suffix: str
) -> None:
    """Leaks and clean rows are told apart, none is lost, and whole rows are kept, in order."""
    texts = [CLEAN[0], TEST[0].upper(), CLEAN[1], f"Now then:\n{TEST[1]} Thanks.", CLEAN[2]]
    rows = [{"text": text, "note": f'n"{n}'} for n, text in enumerate(texts)]
    candidates = write(tmp_path / f"candidates{suffix}", rows)
    result = check(candidates, against, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1, result.output
    kept = read_records(tmp_path / "out/kept.parquet", CheckedKept)
    rejected = read_records(tmp_path / "out/rejected.parquet", CheckedRejected)
    assert [(row.row, row.text) for row in kept] == [(1, CLEAN[0]), (3, CLEAN[1]), (5, CLEAN[2])]
    assert [(r.row, r.gate, r.reference_row) for r in rejected] == [
        (2, "exact", 1), (4, "coverage", 2),
    ]  # fmt: skip
    assert [json.loads(row.record) for row in kept] == [rows[0], rows[2], rows[4]]
    assert "5 candidates, 8 test items: 2 leaks" in result.output
    page = (tmp_path / "out/certificate.md").read_text(encoding="utf-8")
    assert "5 candidates were compared with all 8 test items" in page


@pytest.mark.parametrize("place", range(3, 8))
def test_other_scripts_are_compared(tmp_path: Path, against: Path, place: int) -> None:
    """A Chinese, Thai, Arabic, Hindi or Japanese item is found whole, embedded and reworded."""
    item = TEST[place]
    middle = item.find(" ") if " " in item else len(item) // 2
    for text, gates in (
        (item.replace(" ", "  ") + "!", {"exact"}),
        (f"{CLEAN[0]} {item} {CLEAN[1]}", {"coverage"}),
        (item[:middle] + " x " + item[middle:], {"rouge", "coverage"}),
    ):
        candidates = write(tmp_path / "candidates.jsonl", [{"text": text}])
        result = check(candidates, against, "--json")
        assert result.exit_code == 1
        [leak] = json.loads(result.stdout)["first_leaks"]
        assert leak["reference_row"] == place + 1 and leak["gate"] in gates


def test_clean_candidates_exit_with_0(tmp_path: Path, against: Path) -> None:
    """Where nothing leaks the verdict is clean, with what was not checked in plain words."""
    candidates = write(tmp_path / "c.jsonl", [{"text": text} for text in CLEAN])
    result = check(candidates, against)
    assert result.exit_code == 0, result.output
    assert "clean" in result.stdout and "Paraphrases" in result.stdout
    document = json.loads(check(candidates, against, "--json").stdout)
    assert document["verdict"] == "clean"
    assert document["certificate"]["counts"]["kept"] == 3
    assert not (tmp_path / "out").exists()


def test_near_survivors_are_named(tmp_path: Path, against: Path) -> None:
    """A kept candidate with much of an item's wording stands in the certificate."""
    near = TEST[1].replace("60", "50").replace("hour.", "day.").replace("travel in", "go in")
    candidates = write(tmp_path / "c.jsonl", [{"text": CLEAN[0]}, {"text": near}])
    document = json.loads(check(candidates, against, "--json").stdout)
    assert document["verdict"] == "clean"
    [found] = document["certificate"]["nearest_kept"]
    assert (found["row"], found["reference_row"]) == (2, 2) and 0.7 <= found["rouge_l_f"] < 0.85


def test_clean_rows_calibrate(tmp_path: Path, against: Path) -> None:
    """With enough real rows the cuts are calibrated on them, and the certificate says so."""
    rows = [{"text": f"The sum of {n} and {n + 1} is asked for, what is it?"} for n in range(250)]
    clean = write(tmp_path / "clean.csv", rows)
    candidates = write(tmp_path / "c.jsonl", [{"text": CLEAN[0]}])
    found = json.loads(check(candidates, against, "--clean", str(clean), "--json").stdout)
    rouge = found["certificate"]["gates"][2]
    assert (rouge["cut_is"], rouge["calibration"]["rows"]) == ("calibrated", 250)


def test_masked_gate_is_asked_for(tmp_path: Path, against: Path) -> None:
    """Other numbers and names are a leak only with --masked."""
    text = "Zoe has 9 red apples or buys 21 more at the market. How many apples has Zoe now?"
    candidates = write(tmp_path / "c.jsonl", [{"text": text}])
    assert check(candidates, against).exit_code == 0
    assert "masked" in check(candidates, against, "--masked").stdout


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.jsonl", b'{"text": "a"}\n{"txt": "b"}\n', "row 2: field `text` is missing, found txt"),
        ("c.jsonl", b'{"text": "a"}\n[1]\n', "c.jsonl:2: found [1], expected a JSON object"),
        ("c.jsonl", b'{"text": "a"}\n{"te\n', "c.jsonl:2: not JSON"),
        ("c.jsonl", b'{"text": "\xff"}\n', "not UTF-8"),
        ("c.jsonl", b'{"text": null}\n', "row 1: field `text`: found None"),
        ("c.jsonl", b'{"text": "\\u200b "}\n', "expected visible text"),
        ("c.jsonl", b'{"text": "\\u115f"}\n', "expected visible text"),
        ("c.jsonl", b'{"text": "half \\ud83d"}\n', "expected visible text"),
        ("c.jsonl", b"\n", "no rows"),
        ("c.csv", b"text\n", "no rows"),
        ("c.csv", b"text,b\na\n", "c.csv:2: found 1 cells, expected 2"),
        ("c.csv", b"text,b\na,b,c\n", "c.csv:2: found 3 cells, expected 2"),
        ("c.csv", b'text\n"a\n', "c.csv:2: a row begins here that cannot be read"),
        ("c.csv", "text\né\n".encode("cp1252"), "neither UTF-8 nor UTF-16"),
        ("c.parquet", b"PAR1", "cannot be read as Parquet"),
        ("gone.jsonl", None, "no such file"),
    ],
)
@pytest.mark.parametrize("side", ["candidates", "against"])
def test_what_cannot_be_read_exits_with_2(
    tmp_path: Path, against: Path, name: str, content: bytes | None, words: str, side: str
) -> None:
    """A bad file on either side ends with 2, one message, and nothing written."""
    bad = tmp_path / name
    if content is not None:
        bad.write_bytes(content)
    out = tmp_path / "out"
    files = (bad, against) if side == "candidates" else (against, bad)
    result = check(*files, "--out", str(out))
    assert result.exit_code == 2
    assert words in result.stderr and str(bad) in result.stderr
    assert not out.exists()
    told = json.loads(check(*files, "--json").stdout)
    assert told["verdict"] == "not checked" and words in told["problem"]


@pytest.mark.parametrize("gate", [CoverageGate, RougeGate])
def test_a_broken_gate_exits_with_2(
    tmp_path: Path, against: Path, gate: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that raises, or finds nothing, is no verdict."""
    candidates = write(tmp_path / "c.jsonl", [{"text": CLEAN[0]}])

    def raises(self: object, texts: object, at_least: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(gate, "nearest", raises)
    assert check(candidates, against).exit_code == 2
    monkeypatch.setattr(gate, "nearest", lambda _self, texts, _: [None] * len(texts))
    result = check(candidates, against)
    assert result.exit_code == 2 and "not found by its own index" in result.stderr


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, against: Path) -> None:
    """Only a folder that leakcheck wrote is written again."""
    candidates = write(tmp_path / "c.jsonl", [{"text": CLEAN[0]}])
    out = tmp_path / "out"
    assert check(candidates, against, "--out", str(out)).exit_code == 0
    assert check(candidates, against, "--out", str(out)).exit_code == 0
    (out / "mine.txt").write_text("x", encoding="utf-8")
    result = check(candidates, against, "--out", str(out))
    assert result.exit_code == 2 and "holds mine.txt" in result.stderr
    assert (out / "mine.txt").exists()


def test_candidates_stream_without_torch(tmp_path: Path, against: Path) -> None:
    """A real process checks candidates in many chunks, imports no torch, and exits with 1."""
    rows = [{"text": f"Row {n} is about {n * 7} other things."} for n in range(9_000)]
    candidates = write(tmp_path / "c.jsonl", [*rows, {"text": TEST[2]}])
    program = (
        "import sys; from llm2llm.cli.main import app\n"
        "code = app(['leakcheck', '--candidates', sys.argv[1], '--against', sys.argv[2]],"
        " standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'openai', 'dvc'} & set(sys.modules)), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(candidates), str(against)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert "9001 candidates, 8 test items: 1 leaks" in done.stdout
    assert done.stdout.splitlines()[-1] == "[] 1"


def test_verdicts_do_not_depend_on_order(tmp_path: Path, against: Path) -> None:
    """Turned candidates get the same verdicts, each with the same reference."""
    texts = [*CLEAN, *(text.lower() for text in TEST), "So: What is cholesterol ? Well."]
    found = []
    for order in (texts, texts[::-1]):
        candidates = write(tmp_path / "c.jsonl", [{"text": text} for text in order])
        check(candidates, against, "--out", str(tmp_path / "out"))
        rows = read_records(tmp_path / "out/rejected.parquet", CheckedRejected)
        found.append(sorted((r.text, r.gate, r.reference_row, r.score) for r in rows))
    assert found[0] == found[1] and len(found[0]) == 9
