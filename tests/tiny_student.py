"""Base models of 30,000 random weights, causal and encoder, and trainings of them, for tests."""

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

from llm2llm.params.predict import PredictParams, PredictVllmParams
from llm2llm.params.train_iter import LoraParams, TrainIterParams
from llm2llm.student.base import describe_embedded, write_base
from llm2llm.student.pace import Progress
from llm2llm.student.training import train_student
from llm2llm.student.training_facts import Training
from llm2llm.tasks.sections import AnswerFormat, StudentFormat

FORMAT = StudentFormat(prompt="Q: {{ input }}\nA: ", chat=False)
EXAMPLES = [(f"{number} and {number % 7}", "ab" * (1 + number % 5)) for number in range(22)]

LABELS = ["LOW", "HIGH"]
LABELED = [
    (f"{'little' if i % 2 else 'lots'} {'of it ' * (i % 4)}", LABELS[1 - i % 2]) for i in range(22)
]

TRAIN = TrainIterParams(
    kind="causal",
    continuous=False,
    method="full",
    lora=LoraParams(rank=4, alpha=8.0, dropout=0.1, target_modules="all-linear"),
    quantize=None,
    epochs=4,
    learning_rate=0.01,
    schedule="linear",
    warmup_share=0.1,
    weight_decay=0.01,
    adam_beta2=0.98,
    max_grad_norm=1.0,
    early_stopping=None,
    batch_size=6,
    micro_batch_size=None,
    length_grouped=True,
    max_tokens=None,
    precision="auto",
    gradient_checkpointing=False,
    processes=1,
    device="cpu",
    threads=1,
)

PREDICT = PredictParams(
    batch_size=4,
    max_new_tokens=None,
    test_rows=None,
    calculator=False,
    engine="auto",
    samples=1,
    temperature=1.0,
    vllm=PredictVllmParams(tensor_parallel_size=1, gpu_memory_utilization=0.9, enforce_eager=False),
    precision="auto",
    device="cpu",
    threads=1,
)

# A process forked from one that has these costs milliseconds, not seconds.
PRELOAD = [
    "torch",
    "peft",
    "transformers.trainer",
    "transformers.models.auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
]


def make_tokenizer(extra_tokens: list[str] | None = None):
    """Make a byte-level tokenizer without merges, with a few whole tokens if wanted."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in extra_tokens or []])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def make_base(folder: Path, random_seed: int = 0) -> Path:
    """Write a base folder: base.json, and a random model with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(random_seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    )
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    write_base(folder, describe_embedded(folder / "model"))
    return folder


def make_encoder(folder: Path, *, pooler: bool = True, dropout: float = 0.0) -> Path:
    """Write a base folder: base.json, and a random encoder without a head, with its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=0,
    )
    BertModel(config, add_pooling_layer=pooler).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    write_base(folder, describe_embedded(folder / "model"))
    return folder


def a_classifier(base_folder: Path, **changes) -> Training:
    """Describe a training of a classifier of 16 updates, as `a_training` does."""
    answer = AnswerFormat(
        **dict.fromkeys(AnswerFormat.model_fields)
        | {"kind": "label", "pattern": None, "labels": LABELS}
    )
    return a_training(
        base_folder,
        **{
            "kind": "classifier",
            "examples": LABELED,
            "student_format": StudentFormat(prompt="{{ input }}", chat=False),
            "answer_format": answer,
        }
        | changes,
    )


def a_training(base_folder: Path, **changes) -> Training:
    """Describe a training of 16 updates; `changes` are of params, or of the training itself."""
    fields = TrainIterParams.model_fields
    params = {name: changes.pop(name) for name in list(changes) if name in fields}
    training = Training(EXAMPLES, base_folder, FORMAT, TRAIN.model_copy(update=params), 1, None)
    return replace(training, **changes)


def train(training: Training, store: Path, kill_at: int | None = None) -> Path:
    """Train with a state every 3 updates; at update `kill_at` this process kills itself."""

    def on_progress(progress: Progress) -> None:
        if progress.n_done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return train_student(
        training,
        store=store,
        checkpoint_every_steps=3,
        on_wait=lambda _holder: None,
        on_progress=on_progress,
        use=lambda _student: None,
    )


def in_child(function, *arguments) -> int:
    """Call a function in a process of its own; give its exit code, -9 if it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    child = context.Process(target=function, args=arguments)
    child.start()
    child.join()
    return child.exitcode
