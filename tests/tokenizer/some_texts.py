"""Texts for the tests of this room, and what the library tokenizers is for them."""

from hypothesis import settings

CHAT = [
    "hello, how are you?",
    "I'm fine, thank you! And you?",
    "it's 12 o'clock, we've got 30 minutes",
    "hello hello hello   there",
    "naïve café, 東京タワー, добрый день, 👩‍🚀 in space",
    "aaaaaaaaaaaaaaaa banana bandana",
]

TEXTS = [
    "",
    " ",
    "hello",
    "  two  spaces  and a tail   ",
    "tabs\tand\nlines\r\nand\x0b\x0cothers\x85\u2028\u2029\xa0.",
    "I'll say: you're 1st, we've 2½ and ③ IV ⅣⅤ",
    "don't DON'T d'accord 'tis ''s's",
    "for (int i = 0; i < 10; i++) { x[i] *= 3.14e-10; }",
    "東京は夜の七時。ภาษาไทย भाषा العربية עברית ελληνικά 한국어",
    "👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ zero\u200bwidth e\u0301",
    "\x00\x01\x7f\x1c\x1d control",
    "x" * 300 + " " + "ab" * 100 + " " * 50,
    "٣٤٥ ௧௨ १२३ 12345 1,000,000.00",
    "ſ ß İ ı K",
]

quick = settings(deadline=None, max_examples=150)
