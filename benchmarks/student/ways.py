"""One way to train or to ask a student, in a process of its own; `__main__.py` calls it."""

import json
import math
import resource
import sys
import time
from pathlib import Path

from llm2llm.params.loading import load_section
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.predict import PredictParams
from llm2llm.tasks.sections import StudentFormat

ROOT = Path(__file__).resolve().parent.parent.parent
THREADS = 1
LEARNING_RATE = 0.001
MAX_NEW_TOKENS = 256
SHORT = False


def rows(name: str, n: int) -> list[tuple[str, str]]:
    """Read the first rows of the quick start; in short, last sentence and result of each."""
    lines = (ROOT / f"data/raw/quickstart/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    read = [json.loads(line) for line in lines[:n]]
    if SHORT:
        return [(row["question"].split(". ")[-1], row["answer"].split("\n")[-1]) for row in read]
    return [(row["question"], row["answer"]) for row in read]


def student_format() -> StudentFormat:
    """Read the template that all ways share."""
    return load_section(ROOT / "llm2llm/tasks/gsm8k.yaml", "student", StudentFormat)


def encoded(base: Path, name: str, n: int):
    """Encode rows as the project does; give model and tokenizer too."""
    import torch

    from llm2llm.student.formatting import Template
    from llm2llm.student.pretrained import load_base

    torch.set_num_threads(THREADS)
    model, tokenizer = load_base(base)
    inputs, targets = zip(*rows(name, n), strict=True)
    return model, tokenizer, Template(student_format(), tokenizer).encode(inputs, targets)


def arguments(folder: Path, epochs: int) -> dict:
    """Set what all trainings share."""
    return {
        "output_dir": str(folder / "out"),
        "num_train_epochs": epochs,
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "adam_beta2": 0.98,
        "max_grad_norm": 1.0,
        "optim": "adamw_torch_fused",
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": 1,
    }


def held_out_loss(model, base: Path) -> float:
    """Compute the loss on dev rows, so that the ways can be seen to learn alike."""
    from llm2llm.student.batches import dev_batches
    from llm2llm.student.collating import causal_collator
    from llm2llm.student.early_stopping import mean_loss

    _, _, held_out = encoded(base, "dev", 64)
    collate = causal_collator(model)
    return mean_loss(model, [collate([part]) for part in dev_batches(held_out, 16)], None)


def train_llm2llm(folder: Path, base: Path, n: int, epochs: int, size: int) -> dict:
    """Train by the project's own function, start-up and storing included in its CPU seconds."""
    from llm2llm.params.train_iter import TrainIterParams
    from llm2llm.student.training import train_student
    from llm2llm.student.training_facts import Training

    params = load_section(ROOT / "params.yaml", "train_iter", TrainIterParams).model_copy(
        update={
            "epochs": epochs,
            "batch_size": size,
            "learning_rate": LEARNING_RATE,
            "warmup_share": 0.0,
            "device": "cpu",
            "threads": THREADS,
        }
    )
    training = Training(rows("train", n), base, student_format(), params, 1, None)
    import torch  # noqa: F401
    import transformers.trainer  # noqa: F401

    marks = []
    student = train_student(
        training,
        store=folder,
        checkpoint_every_steps=10_000,
        on_wait=lambda _: None,
        on_progress=lambda *_: marks.append(time.process_time()),
        use=lambda _: None,
    )
    done = time.process_time()
    begun = marks[0]
    from transformers import AutoModelForCausalLM

    counts = json.loads((student / "manifest.json").read_text())["counts"]
    return {
        "begun": begun,
        "done": done,
        "tokens": epochs * counts["tokens"],
        "loss": held_out_loss(AutoModelForCausalLM.from_pretrained(student), base),
    }


def train_published(folder: Path, base: Path, n: int, epochs: int, size: int) -> dict:
    """Train one row per device step, in file order, gradients added up over a batch."""
    import torch
    from transformers import Trainer, TrainingArguments

    model, tokenizer, examples = encoded(base, "train", n)

    def collate(items):
        width = max(len(item["input_ids"]) for item in items)
        pad = tokenizer.pad_token_id
        ids = [item["input_ids"] + [pad] * (width - len(item["input_ids"])) for item in items]
        labels = [item["labels"] + [-100] * (width - len(item["labels"])) for item in items]
        input_ids = torch.tensor(ids)
        return {
            "input_ids": input_ids,
            "labels": torch.tensor(labels),
            "attention_mask": input_ids.ne(pad),
        }

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            per_device_train_batch_size=1,
            gradient_accumulation_steps=size,
            train_sampling_strategy="sequential",
            remove_unused_columns=False,
            **arguments(folder, epochs),
        ),
        train_dataset=[{"input_ids": e.input_ids, "labels": e.labels} for e in examples],
        data_collator=collate,
    )
    begun = time.process_time()
    trainer.train()
    trainer.save_model()
    done = time.process_time()
    tokens = epochs * sum(len(e.input_ids) for e in examples)
    return {"begun": begun, "done": done, "tokens": tokens, "loss": held_out_loss(model, base)}


def train_trl(folder: Path, base: Path, n: int, epochs: int, size: int) -> dict:
    """Train by SFTTrainer on the same tokens, unpacked, in its own random order."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer, examples = encoded(base, "train", n)
    data = Dataset.from_dict(
        {
            "input_ids": [e.input_ids for e in examples],
            "completion_mask": [
                [0] * e.n_prompt + [1] * (len(e.input_ids) - e.n_prompt) for e in examples
            ],
        }
    )
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            per_device_train_batch_size=size,
            completion_only_loss=True,
            packing=False,
            max_length=None,
            gradient_checkpointing=False,
            **arguments(folder, epochs),
        ),
        train_dataset=data,
        processing_class=tokenizer,
    )
    begun = time.process_time()
    trainer.train()
    trainer.save_model()
    done = time.process_time()
    tokens = epochs * sum(len(e.input_ids) for e in examples)
    return {"begun": begun, "done": done, "tokens": tokens, "loss": held_out_loss(model, base)}


def a_student(base: Path) -> Path:
    """Train a student to be asked: 240 rows, three epochs, always the same."""
    from llm2llm.params.train_iter import TrainIterParams
    from llm2llm.student.training import train_student
    from llm2llm.student.training_facts import Training

    params = load_section(ROOT / "params.yaml", "train_iter", TrainIterParams).model_copy(
        update={"epochs": 3, "device": "cpu", "threads": THREADS}
    )
    training = Training(rows("train", 240), base, student_format(), params, 1, None)
    return train_student(
        training,
        store=ROOT / "build/benchmark",
        checkpoint_every_steps=10_000,
        on_wait=lambda _: None,
        on_progress=lambda *_: None,
        use=lambda _: None,
    )


def import_all() -> None:
    """Import what both ways of asking need, whose time is not the answering's."""
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401
    from transformers.models.llama import modeling_llama  # noqa: F401


def asking_params() -> PredictParams:
    """Ask in batches of 64, without the calculator."""
    return load_section(ROOT / "params.yaml", "predict", MeasuringParams).answering.model_copy(
        update={
            "batch_size": 64,
            "max_new_tokens": MAX_NEW_TOKENS,
            "calculator": False,
            "device": "cpu",
            "threads": THREADS,
            "samples": 1,
            "engine": "transformers",
        }
    )


def predict_llm2llm(folder: Path, base: Path, n: int, _epochs: int, _size: int) -> dict:
    """Ask by the project's own function; loading and storing are in its CPU seconds."""
    from llm2llm.student.prediction import Asking, answers

    student = a_student(base)
    asked = [text for text, _ in rows("test", n)]
    import_all()
    asking = Asking(asked, [], student, base, student_format(), asking_params(), 1)
    begun = time.process_time()
    answered = answers(
        asking,
        store=folder,
        set_default=lambda *_: None,
        on_wait=lambda _: None,
        on_progress=lambda *_: None,
    ).greedy
    done = time.process_time()
    return {"begun": begun, "done": done, "tokens": sum(a.n_tokens for a in answered)}


def predict_published(_folder: Path, base: Path, n: int, _epochs: int, _size: int) -> dict:
    """Ask in batches of 64 in file order, padded on the left, each until its last row ends."""
    student = a_student(base)
    import_all()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from llm2llm.student.formatting import Template

    begun = time.process_time()
    torch.set_num_threads(THREADS)
    tokenizer = AutoTokenizer.from_pretrained(student)
    model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32).eval()
    prompts = Template(student_format(), tokenizer).encode_prompts([t for t, _ in rows("test", n)])
    tokens = 0
    for start in range(0, len(prompts), 64):
        batch = prompts[start : start + 64]
        width = max(map(len, batch))
        ids = torch.tensor([[tokenizer.pad_token_id] * (width - len(p)) + p for p in batch])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in batch])
        with torch.no_grad():
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=MAX_NEW_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        for row in out[:, width:].tolist():
            end = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else None
            tokens += len(row[:end])
    return {"begun": begun, "done": time.process_time(), "tokens": tokens}


def predict_vllm(_folder: Path, base: Path, n: int, _epochs: int, _size: int) -> dict:
    """Ask by the project's other engine, which was started and asked once before."""
    import os

    from llm2llm.student.engine import Question
    from llm2llm.student.vllm_engine import VllmEngine

    student = a_student(base)
    # The memory of its cache; a compiled model is slower to start, on a CPU by minutes.
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    params = asking_params()
    params = params.model_copy(
        update={"vllm": params.vllm.model_copy(update={"enforce_eager": True})}
    )
    engine = VllmEngine(
        student, base, student_format(), params, "cpu", set_default=os.environ.setdefault
    )
    questions = [Question(p, None) for p in engine.encode([t for t, _ in rows("test", n)])]
    engine.answer(questions[:1], 1)
    begun = time.process_time()
    answered = engine.answer(questions, MAX_NEW_TOKENS)
    done = time.process_time()
    return {"begun": begun, "done": done, "tokens": sum(a.n_tokens for a in answered)}


def main() -> None:
    """Run the way that the command line names, and print what it took as JSON."""
    global SHORT
    task, way, folder, base, *numbers, length = sys.argv[1:]
    SHORT = length == "short"
    n, epochs, size = map(int, numbers)
    function = globals()[f"{task}_{way}"]
    found = function(Path(folder), Path(base), n, epochs, size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "tokens": found["tokens"],
                "cpu_s": found["done"] - found["begun"],
                "start_up_cpu_s": found["begun"],
                "peak_mb": math.ceil(peak),
                "loss": found.get("loss"),
            }
        )
    )


if __name__ == "__main__":
    main()
