"""A student as a folder that loads without its project, and how it wants to be asked."""

import json
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm2llm.exceptions import StudentError
from llm2llm.files import read_json, write_json
from llm2llm.params.predict import PredictParams
from llm2llm.params.section import Section
from llm2llm.student.base import Base, read_base, weights_folder
from llm2llm.student.compute import quiet
from llm2llm.student.loading import check_base, is_adapter, load_student
from llm2llm.student.saving import save_student
from llm2llm.tasks.sections import AnswerFormat, Fields, StudentFormat

HOW_TO_ASK = "llm2llm.json"


class HowToAsk(Section):
    """All that a folder of weights does not say: template, reading of answers, limits."""

    fields: Fields
    student: StudentFormat
    answer: AnswerFormat
    predict: PredictParams


def write_weights(student: Path, base_folder: Path, target: Path, *, merge: bool) -> None:
    """Write weights, tokenizer, manifest.json and base.json into an empty folder.

    `merge` puts an adapter into its base's weights; of whole weights it changes nothing. Raises
    StudentError for an adapter that nobody could put on its base elsewhere.
    """
    check_base(student, base_folder)
    base = read_base(base_folder)
    if is_adapter(student) and merge:
        _write_merged(student, base_folder, target)
    else:
        if is_adapter(student) and base.kind == "embedded":
            raise StudentError(
                f"{student}: an adapter of the embedded base, which is nowhere else to be had,"
                " expected one of a folder or a hub id; add --merge"
            )
        for path in sorted(student.iterdir()):
            if path.name != "complete":
                # No link: whoever edits the copy must not reach the project's cache.
                shutil.copyfile(path, target / path.name)
        if is_adapter(student):
            _complete_adapter(base_folder, base, target)
    for source, name in ((student, "manifest.json"), (base_folder, "base.json")):
        shutil.copyfile(source / name, target / name)


def write_how_to_ask(folder: Path, how: HowToAsk) -> None:
    """Write llm2llm.json, and beside it the file that the task's hook lies in."""
    write_json(folder / HOW_TO_ASK, how.model_dump())
    if how.answer.hook is not None:
        source = how.answer.hook.function.rpartition(":")[0]
        if source.endswith(".py"):
            (folder / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(how.answer.hook.folder / source, folder / source)


def read_how_to_ask(folder: Path) -> HowToAsk:
    """Read llm2llm.json; raises StudentError where the folder is no exported student."""
    path = folder / HOW_TO_ASK
    if not path.is_file():
        raise StudentError(
            f"{folder}: found no {HOW_TO_ASK}, expected an exported student; make one with"
            " `llm2llm student export --out FOLDER`"
        )
    try:
        return HowToAsk.model_validate(read_json(path), context={"folder": folder})
    except ValidationError as failure:
        first = failure.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StudentError(
            f"{path}: field {where}: {first['msg'].lower()}; another version wrote it: export the"
            " student again"
        ) from None


def check_whole(folder: Path) -> None:
    """Raise StudentError where an exported student lacks a file that it cannot answer without."""
    kind = "adapter_model" if is_adapter(folder) else "model"
    # Large weights are cut into several files, which an index lists.
    index = folder / f"{kind}.safetensors.index.json"
    weights = [f"{kind}.safetensors"]
    if index.is_file():
        weights = sorted(set(read_json(index)["weight_map"].values()))
    configuration = "adapter_config.json" if is_adapter(folder) else "config.json"
    for name in ("manifest.json", "base.json", configuration, *weights):
        if not (folder / name).is_file():
            raise StudentError(
                f"{folder}: found no {name}, expected all files of an exported student; export it"
                " again with `llm2llm student export --out FOLDER`"
            )


def load_tokenizer(student: Path, base_folder: Path) -> Any:
    """Load a student's tokenizer alone."""
    import transformers
    from transformers import AutoTokenizer

    quiet(transformers)
    folder = weights_folder(base_folder, read_base(base_folder)) if is_adapter(student) else student
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _write_merged(student: Path, base_folder: Path, target: Path) -> None:
    """Merge in fp32, and write in the precision that the base had in training."""
    import torch

    model, tokenizer = load_student(student, base_folder, bf16=False, device="cpu")
    if read_json(student / "manifest.json")["bf16"]:
        model = model.to(torch.bfloat16)
    save_student(target, model, tokenizer)


def _complete_adapter(base_folder: Path, base: Base, target: Path) -> None:
    """Give an adapter a tokenizer, and the name by which its base is found from anywhere."""
    load_tokenizer(target, base_folder).save_pretrained(target)
    path = target / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    if base.kind == "path":
        config["base_model_name_or_path"] = str(Path(base.model).resolve())
    write_json(path, config)
