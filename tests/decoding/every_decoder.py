"""Each decoder under its name, called alike."""

from functools import partial

from fakes import TableModel, table_from_probs

from lunsedu.decoding import beam_search, exhaustive, greedy, insideout, sample

SCORES = ("arithmetic", "geometric", "sum")

PAD, BOS, EOS = 0, 1, 2

DECODERS = {
    "greedy": greedy,
    "sample": partial(sample, seed=0, num_samples=3),  # adds no frame: warnings name the caller
    "beam_search": beam_search,
    "insideout": insideout,
    "exhaustive": exhaustive,
}


def hand_model():
    """ids: pad bos eos 3 4 5. After 3 the tokens hesitate, after 4 they are certain."""
    rows = table_from_probs(
        _1=[0, 0, 0, 0.6, 0.3, 0.1],
        _3=[0, 0, 0.4, 0.2, 0.2, 0.2],
        _4=[0, 0, 0.05, 0, 0, 0.95],
        _5=[0, 0, 0.9, 0, 0, 0.1],
    )
    return TableModel(vocab_size=6, order=1, rows=rows)
