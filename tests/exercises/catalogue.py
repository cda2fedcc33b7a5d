"""Where the catalogue of wrong and right answers is collected.

@wrong(check_softmax, "sum to one over the wrong axis")   # words that the message must hold
def softmax_of_columns(scores): ...

@right(check_softmax)
def softmax_by_loops(scores): ...
"""

WRONG = []  # (check, answer, words)
RIGHT = []  # (check, answer)


def wrong(check, words):
    def keep(answer):
        WRONG.append((check, answer, words))
        return answer

    return keep


def right(check):
    def keep(answer):
        RIGHT.append((check, answer))
        return answer

    return keep
