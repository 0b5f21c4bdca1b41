"""One way to train on a GPU, in a process of its own; `__main__.py` calls it."""

import argparse
import json
import random
import resource
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAYS = ("llm2llm", "one row a step", "SFTTrainer")
FORM = {"prompt": "{{ input }}", "chat": False}


def rows(n: int, longest: int) -> list[tuple[str, str]]:
    """Draw texts, half question and half answer; a letter is a token."""
    draw = random.Random(0)
    lengths = [draw.randint(longest // 8, longest // 2 - 2) for _ in range(n)]
    return [tuple("".join(draw.choices("abcdefgh ", k=k)) + "." for _ in "qa") for k in lengths]


def by_llm2llm(folder: Path, params, mark, data) -> None:
    from llm2llm.student.training import train_student
    from llm2llm.student.training_facts import Training
    from llm2llm.tasks.sections import StudentFormat

    def on_progress(at) -> None:
        if at.n_new:
            mark(at.n_new_tokens)

    training = Training(data, folder, StudentFormat(**FORM), params, 1, None)
    how = {"store": folder / "store", "checkpoint_every_steps": 10**9, "on_progress": on_progress}
    train_student(training, on_wait=lambda _: None, use=lambda _: None, **how)


def by_trainer(way: str, folder: Path, params, mark, data, cuda: bool) -> None:
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from llm2llm.student.adapters import with_new_adapter
    from llm2llm.student.compute import uses_bf16
    from llm2llm.student.formatting import Template
    from llm2llm.student.pretrained import load_base
    from llm2llm.tasks.sections import StudentFormat

    bf16 = uses_bf16("auto", "cuda" if cuda else "cpu")
    model, tokenizer = load_base(folder, bf16=bf16 and params.method == "lora")
    inputs, targets = zip(*data, strict=True)
    examples = Template(StudentFormat(**FORM), tokenizer).encode(inputs, targets)
    if params.method == "lora":
        model = with_new_adapter(model, params, 1)

    class Marks(TrainerCallback):
        def on_step_end(self, _args, state, _control, **_):
            seen = examples[: state.global_step * params.batch_size]
            mark(sum(len(example.input_ids) for example in seen))

    at_a_time = 1 if way == WAYS[1] else params.micro_batch_size
    arguments = dict.fromkeys(("save_strategy", "logging_strategy"), "no")
    arguments |= {"num_train_epochs": 1, "learning_rate": params.learning_rate, "bf16": bf16}
    arguments |= {"output_dir": str(folder / "out"), "per_device_train_batch_size": at_a_time}
    arguments |= {"gradient_accumulation_steps": params.batch_size // at_a_time}
    arguments |= {"train_sampling_strategy": "sequential", "optim": "adamw_torch_fused"}
    arguments |= {"gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True}
    arguments |= {"use_cpu": not cuda}
    if way == WAYS[1]:
        trainer = Trainer(
            model,
            TrainingArguments(remove_unused_columns=False, **arguments),
            lambda items: {k: torch.tensor([v]) for k, v in items[0].items()},
            [{"input_ids": e.input_ids, "labels": e.labels} for e in examples],
            callbacks=[Marks()],
        )
    else:
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        masks = [[int(label >= 0) for label in e.labels] for e in examples]
        ids = [e.input_ids for e in examples]
        unpacked = {"completion_only_loss": True, "packing": False, "max_length": None}
        trainer = SFTTrainer(
            model,
            SFTConfig(**unpacked, **arguments),
            train_dataset=Dataset.from_dict({"input_ids": ids, "completion_mask": masks}),
            processing_class=tokenizer,
            callbacks=[Marks()],
        )
    trainer.train()


def one(way: str, method: str, folder: Path, given: argparse.Namespace) -> None:
    """Train in one way, and print what was measured."""
    import torch

    from llm2llm.params.loading import load_section
    from llm2llm.params.train_iter import TrainIterParams

    cuda = torch.cuda.is_available()
    marks: list[tuple[float, int]] = []  # time, and tokens so far, at the end of each update

    def mark(n_tokens: int) -> None:
        if cuda:
            torch.cuda.synchronize()
        marks.append((time.perf_counter(), n_tokens))

    changes = {"method": method, "epochs": 1, "learning_rate": 1e-5}
    changes |= {"batch_size": given.batch, "micro_batch_size": given.rows_at_a_time}
    params = load_section(ROOT / "params.yaml", "train_iter", TrainIterParams)
    params = params.model_copy(update=changes)
    data = rows(given.batch * given.updates, given.longest)
    if way == WAYS[0]:
        by_llm2llm(folder, params, mark, data)
    else:
        by_trainer(way, folder, params, mark, data, cuda)
    (begun, before), (done, after) = marks[0], marks[-1]
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {"way": way, "method": method, "tokens_per_s": (after - before) / (done - begun)}
    found["peak_bytes"] = torch.cuda.max_memory_allocated() if cuda else ours
    found["device"] = torch.cuda.get_device_name() if cuda else "CPU"
    print("found: " + json.dumps(found | {"torch": torch.__version__}))
