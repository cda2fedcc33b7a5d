"""Make candidates.png, the README's picture of the candidates view, from a real run:

    python notebooks/images/make_candidates.py

It trains the README's sample model (less than a minute on two cores) and draws its candidates,
with the settings under which the notebooks are built, so that the picture stays the same. It needs
the extras: pip install -e ".[lab,test,dev]"
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from build import SAME_SUMS  # noqa: E402

os.environ.update(SAME_SUMS)  # before numpy is loaded

from lunsedu import LunsDataset, LunsformterModel, data_path  # noqa: E402
from lunsedu.display.stills import candidates_picture  # noqa: E402


def main():
    lm = LunsformterModel(LunsDataset(data_path("chat_data.txt")))
    lm.fit(epochs=300, verbose=False)
    result = lm.insideout("Once upon a time", max_tokens=20, num_candidates=5)
    picture = candidates_picture(result, note="")
    picture.save(HERE / "candidates.png")
    print(picture.alt)


if __name__ == "__main__":
    main()
