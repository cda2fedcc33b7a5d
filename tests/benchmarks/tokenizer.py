"""Training a tokenizer and encoding with it, beside Hugging Face tokenizers (Rust).

    python tests/benchmarks/tokenizer.py [--rounds 20] [--threads 2]

The text is half a megabyte of English that every Python brings along, `pydoc_data.topics`; both
learn 1,000 merges from its lines. For encoding, both use the one tokenizer that we trained, saved
and opened in the other; the script checks that every line gets the same ids. Encoding line by line
works on one thread on both sides. "Anew" starts each round without the words that either side
remembers from before.

"Compiled" is the same with numba's loops (lunsedu.use_compiled).
"""

from pydoc_data.topics import topics

from side_by_side import Rival, arguments, machine, race, report, set_threads

MERGES = 1000
SPECIALS = ["<|pad|>", "<|bos|>", "<|eos|>"]
VOCABULARY = 256 + MERGES + len(SPECIALS)


def lines():
    return "\n".join(topics.values()).split("\n")


def our_training(compiled):
    from lunsedu import Tokenizer, use_compiled

    use_compiled(compiled)
    texts = lines()
    return len(Tokenizer.train(texts, VOCABULARY).merges), lambda: Tokenizer.train(
        texts, VOCABULARY
    )


def their_training():
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    texts = lines()

    def job():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIALS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            min_frequency=2,
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return tokenizer

    return job().get_vocab_size() - 256 - len(SPECIALS), job


def our_encoding(compiled, file, anew):
    from lunsedu import Tokenizer, use_compiled

    use_compiled(compiled)
    tokenizer, texts = Tokenizer.load(file), lines()

    def job():
        if anew:
            tokenizer._cache.clear()
        return [tokenizer.encode(text) for text in texts]

    return job(), job


def their_encoding(file, anew):
    from tokenizers import Tokenizer

    tokenizer, texts = Tokenizer.from_file(file), lines()

    def job():
        if anew:
            tokenizer.model._clear_cache()
        return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]

    return job(), job


def main():
    options = arguments(__doc__, rounds=20).parse_args()
    set_threads(options.threads)
    machine(options, ["numpy", "numba", "regex", "tokenizers"])
    import os
    import tempfile

    from lunsedu import Tokenizer

    texts = lines()
    print(f"{sum(len(text) for text in texts):,} characters in {len(texts):,} lines")
    _race(f"training, {MERGES} merges", our_training, their_training, (), options)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "tokenizer.json")
        Tokenizer.train(texts, VOCABULARY).save(file)
        for anew in (True, False):
            title = "encoding line by line, " + ("anew" if anew else "words seen before")
            _race(title, our_encoding, their_encoding, (file, anew), options)


def _race(title, ours, theirs, work, options):
    rivals = {
        "lunsedu": Rival(ours, False, *work),
        "lunsedu, compiled": Rival(ours, True, *work),
        "Hugging Face": Rival(theirs, *work),
    }
    facts = [rival.facts for rival in rivals.values()]
    assert facts[0] == facts[1] == facts[2], f"{title}: they do not do the same work"
    seconds = race(rivals, options.rounds)
    for mine in ("lunsedu", "lunsedu, compiled"):
        report(title, seconds, mine)
    for rival in rivals.values():
        rival.stop()


if __name__ == "__main__":
    main()
