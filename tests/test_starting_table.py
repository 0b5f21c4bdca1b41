"""Reading what people bring: CSV in all its forms, JSON lines, Parquet, Excel, saved datasets."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from llm2llm.exceptions import DataError, MachineError
from llm2llm.starting.table import read_table


def table(path: Path, content: str | bytes, **options: object) -> list[dict]:
    """Write a file, read it, and give its rows with their lines."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = read_table(path, **options)
    return [
        {"line": line, **row}
        for line, row in zip(found.lines.to_list(), found.frame.to_dicts(), strict=True)
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_usual_separator_is_found(tmp_path: Path, separator: str) -> None:
    """Commas, semicolons, tabs and bars are told apart, with other ones inside cells."""
    text = f'text{separator}label\n"a, b; c | d"{separator}X\ne{separator}Y\n'
    assert table(tmp_path / "a.csv", text) == [
        {"line": 2, "text": "a, b; c | d", "label": "X"},
        {"line": 3, "text": "e", "label": "Y"},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_any_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    """UTF-8 with and without a byte order mark, Windows-1252 and UTF-16 give the same rows."""
    found = table(tmp_path / "a.csv", "text;label\nGrüße – 5 €;gut\n".encode(encoding))
    assert found == [{"line": 2, "text": "Grüße – 5 €", "label": "gut"}]


def test_windows_1252_is_told(tmp_path: Path) -> None:
    """What was guessed is said, as Latin letters of another code page would look wrong."""
    (tmp_path / "a.csv").write_bytes("text,label\né,A\n".encode("cp1252"))
    assert "Windows-1252" in read_table(tmp_path / "a.csv").notes[0]


def test_quotes_and_newlines_in_cells_are_kept(tmp_path: Path) -> None:
    """A cell may hold quotes, separators and newlines; the line is the one where its row starts."""
    found = table(tmp_path / "a.csv", 'text,label\n"he said ""no"",\nand left",A\nb,B\n')
    assert found[0]["text"] == 'he said "no",\nand left'
    assert [row["line"] for row in found] == [2, 4]


def test_rows_that_are_empty_as_a_whole_are_passed_over(tmp_path: Path) -> None:
    """A spreadsheet's trailing rows of separators are no rows."""
    assert len(table(tmp_path / "a.csv", "text,label\na,A\n,\n\n , \nb,B\n,,\n"[:-3])) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text\na\nb\n", "found one column, expected an input and a target column"),
        ("", "found one column"),
        ("What is it ?,NUM\nWho is it ?,HUM\nHow far ?,NUM\n", "'NUM', which occurs again below"),
        ("1,2\n3,4\n", "found '1', which is a number"),
        ("x" * 70 + ",label\na,b\n", "70 characters long"),
        ("text,text\na,b\n", "the column name 'text' twice"),
        ("text,label\na,b,c\n", r"a.csv:2: found 3 cells, expected 2"),
        ('text,label\na,A\n"b,B\nc,C\n', r"a.csv:3: a row begins here that cannot be read"),
        ("text,label\n", "found no rows"),
    ],
)
def test_a_csv_that_cannot_be_used_is_told(tmp_path: Path, text: str, message: str) -> None:
    """One message names file, line and what to do."""
    with pytest.raises(DataError, match=message):
        table(tmp_path / "a.csv", text)


def test_a_missing_header_can_be_said(tmp_path: Path) -> None:
    """With --no-header the columns get numbers; with --header a doubtful first line is taken."""
    text = "What is it ?,NUM\nHow far ?,NUM\n"
    assert table(tmp_path / "a.csv", text, header=False) == [
        {"line": 1, "column_1": "What is it ?", "column_2": "NUM"},
        {"line": 2, "column_1": "How far ?", "column_2": "NUM"},
    ]
    assert table(tmp_path / "a.csv", text, header=True)[0]["NUM"] == "NUM"


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """What is no text in any of the encodings is refused."""
    with pytest.raises(DataError, match="neither UTF-8, UTF-16 nor Windows-1252"):
        table(tmp_path / "a.csv", b"text,label\n\x81\xff,A\n")


def test_mixed_types_become_text(tmp_path: Path) -> None:
    """Numbers, true and false are written as text; 2.0 and 2 are the same label."""
    lines = [{"a": 1, "b": "x"}, {"a": 2.0, "b": None}, {"a": True, "b": 1.5}, {"b": " y "}]
    found = table(tmp_path / "a.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert [row["a"] for row in found] == ["1", "2", "true", None]
    assert [row["b"] for row in found] == ["x", None, "1.5", "y"]


def test_a_column_of_lists_is_left_out(tmp_path: Path) -> None:
    """Lists and objects are no text, in JSON and in Parquet."""
    (tmp_path / "a.jsonl").write_text('{"a": "x", "b": [1]}\n{"a": "y", "b": {"c": 1}}\n')
    pl.DataFrame({"a": ["x"], "b": [[1, 2]]}).write_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        found = read_table(tmp_path / name)
        assert (found.frame.columns, found.nested) == (["a"], ("b",))


@pytest.mark.parametrize("line", ["[1]", "{", "5"])
def test_a_line_that_is_no_object_is_told(tmp_path: Path, line: str) -> None:
    """The message names the line."""
    with pytest.raises(DataError, match=r"a.jsonl:2: .*expected"):
        table(tmp_path / "a.jsonl", f'{{"a": "x"}}\n{line}\n')


def test_half_a_surrogate_pair_is_told(tmp_path: Path) -> None:
    """JSON can escape what is no character."""
    with pytest.raises(DataError, match="surrogate pair"):
        table(tmp_path / "a.jsonl", '{"a": "\\ud800 x", "b": "y"}\n')


def test_parquet_and_excel_give_the_same_rows(tmp_path: Path) -> None:
    """Whole numbers that a spreadsheet keeps as 5.0 are 5."""
    frame = pl.DataFrame({"text": ["a", "b"], "label": [5.0, 6.0]})
    frame.write_parquet(tmp_path / "a.parquet")
    found = read_table(tmp_path / "a.parquet")
    assert found.frame.to_dicts() == [{"text": "a", "label": "5"}, {"text": "b", "label": "6"}]
    write_xlsx(tmp_path / "a.xlsx", [["text", "label"], ["a", "5"], ["b", "6"]])
    assert read_table(tmp_path / "a.xlsx").frame.to_dicts() == found.frame.to_dicts()
    assert read_table(tmp_path / "a.xlsx").lines.to_list() == [2, 3]


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
def test_a_damaged_file_is_told(tmp_path: Path, name: str) -> None:
    """Bytes that are not of the form are one message."""
    with pytest.raises(DataError, match=rf"{name}: cannot be read as"):
        table(tmp_path / name, b"PK nothing of the kind")


def test_a_missing_excel_package_names_the_line_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without fastexcel the message has the extra, and another way out."""
    monkeypatch.setitem(__import__("sys").modules, "fastexcel", None)
    with pytest.raises(
        MachineError, match=r"pip install 'llm2llm\[excel\]'.*save the sheet as CSV"
    ):
        table(tmp_path / "a.xlsx", b"")


def test_an_unknown_ending_is_told(tmp_path: Path) -> None:
    """The message lists the forms there are."""
    with pytest.raises(DataError, match=r"found the ending '.docx', expected CSV"):
        table(tmp_path / "a.docx", b"")
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="a folder, and not one saved by `datasets`"):
        read_table(tmp_path)


def test_a_saved_dataset_is_read_with_its_classes_names(tmp_path: Path) -> None:
    """Folders of `datasets`: one split alone, or several, with class numbers as names."""
    saved(tmp_path / "both/train", ["a", "b"], [0, 1])
    saved(tmp_path / "both/test", ["c"], [-1])
    (tmp_path / "both/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    one = read_table(tmp_path / "both/train")
    assert one.frame.to_dicts() == [{"text": "a", "label": "no"}, {"text": "b", "label": "yes"}]
    assert read_table(tmp_path / "both").frame.equals(one.frame)
    assert read_table(tmp_path / "both", split="test").frame["label"].to_list() == [None]
    with pytest.raises(DataError, match="found the splits train, test, expected one called dev"):
        read_table(tmp_path / "both", split="dev")


def saved(folder: Path, texts: list[str], labels: list[int]) -> None:
    """Write a folder as `datasets` does."""
    folder.mkdir(parents=True)
    data = pa.table({"text": texts, "label": pa.array(labels, pa.int64())})
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, data.schema) as writer,
    ):
        writer.write_table(data)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (folder / "state.json").write_text(json.dumps(state))
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["no", "yes"], "_type": "ClassLabel"},
    }
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


def write_xlsx(path: Path, rows: list[list[str]]) -> None:
    """Write the smallest workbook there is: one sheet of texts."""
    import zipfile

    cells = "".join(
        f'<row r="{y}">'
        + "".join(
            f'<c r="{chr(64 + x)}{y}" t="inlineStr"><is><t>{cell}</t></is></c>'
            for x, cell in enumerate(row, start=1)
        )
        + "</row>"
        for y, row in enumerate(rows, start=1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1"'
        f' Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="rows" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
