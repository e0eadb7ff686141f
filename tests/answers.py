"""What the tests of the checkers share: answers that every checker meets, and how an answer is examined."""


def untouched(): ...


def forgets(*arguments):
    arguments = list(arguments)


def examine(checker, answer, hint, capsys):
    """The checker's words on an answer hold the hint, and praise nothing else than the right one."""
    checker(answer)
    out = capsys.readouterr().out
    assert hint in out
    assert ("right." in out) == (hint == "right.")
