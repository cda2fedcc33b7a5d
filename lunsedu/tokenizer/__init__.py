"""Text in, token ids out, and back: byte-level byte-pair encoding. The course's first step.

Read in this order: bpe.py (the algorithm: count pairs, merge them), pretokenizer.py (where words
are cut), added_tokens.py (names that are found before words are cut), tokenizer.py (the Tokenizer
that puts all together), tokenizer_json.py (its file, in the format of Hugging Face tokenizers).
loops.py and learning_loops.py do the same in compiled loops, after `use_compiled()`.

What is not here: reading your texts from files (dataset/).
"""

from lunsedu.tokenizer.tokenizer import SMALLEST_VOCAB, SPECIAL_TOKENS, Tokenizer, check_vocab_size

__all__ = ["SMALLEST_VOCAB", "SPECIAL_TOKENS", "Tokenizer", "check_vocab_size"]
