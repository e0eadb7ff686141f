"""Answers that every checker meets, and how an answer is examined."""


def untouched(): ...


def forgets(*arguments):
    arguments = list(arguments)


def stumbles(*arguments):
    raise KeyError("Total")  # the learner's own line


def words_on(checker, answer, capsys):
    """What a checker prints about an answer."""
    checker(answer)
    return capsys.readouterr().out


def examine(checker, answer, hint, capsys):
    """The checker's words begin with its name, hold the hint, and praise only the right answer."""
    out = words_on(checker, answer, capsys)
    assert out.startswith(f"{checker.__name__}: ")
    assert hint in out
    assert (": right. " in out) == (hint == "right.")
