"""Reading what people bring: CSV in all its forms, JSON lines, Parquet, Excel, saved datasets."""

import csv
import datetime
import decimal
import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm2llm.csv_form import cell_rows
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


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_any_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    """UTF-8 and UTF-16 with and without a mark, and Windows-1252, give the same rows."""
    found = table(tmp_path / "a.csv", "text;label\nGrüße – 5 €;gut\n".encode(encoding))
    assert found == [{"line": 2, "text": "Grüße – 5 €", "label": "gut"}]


def test_line_ends_of_all_systems_are_read(tmp_path: Path) -> None:
    """Also carriage returns alone, as old spreadsheets write them."""
    for end in ("\n", "\r\n", "\r"):
        found = table(tmp_path / "a.csv", end.join(["text,label", "a,A", "b,B", ""]))
        assert [(row["line"], row["text"]) for row in found] == [(2, "a"), (3, "b")], end


def test_a_cell_of_any_length_is_read(tmp_path: Path) -> None:
    """Longer ones than the csv module takes by itself, whose own limit is left as it was."""
    limit = csv.field_size_limit()
    found = table(tmp_path / "a.csv", f"text,label\n{'x' * 200_000},A\n")
    assert len(found[0]["text"]) == 200_000
    assert csv.field_size_limit() == limit


def test_readers_do_not_mind_each_other(tmp_path: Path) -> None:
    """One that ends while another is half way takes nothing from it, and leaves nothing."""
    limit = csv.field_size_limit()
    for name in "ab":
        rows = f"text,label\nx,A\n{'x' * 200_000},A\n"
        (tmp_path / f"{name}.csv").write_text(rows, encoding="utf-8")
    first, second = (cell_rows(tmp_path / f"{name}.csv", "utf-8", ",") for name in "ab")
    next(first), next(second)
    first.close()
    assert csv.field_size_limit() == limit
    assert [len(cells[0]) for _, cells in second] == [1, 200_000]
    assert csv.field_size_limit() == limit


def test_columns_without_a_name_get_one(tmp_path: Path) -> None:
    """The index that pandas writes is a column; empty ones at the end of each line are no title."""
    found = table(tmp_path / "a.csv", ",text,label,,,,\n0,a,A,,,,\n1,b,B,,,,\n")
    assert found[0] | {"line": 0} == {"line": 0, "column_1": "0", "text": "a", "label": "A"} | (
        dict.fromkeys(("column_4", "column_5", "column_6", "column_7"))
    )


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
        ("", "a.csv: empty, expected a line of column names"),
        ("\n \n", "a.csv: empty, expected a line of column names"),
        ("\n,\ntext,5\na,A\n", "a.csv:3: found '5', which is a number"),
        ("Report,,\n,,\ntext,label,n\na,A,1\n", "a.csv:1: found 1 names for 3 columns"),
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
    """Lists of other things than texts are no text, in JSON and in Parquet."""
    (tmp_path / "a.jsonl").write_text('{"a": "x", "b": [1]}\n{"a": "y", "b": {"c": 1}}\n')
    pl.DataFrame({"a": ["x"], "b": [[1, 2]]}).write_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        found = read_table(tmp_path / name)
        assert (found.frame.columns, found.nested) == (["a"], ("b",))


def test_lists_of_texts_become_sets(tmp_path: Path) -> None:
    """In JSON and in Parquet, with a separator that is in none; an empty list is an empty cell."""
    cells = [["red", "a b"], ["red"], [], None]
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"a": "x", "b": cell}) + "\n" for cell in cells)
    )
    pl.DataFrame({"a": ["x"] * 4, "b": cells}).write_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        found = read_table(tmp_path / name)
        assert found.frame["b"].to_list() == ["red, a b", "red", None, None]
        assert found.lists == {"b": ", "}
    for text, between in (("u, v", "|"), ("u, v | w", None)):
        (tmp_path / "b.jsonl").write_text(json.dumps({"a": "x", "b": [text, "z"]}) + "\n")
        found = read_table(tmp_path / "b.jsonl")
        assert found.lists.get("b") == between
        assert found.nested == (() if between else ("b",))


def test_a_column_of_lists_and_texts_is_left_out(tmp_path: Path) -> None:
    """Whichever chunk of the file the other kind stands in; one that starts empty is no matter."""
    lines = [{"a": "x", "b": None, "c": None}] * 20_000 + [{"a": "x", "b": ["y"], "c": ["z"]}]
    lines += [{"a": "x", "b": None, "c": None}] * 20_000 + [{"a": "x", "b": "y", "c": ["z"]}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_table(tmp_path / "a.jsonl")
    assert (found.frame.columns, found.nested, found.lists) == (["a", "c"], ("b",), {"c": ", "})
    assert found.frame["c"].drop_nulls().to_list() == ["z", "z"]


def test_nothing_but_lists_is_told(tmp_path: Path) -> None:
    """A file of chats has no column that could be input or target."""
    with pytest.raises(DataError, match="found no column of text, as messages hold lists"):
        table(tmp_path / "a.jsonl", json.dumps({"messages": [{"role": "user"}]}) + "\n")


def test_every_type_of_a_parquet_file_is_text_or_left_out(tmp_path: Path) -> None:
    """Days, spans, decimals and dictionaries are written; bytes and maps are left out."""
    moment = datetime.datetime(2024, 5, 3, 10, 30, tzinfo=datetime.UTC)
    columns = {
        "word": pa.array(["a"]).dictionary_encode(),
        "day": pa.array([datetime.datetime(2024, 5, 3)]),  # as pandas writes days
        "moment": pa.array([moment]),
        "span": pa.array([datetime.timedelta(seconds=90)]),
        "price": pa.array([decimal.Decimal("5.10")]),
        "large": pa.array([2**63 - 1]),
        "empty": pa.nulls(1),
        "missing": pa.array([float("nan")]),
        "whole": pa.array([1e300]),
        "object": pa.array([{"a": None, "b": [1]}]),
        "bytes": pa.array([b"\xff"]),
        "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "blob": pa.array([{"a": b"\xff"}]),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    found = read_table(tmp_path / "a.parquet")
    assert found.nested == ("bytes", "map", "blob")
    assert found.frame.row(0) == (
        *("a", "2024-05-03", "2024-05-03 10:30:00+00:00", "PT1M30S", "5.10"),
        *("9223372036854775807", None, None, "1e+300", '{"a":null,"b":[1]}'),
    )


def test_json_numbers_that_are_none_are_empty(tmp_path: Path) -> None:
    """NaN is how pandas writes what is missing."""
    found = table(tmp_path / "a.jsonl", '{"a": "x", "b": NaN}\n{"a": "y", "b": 1e300}\n')
    assert [row["b"] for row in found] == [None, "1e+300"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": "x", "a": "y"}', "a.jsonl:2: the field 'a' stands twice"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "a.jsonl:2: JSON nested too deeply"),
        ('{"a": "\\ud800"}', "a.jsonl:2: field 'a': holds half of a surrogate pair"),
        ('{"a": ["\\ud800"]}', "a.jsonl:2: field 'a': holds half of a surrogate pair"),
        ('{"b\\ud800": "x"}', "a.jsonl:2: field 'b.*': holds half of a surrogate pair"),
    ],
)
def test_an_object_that_cannot_be_kept_is_told(tmp_path: Path, line: str, message: str) -> None:
    """The message names the line, and the field."""
    first = '{"a": ["x"]}' if "[" in line[:8] else '{"a": "x"}'
    with pytest.raises(DataError, match=message):
        table(tmp_path / "a.jsonl", f"{first}\n{line}\n")


@pytest.mark.parametrize("line", ["[1]", "{", "5"])
def test_a_line_that_is_no_object_is_told(tmp_path: Path, line: str) -> None:
    """The message names the line."""
    with pytest.raises(DataError, match=r"a.jsonl:2: .*expected"):
        table(tmp_path / "a.jsonl", f'{{"a": "x"}}\n{line}\n')


def test_parquet_and_excel_give_the_same_rows(tmp_path: Path) -> None:
    """Whole numbers that a spreadsheet keeps as 5.0 are 5."""
    frame = pl.DataFrame({"text": ["a", "b"], "label": [5.0, 6.0]})
    frame.write_parquet(tmp_path / "a.parquet")
    found = read_table(tmp_path / "a.parquet")
    assert found.frame.to_dicts() == [{"text": "a", "label": "5"}, {"text": "b", "label": "6"}]
    write_xlsx(tmp_path / "a.xlsx", [["text", "label"], ["a", "5"], ["b", "6"]])
    assert read_table(tmp_path / "a.xlsx").frame.to_dicts() == found.frame.to_dicts()
    assert read_table(tmp_path / "a.xlsx").lines.to_list() == [2, 3]


def test_a_sheets_rows_keep_their_numbers(tmp_path: Path) -> None:
    """Empty rows above and between count; names are those of the first row filled in."""
    rows = [[], ["text", "label"], ["a", "A"], [], ["b", "2024-05-03 00:00:00"]]
    write_xlsx(tmp_path / "a.xlsx", rows)
    found = read_table(tmp_path / "a.xlsx")
    assert found.lines.to_list() == [3, 5]
    assert found.frame["label"].to_list() == ["A", "2024-05-03 00:00:00"]


def test_a_sheets_days_are_days(tmp_path: Path) -> None:
    """A column of moments at midnight is one of days."""
    write_xlsx(tmp_path / "a.xlsx", [["text", "due"], ["a", "2024-05-03 00:00:00"], ["b", ""]])
    assert read_table(tmp_path / "a.xlsx").frame["due"].to_list() == ["2024-05-03", None]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["text", "label", "label"], ["a", "b", "c"]], "a.xlsx:1: found the column name 'label'"),
        ([["My report"], ["text", "label", "n"]], "a.xlsx:1: found 1 names for 3 columns"),
        ([["text", "label"]], "found no rows"),
        ([], "found no rows, expected at least one; check its first sheet"),
    ],
)
def test_a_sheet_that_cannot_be_used_is_told(
    tmp_path: Path, rows: list[list[str]], message: str
) -> None:
    """One message names file, row and what to do."""
    write_xlsx(tmp_path / "a.xlsx", rows)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "a.xlsx")


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
def test_a_damaged_file_is_told(tmp_path: Path, name: str) -> None:
    """Bytes that are not of the form are one message."""
    with pytest.raises(DataError, match=rf"{name}: cannot be read as"):
        table(tmp_path / name, b"PK nothing of the kind")


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
def test_a_changed_byte_is_read_or_told(tmp_path: Path, name: str) -> None:
    """Whichever byte is another: the rows, or one message, and no failure of a library's own."""
    if name == "a.parquet":
        frame = pl.DataFrame({"text": ["a", "b"], "label": ["A", "B"], "more": [[1], [2]]})
        frame.write_parquet(tmp_path / name)
    else:
        write_xlsx(tmp_path / name, [["text", "label"], ["a", "A"]])
    whole = (tmp_path / name).read_bytes()
    n_told = 0
    for place in range(0, len(whole), len(whole) // 200):
        damaged = bytes([*whole[:place], whole[place] ^ 0x95, *whole[place + 1 :]])
        (tmp_path / name).write_bytes(damaged)
        try:
            read_table(tmp_path / name)
        except DataError as failure:
            n_told += name in str(failure)
    assert n_told > 20


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


def test_a_saved_datasets_lists_of_classes_are_labels(tmp_path: Path) -> None:
    """As sets of labels are kept there, in older and newer versions."""
    for kind in ("Sequence", "List"):
        folder = tmp_path / kind
        saved(folder, ["a", "b"], [0, 1])
        inner = {"names": ["no", "yes"], "_type": "ClassLabel"}
        features = {"label": {"feature": inner, "_type": kind}}
        (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
        data = pa.table({"text": ["a", "b"], "label": [[0, 1], [1]]})
        with (
            pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, data.schema) as writer,
        ):
            writer.write_table(data)
        assert read_table(folder).frame["label"].to_list() == ["no, yes", "yes"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("state.json", "{"),
        ("state.json", "[]"),
        ("state.json", "{}"),
        ("state.json", '{"_data_files": []}'),
        ("state.json", '{"_data_files": [1]}'),
        ("dataset_info.json", None),
        ("dataset_info.json", "{"),
        ("data-00000-of-00001.arrow", ""),
        ("data-00000-of-00001.arrow", None),
    ],
)
def test_a_damaged_saved_dataset_is_told(tmp_path: Path, name: str, content: str | None) -> None:
    """One message, whichever of its files is no longer whole."""
    saved(tmp_path / "d", ["a", "b"], [0, 1])
    (tmp_path / "d" / name).unlink()
    if content is not None:
        (tmp_path / "d" / name).write_text(content)
    with pytest.raises(DataError, match=r"cannot be read as a saved dataset .*save_to_disk"):
        read_table(tmp_path / "d")


def test_a_saved_dataset_needs_no_description(tmp_path: Path) -> None:
    """Without features, or with one of a column that is not there, numbers stay numbers."""
    saved(tmp_path / "d", ["a", "b"], [0, 1])
    for features in ("{}", '{"features": {"gone": {"_type": "ClassLabel", "names": ["a"]}}}'):
        (tmp_path / "d/dataset_info.json").write_text(features)
        assert read_table(tmp_path / "d").frame["label"].to_list() == ["0", "1"]


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
