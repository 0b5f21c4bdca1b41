"""The dataset card: README.md with the Hub's YAML header."""

from collections.abc import Iterator

import yaml

from llm2llm.bundle.layout import ALL_TABLES, CROISSANT, DATASET, FORMS, REVIEW
from llm2llm.exporting.facts import Facts
from llm2llm.exporting.judged import judged_told
from llm2llm.exporting.reviewed import review_told

_METHOD = (
    "Lee et al. 2024, LLM2LLM: Boosting LLMs with Novel Iterative Data Enhancement,"
    " arXiv 2403.15042"
)
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
)
_UNDECLARED = "not declared"


def card(facts: Facts) -> str:
    """Write the whole card; equal facts give equal bytes."""
    header = yaml.safe_dump(_header(facts), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{header}---\n\n# {_line(facts.title)}\n\n" + "\n\n".join(_body(facts)) + "\n"


def _header(facts: Facts) -> dict[str, object]:
    told = facts.declared
    n = facts.tally.rows["examples"]
    header: dict[str, object] = {
        "pretty_name": facts.title,
        "license": told.license or "unknown",
        "license_link": told.license_url,
        "language": [told.language] if told.language else None,
        "task_categories": [told.task_category] if told.task_category else None,
        "size_categories": [next((name for most, name in _SIZES if n < most), "n>1T")],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "tags": ["synthetic", "llm2llm", "croissant"],
        "configs": _configs(reviewed=bool(facts.reviewed)),
    }
    return {key: value for key, value in header.items() if value is not None}


def _configs(*, reviewed: bool) -> list[dict[str, object]]:
    # Parquet alone: all configurations of one data set are read by one loader.
    files = {"default": DATASET}
    files |= {
        name.removesuffix(".parquet").replace("/", "_"): name
        for name in ALL_TABLES
        if name != DATASET and (reviewed or name != REVIEW)
    }
    return [
        {
            "config_name": name,
            "data_files": [{"split": "train", "path": path}],
            **({"default": True} if name == "default" else {}),
        }
        for name, path in files.items()
    ]


def _body(facts: Facts) -> Iterator[str]:
    rows, told = facts.tally.rows, facts.declared
    n_written = facts.tally.origins["augmented"] + facts.tally.origins["edited"]
    if told.description:
        yield told.description.strip()
    yield (
        f"Version {facts.export.version}. Set {facts.set_number} of a run of"
        f" {facts.set_number} augmentations: {rows['examples']} examples,"
        f" {facts.tally.origins['seed']} of them seeds and {n_written}"
        " written by a teacher model, each because a student model got a particular seed wrong."
    )
    if facts.export.augmented_only:
        yield "The seeds are private: this is the augmented part alone, and no text of theirs."
    yield "## Task"
    yield (
        f"{_line(facts.task['description'])} Task file: `{facts.task['name']}`, version"
        f" {facts.task['version']}."
    )
    yield "## Licenses and terms"
    yield _table(
        ["what", "declared by the owner"],
        [
            ["license of this bundle", _with_url(told.license, told.license_url)],
            ["source of the seeds", told.seeds_source or _UNDECLARED],
            ["license of the seeds", told.seeds_license or _UNDECLARED],
            ["creator", told.creator or _UNDECLARED],
        ],
    )
    yield "Examples by the teacher that wrote them, as it named itself:"
    yield _table(
        ["teacher", "examples", "terms of its outputs, declared by the owner"],
        [
            [f"`{name}`", str(n), told.teacher_terms.get(name, _UNDECLARED)]
            for name, n in sorted(facts.tally.teachers.items())
        ]
        or [["none", "0", ""]],
    )
    yield "## Files"
    yield _files(facts)
    yield "## How it was made"
    yield _made(facts)
    yield "## What was checked, and what was not"
    yield _checked(facts)
    yield "## Limits"
    yield (
        "- Targets of augmented examples are the teacher's. "
        + _validity(facts)
        + "\n- The examples follow one student's errors on one sample of seeds; another student"
        " would have had other examples written."
        + judged_told(facts.task, facts.params)
        + "\n- Inputs stand as they are, without a prompt: bring your own template.\n"
        "- Hashes show that nothing changed since the manifest was written, not who wrote it:"
        " get the manifest's hash another way if that matters."
    )
    yield "## Withheld"
    yield _withheld(facts)
    if facts.reviewed:
        yield "## Review"
        yield review_told(facts.reviewed)
    if facts.withdrawn.entries:
        yield "## Withdrawn"
        yield _withdrawn(facts)
    yield "## Citation"
    cited = [told.citation, facts.task.get("citation"), _METHOD]
    yield "\n".join(f"- {_line(text)}" for text in cited if text)


def _files(facts: Facts) -> str:
    n = facts.tally.rows
    about = [
        [f"`{DATASET}`", str(n["examples"]), "the record of truth: each example with its lineage"],
        *(
            [f"`{FORMS[form]}`", str(n["examples"]), "the same examples for trainers"]
            for form in facts.export.formats
            if form in FORMS
        ),
        ["`lineage/seeds.parquet`", str(n["seeds"]), "seeds by id: verdicts, requests, examples"],
        ["`lineage/errors.parquet`", str(n["errors"]), "what students answered wrong"],
        ["`lineage/requests.parquet`", str(n["requests"]), "what the teacher was sent"],
        ["`lineage/responses.parquet`", str(n["responses"]), "what it answered"],
        ["`lineage/kept.parquet`", str(n["kept"]), "what screening measured of kept examples"],
        *(
            [[f"`{REVIEW}`", str(n["review"]), "what people decided about examples"]]
            if facts.reviewed
            else []
        ),
        ["`rejected.parquet`", str(n["rejected"]), "candidates that were stopped, and by what"],
        ["`certificates/`", "", "what the leakage check of each iteration proved"],
        ["`history.json`", "", "each iteration: hashes, counts, accuracies, tokens"],
        ["`params.json`", "", "params and task file of the run"],
        [f"`{CROISSANT}`", "", "Croissant 1.1 metadata with provenance"],
        ["`manifest.json`", "", "SHA-256 of every file, counts, version, schema"],
    ]
    return (
        _table(["file", "rows", "holds"], about)
        + "\n\nCheck all of it: `pip install llm2llm`, then `llm2llm verify FOLDER`. Load it:"
        ' `load_dataset("FOLDER")`, a form: `load_dataset("json", data_files="FOLDER/chat.jsonl")`.'
    )


def _made(facts: Facts) -> str:
    base = facts.params.get("base_model", {})
    train = facts.params.get("train_iter", {})
    teacher = facts.params.get("teacher_batch", {})
    lines = [
        f"Student: `{base.get('model')}`, method `{train.get('method')}`, trained from the same"
        " weights in each iteration. Teacher:"
        f" backend `{teacher.get('backend')}`. Random seed: {facts.params.get('random_seed')}.",
        _table(
            ["iteration", "set", "wrong seeds", "requests", "answered", "kept", "rejected"],
            [
                [
                    str(entry.iteration),
                    str(entry.set.n_examples),
                    str(entry.counts.errors),
                    str(entry.counts.requests),
                    str(entry.counts.answered),
                    str(entry.counts.kept),
                    str(sum(entry.counts.rejected.values())),
                ]
                for entry in facts.history.iterations
            ]
            or [["none", str(facts.tally.rows["examples"]), "0", "0", "0", "0", "0"]],
        ),
    ]
    if facts.tally.gates:
        lines.append("Rejected, by the first check that stopped them:")
        lines.append(
            _table(
                ["check", "rejected"],
                [[name, str(n)] for name, n in sorted(facts.tally.gates.items())],
            )
        )
    return "\n\n".join(lines)


def _checked(facts: Facts) -> str:
    if not facts.certificates:
        return "Nothing was augmented, so nothing was screened."
    last = facts.certificates[-1]
    gates = [
        [
            str(gate.get("gate")),
            str(gate.get("rejected_from", "")),
            _recall(gate.get("planted_leaks")),
        ]
        for gate in last.get("gates", ())
    ]
    gaps = "\n".join(f"- {_line(gap)}" for gap in last.get("not_checked", ()))
    return (
        "Every augmented example was compared with every test item by these gates; a score from"
        " the cut on was rejected. Planted leaks are test items rewritten on purpose, which the"
        " gates had to find.\n\n"
        + _table(["gate", "cut", "planted leaks found"], gates)
        + f"\n\nNot checked:\n\n{gaps or '- nothing is named by the certificate'}"
    )


def _recall(planted: object) -> str:
    if isinstance(planted, dict):
        return f"{planted.get('found')} of {planted.get('planted')}"
    return "not applicable" if planted else ""


def _validity(facts: Facts) -> str:
    rules = facts.task.get("validity", {})
    checks = [
        "every annotated calculation in them was checked" if rules.get("arithmetic") else "",
        "their answer is that of their seed" if rules.get("same_answer") else "",
        "more than half of the teacher's own solutions agreed with them"
        if facts.params.get("teacher_batch", {}).get("solves")
        else "",
    ]
    said = [check for check in checks if check]
    return (
        f"Of their correctness this is known: {'; '.join(said)}."
        if said
        else "Their correctness was not checked."
    )


def _withheld(facts: Facts) -> str:
    tally = facts.tally
    lines = [
        f"- {tally.without_text[name]} of {tally.rows[name]} {name}"
        for name in ("errors", "requests", "responses", "rejected")
    ]
    why = (
        "because the seeds are private"
        if facts.export.augmented_only
        else "because it is, holds or closely rewrites a test item"
    )
    return (
        f"No test item is in this bundle. Rows whose text is withheld, {why}, keep their id and"
        " hash, and `withheld` says so:\n\n"
        + "\n".join(lines)
        + f"\n\n{len(facts.left_out)} examples of the set are left out, listed in `manifest.json`."
        " Test items of fewer than 24 letters and digits are looked for as whole texts only;"
        " paraphrases are not looked for."
    )


def _withdrawn(facts: Facts) -> str:
    gone = facts.withdrawn
    return (
        f"{gone.n} examples of the set were withdrawn since it was made, and the texts that led to"
        " them. Students of the run were trained on them all the same.\n\n"
        + _table(
            ["what", "examples", "why"],
            [
                [entry.told, str(gone.n_by_entry[place]), entry.reason]
                for place, entry in enumerate(gone.entries)
            ],
        )
    )


def _with_url(name: str | None, url: str | None) -> str:
    return f"{name or _UNDECLARED}{f' ({url})' if url else ''}"


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _line(text: object) -> str:
    """Keep a text on its line, and its markup as text."""
    return " ".join(str(text).split()).replace("<", "&lt;")
