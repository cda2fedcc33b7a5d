"""Make candidates.png, the README's picture of the candidates view, from a real run:

    python notebooks/images/make_candidates.py

It trains the README's sample model (less than a minute on two cores) and draws its candidates.
"""

from pathlib import Path

from lunsedu import LunsDataset, LunsformterModel, data_path
from lunsedu.stills import candidates_picture


def main():
    lm = LunsformterModel(LunsDataset(data_path("chat_data.txt")))
    lm.fit(epochs=300)
    result = lm.insideout("Once upon a time", max_tokens=20, num_candidates=5)
    picture = candidates_picture(result, note="")
    picture.save(Path(__file__).with_name("candidates.png"))
    print(picture.alt)


if __name__ == "__main__":
    main()
