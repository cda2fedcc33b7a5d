"""What several files of this room share."""

import pytest
from some_texts import CHAT

from lunsedu.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def chat():
    return Tokenizer.train(CHAT * 3, vocab_size=330)
