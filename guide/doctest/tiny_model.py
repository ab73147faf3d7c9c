"""A tiny random Qwen2 with its own tokenizer, made on the spot: the model of the engine tests.

Same architecture and file layout as the checkpoints the pages name, so that an engine loads it the same way.
The weights are random and seeded; nothing is downloaded.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

HEAD_DIM = 32  # the smallest head size that vLLM's CPU attention accepts
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CORPUS = (
    "system user assistant",
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.",
    "How many clips did Natalia sell altogether in April and May? The answer is 72.",
    "San Francisco is a city. Let us think step by step.",
)


def make_tiny_qwen2(
    directory: Path, *, hidden: int = 64, layers: int = 2, vocab: int = 320, seed: int = 0, spread: float = 0.3
) -> Path:
    """Write a model and a tokenizer into `directory` and return it.

    `hidden` is a multiple of 64 (two heads at least, so that tensor parallel 2 can split them);
    `vocab` is at least 259 (256 bytes and three special tokens); `spread` is the standard deviation of the weights.
    Wide weights put the logits far apart, so that rounding cannot change which token is the greedy one; a model that
    is to be trained starts with narrow ones, so that every token is tried.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _tokenizer(vocab).save_pretrained(directory)
    _model(hidden, layers, vocab, seed, spread).save_pretrained(directory)
    return directory


def _tokenizer(vocab: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
    )


def _model(hidden: int, layers: int, vocab: int, seed: int, spread: float) -> Qwen2ForCausalLM:
    config = Qwen2Config(
        vocab_size=vocab,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // HEAD_DIM,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        initializer_range=spread,
        tie_word_embeddings=False,
        bos_token_id=None,
        pad_token_id=SPECIAL.index("<|endoftext|>"),
        eos_token_id=SPECIAL.index("<|im_end|>"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(config)
