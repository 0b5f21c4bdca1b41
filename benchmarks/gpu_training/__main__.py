"""Train a Llama of a billion random weights in three ways: tokens per second, share of the peak.

    python benchmarks/gpu_training --peak-tflops 989 --out gpu.json    (989: H100 SXM, bf16 dense)

For LoRA and full training each way runs in a process of its own: this project's function; the plain
Trainer with one row per device step, as the published script does it; TRL's SFTTrainer where it is
installed, unpacked, with as many rows at a time as this project. All see the same rows of unequal
length and start from the same weights. The clock runs from the end of the first update to the end
of the last, the device synchronized at both. Share of the peak: 6 FLOP for each token and weight of
the layers in full training, 4 under LoRA, whose base has no gradient; head and attention's scores
are left out. `--tiny` shows on any machine that it runs.
"""

import argparse
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from ways import WAYS, one

from llm2llm.student.checkpoint import tensor_shapes

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))  # where a tokenizer is made
NAMES = ("hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")
NAMES += ("num_attention_heads", "num_key_value_heads", "max_position_embeddings")
BILLION = dict(zip(NAMES, (2048, 8192, 16, 32000, 32, 8, 2048), strict=True))
TINY = dict(zip(NAMES, (32, 64, 2, 300, 2, 2, 2048), strict=True))


def make_base(folder: Path, sizes: dict) -> None:
    import torch
    from tiny_student import make_tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    from llm2llm.student.base import describe_embedded, write_base

    torch.manual_seed(0)
    config = LlamaConfig(**sizes, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    make_tokenizer().save_pretrained(folder / "model")
    write_base(folder, describe_embedded(folder / "model"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="a model of a few thousand weights")
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="of the card, bf16, dense")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rows-at-a-time", type=int, default=8)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--longest", type=int, default=1024, help="in tokens; the shortest: 1/4")
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one[0], given.one[1], Path(given.one[2]), given)
        return
    sizes = TINY if given.tiny else BILLION
    found = []
    with tempfile.TemporaryDirectory() as folder:
        make_base(Path(folder), sizes)
        shapes = tensor_shapes(Path(folder) / "model")
        n_weights = sum(math.prod(shape) for name, shape in shapes if ".layers." in name)
        for method in ("lora", "full"):
            for way in WAYS if importlib.util.find_spec("trl") else WAYS[:2]:
                command = [sys.executable, str(HERE), *sys.argv[1:], "--one", way, method, folder]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                told = done.stdout.rpartition("found: ")[2]
                found.append(json.loads(told.splitlines()[0]))
    print(
        f"{found[0]['device']}, torch {found[0]['torch']}; {n_weights:,} weights in the layers;"
        f" {given.batch} rows an update, {given.rows_at_a_time} at a time, of up to"
        f" {given.longest} tokens\n\n| method | way | tokens/s | share of the peak, % | peak"
        " memory, GiB |\n|---|---|---|---|---|"
    )
    for each in found:
        flop = (4 if each["method"] == "lora" else 6) * n_weights
        each["share_of_peak"] = each["tokens_per_s"] * flop / (given.peak_tflops * 1e12)
        share, memory = 100 * each["share_of_peak"], each["peak_bytes"] / 2**30
        told = f"{each['tokens_per_s']:,.0f} | {share:.1f} | {memory:.1f}"
        print(f"| {each['method']} | {each['way']} | {told} |")
    if given.out:
        told = {"sizes": sizes, "layer_weights": n_weights, "given": vars(given), "ways": found}
        given.out.write_text(json.dumps(told, indent=1, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
