"""InsideOut with the shipped model: 5 candidates of 12 tokens, beside transformers and greedy.

    python tests/benchmarks/insideout.py [--rounds 60] [--threads 2]

transformers opens the folder that `save_pretrained` writes and runs `generate` with 5 beams.
From text to text on both sides, the tokenizer included. The end token is switched off on both
sides, so that every candidate and every beam has exactly 12 tokens. Before the race the script
checks that our own beam search finds the very tokens that transformers' finds.

The rivals work by turns, first one call a turn, then several in a row, as when a slider is dragged:
the first call after another program had the machine finds the processor's memories cold, and the
shorter a call is, the larger a share of it that costs.
"""

import dataclasses
import tempfile

from side_by_side import Rival, arguments, machine, race, ratios, report, set_threads

TOKENS, CANDIDATES = 12, 5
CALLS = 5
OURS = "InsideOut, 5 candidates"
COMPILED = "InsideOut, compiled"
PROMPT = "mia hides a pea under cup 2 . swap 1 2 , 1 4 , 3 4 , 2 3 . so"


def endless_model():
    """The shipped model without an end token, and its tokenizer."""
    from lunsedu import Lunsformter, load_example

    lm = load_example("stories")
    config = dataclasses.replace(lm.model.config, eos_id=None)
    return Lunsformter.from_arrays(config, lm.model.named_parameters()), lm.tokenizer


def ours(decoder, compiled=False, **options):
    """One of our decoders; the facts are the ids it found, all candidates counted."""
    from lunsedu import decoding
    from lunsedu.model import use_compiled

    use_compiled(compiled)
    model, tokenizer = endless_model()
    decode = getattr(decoding, decoder)

    def job():
        ids = tokenizer.encode(PROMPT, add_bos=True)
        result = decode(model, ids, TOKENS, tokenizer=tokenizer, prompt=PROMPT, **options)
        return result, result.text  # the text is made when one asks for it

    result, _ = job()
    assert all(len(candidate.token_ids) == TOKENS for candidate in result.candidates)
    return [int(i) for i in result.best.token_ids], job


def theirs(folder, threads, beams):
    """transformers' generate; the facts are the ids it found."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    settings = model.generation_config
    settings.max_new_tokens, settings.num_beams, settings.do_sample = TOKENS, beams, False
    settings.eos_token_id = None
    bos = [tokenizer.bos_token_id]

    def job():
        ids = torch.tensor([bos + tokenizer.encode(PROMPT, add_special_tokens=False)])
        found = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
        return found[0, ids.shape[1] :].tolist(), tokenizer.decode(found[0])

    return job()[0], job


def main():
    options = arguments(__doc__, rounds=60).parse_args()
    set_threads(options.threads)
    machine(options, ["numpy", "numba", "torch", "transformers"])
    with tempfile.TemporaryDirectory() as folder:
        from lunsedu import load_example

        load_example("stories").save_pretrained(folder)
        rivals = {
            OURS: Rival(insideout),
            COMPILED: Rival(insideout, True),
            "greedy, 1 sequence": Rival(ours, "greedy"),
            "greedy, compiled": Rival(ours, "greedy", True),
            "beam search, 5 beams": Rival(beams),
            "transformers, 5 beams": Rival(theirs, folder, options.threads, CANDIDATES),
            "transformers, greedy": Rival(theirs, folder, options.threads, 1),
        }
        for mine, other in (
            ("beam search, 5 beams", "transformers, 5 beams"),
            ("greedy, 1 sequence", "transformers, greedy"),
            (COMPILED, OURS),
        ):
            assert rivals[mine].facts == rivals[other].facts, (mine, rivals[mine].facts)
        for times, how in ((1, "one call a turn"), (CALLS, f"{CALLS} calls in a row a turn")):
            seconds = race(rivals, options.rounds, times)
            for mine, alone in ((OURS, "greedy, 1 sequence"), (COMPILED, "greedy, compiled")):
                report(f"{TOKENS} tokens after {PROMPT!r}, {how}", seconds, mine)
                low, middle, high = ratios(seconds, alone, mine)
                print(f"  {mine} over {alone}: {middle:.2f} (quartiles {low:.2f} to {high:.2f})")
        for rival in rivals.values():
            rival.stop()


def insideout(compiled=False):
    return ours("insideout", compiled, num_candidates=CANDIDATES)


def beams():
    return ours("beam_search", num_beams=CANDIDATES)


if __name__ == "__main__":
    main()
