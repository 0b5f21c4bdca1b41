"""The embedded student's tokenizer: words, single digits, and bytes for everything else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"

# One digit, the marks of GSM8K's annotations and final line, a word or mark with the space before.
_PIECES = r"\nAnswer: |\n#### | ?<<|>>|\d| ?\p{L}+| ?[^\s\p{L}\d]|\s"
_MARKS = ["\nAnswer: ", "\n#### ", "<<", " <<", ">>", "Question", ":", "####", " ####", " $", "$"]
_PUNCTUATION = ".,?!:;'\"-+*/=()%"


def make_tokenizer(words: list[str], n_positions: int) -> "PreTrainedTokenizerFast":
    """Make a tokenizer that knows these words; any other text is spelled out in bytes.

    Every text comes back whole from encode and decode. The names of its special tokens, where a
    text has them, are text.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    byte_letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*_MARKS, *_PUNCTUATION, *(f" {mark}" for mark in _PUNCTUATION)]
    pieces += [word for word in words if word[0].isupper()]  # the others follow a space
    pieces += [f" {word}" for word in words]
    spelled = [_spell(piece) for piece in pieces]
    tokens = list(dict.fromkeys([PAD, BEGIN, END, *byte_letters, *spelled]))
    vocabulary = {token: i for i, token in enumerate(tokens)}
    # A piece that is in the vocabulary is one token; without merges all others fall into bytes.
    core = Tokenizer(models.BPE(vocabulary, [], ignore_merges=True))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
        padding_side="left",
        model_max_length=n_positions,
    )


def _spell(text: str) -> str:
    from tokenizers import pre_tokenizers

    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return "".join(piece for piece, _ in letters.pre_tokenize_str(text))
