"""Answer by vLLM as anybody would, without this project's code.

Usage: python ask_bare_vllm.py MODEL ADAPTER PROMPTS; ADAPTER may be empty, PROMPTS is JSON: lists
of token ids. Prints the token ids of the answers as one JSON line, with an adapter those of the
base model alone first.
"""

import json
import os
import sys

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")


def main(model: str, adapter: str, prompts: str) -> None:
    """Print what the model answers, without and with the adapter."""
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    lora = {"enable_lora": True, "max_lora_rank": 8} if adapter else {}
    llm = LLM(model=model, dtype="float32", enforce_eager=True, max_model_len=256, **lora)
    asked = [{"prompt_token_ids": ids} for ids in json.loads(prompts)]
    sampling = SamplingParams(temperature=0.0, max_tokens=12, stop_token_ids=[2])
    found = []
    for request in [None, LoRARequest("it", 1, adapter)] if adapter else [None]:
        outputs = llm.generate(asked, sampling, lora_request=request, use_tqdm=False)
        found.append([list(output.outputs[0].token_ids) for output in outputs])
    sys.stdout.write(f"answered: {json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
