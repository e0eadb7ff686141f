"""The checkers of chapter 03: each passes the right answer, names typical mistakes, and never raises."""

import pytest
import torch

from stlib.course.check import chapter03


def run(checker, answer, capsys) -> str:
    checker(answer)
    out = capsys.readouterr().out
    assert out.startswith(f"{checker.__name__}: ")
    return out


def judge(checker, answer, hint, capsys):
    out = run(checker, answer, capsys)
    assert hint in out
    assert ("right." in out) == (hint == "right.")
    if hint == "right.":
        assert out.startswith(f"{checker.__name__}: right.")


def loops(
    pairs=lambda N: [(i, j) for i in range(N) for j in range(N)], start=torch.zeros, add=True
):
    def answer(F):
        N, M = F.shape
        G = start(N, N)
        for i, j in pairs(N):
            for k in range(M):
                G[i, j] = (G[i, j] if add else 0) + F[i, k] * F[j, k]
        return G

    return answer


def in_place(F):
    F *= 2
    return F @ F.T / 4


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (loops(), "right."),
        (lambda F: F @ F.T, "right."),
        (lambda F: F.T @ F, "which axis do you sum"),
        (lambda F: F @ F.T / F.shape[1], "This is G/M"),
        (lambda F: F @ F.T / F.numel(), "number of all features"),
        (lambda F: F @ F.T / len(F), "divided by N"),
        (loops(lambda N: [(i, i) for i in range(N)]), "Only the diagonal"),
        (loops(lambda N: [(i, j) for i in range(N) for j in range(i, N)]), "One triangle is empty"),
        (
            loops(lambda N: [(i, j) for i in range(N) for j in range(i + 1)]),
            "One triangle is empty",
        ),
        (loops(lambda N: [(i, j) for i in range(N) for j in range(i + 1, N)]), "with itself"),
        (loops(add=False), "write over the sum"),
        (loops(start=lambda *shape: torch.zeros(*shape, dtype=torch.int64)), "type torch.int64"),
        (lambda F: torch.outer(F.sum(1), F.sum(1)), "multiply then"),
        (lambda F: torch.cov(F), "Is there a mean"),
        (lambda F: torch.cov(F, correction=0) * F.shape[1], "Is there a mean"),
        (lambda F: (F @ F.T).tolist(), "result is a list"),
        (lambda F: F @ F.T + 1, "Work out one entry by hand"),
        (in_place, "changed what it was given"),
    ],
)
def test_gram_with_loops(answer, hint, capsys):
    judge(chapter03.gram_with_loops, answer, hint, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda f: torch.einsum("bihw, bjhw -> ij", f, f), "right."),
        (lambda f: f[0].flatten(1) @ f[0].flatten(1).T, "right."),
        (lambda f: f.flatten(2) @ f.flatten(2).mT, "Where does the 1 come from"),
        (lambda f: f.flatten(2).squeeze(0).T @ f.flatten(2).squeeze(0), "which axis do you sum"),
        (lambda f: f[0] @ f[0].mT, "one before the product"),
        (lambda f: f[0].mT @ f[0], "one before the product"),
        (lambda f: f.flatten(1) @ f.flatten(1).T, "survive the flattening"),
        (lambda f: torch.einsum("bihw, bjhw -> ", f, f), "survive the flattening"),
        (lambda f: torch.einsum("bihw, bjhw -> ij", f, f) / f[0, 0].numel(), "This is G/M"),
        (lambda f: torch.einsum("bihw, bjhw -> ij", f, f).detach(), "lost its way back"),
        (
            lambda f: (X := f[0].permute(1, 2, 0).reshape(f.shape[1], -1)) @ X.T,
            "the numbers were regrouped",
        ),
    ],
)
def test_gram_in_one_line(answer, hint, capsys):
    judge(chapter03.gram_in_one_line, answer, hint, capsys)


def orthogonal(size):
    return torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(0)))[0]


def reflected(F):
    v = torch.ones(F.shape[1], 1)
    return F - 2 * (F @ v) @ v.T / F.shape[1]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda F: F @ orthogonal(F.shape[1]), "right."),
        (reflected, "right."),
        (lambda F: F.double() @ orthogonal(F.shape[1]).double(), "right."),
        (lambda F: F.clone(), "is F itself"),
        (lambda F: -F, "is −F"),
        (lambda F: F.flip(1), "what is a general one"),
        (lambda F: F.roll(1, dims=1), "what is a general one"),
        (lambda F: F.roll(1, dims=0), "You moved channels"),
        (lambda F: orthogonal(len(F)) @ F, "On which side of F"),
        (
            lambda F: (
                F @ torch.randn(F.shape[1], F.shape[1], generator=torch.Generator().manual_seed(0))
            ),
            "Is your matrix orthogonal",
        ),
        (
            lambda F: torch.stack([row.roll(i) for i, row in enumerate(F)]),
            "shuffled in its own way",
        ),
        (lambda F: orthogonal(F.shape[1]), "What do you do with it"),
        (lambda F: (F, F @ orthogonal(F.shape[1])), "Return the new features alone"),
        (lambda F: F[:, :2], "How many rows and columns"),
        (lambda F: F / 0, "not finite"),
    ],
)
def test_disguise(answer, hint, capsys):
    judge(chapter03.disguise, answer, hint, capsys)


def pair_of(values, order=True):
    i, j = divmod(int(values.argmax()), len(values))
    return (min(i, j), max(i, j)) if order else (i, j)


def cosine(G, silent=0.0, root=True):
    length = G.diag().sqrt() if root else G.diag()
    return (G / length.outer(length)).nan_to_num(silent)


def without_diagonal(values):
    return values.clone().fill_diagonal_(-1)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda G: pair_of(without_diagonal(cosine(G))), "right."),
        (lambda G: list(pair_of(torch.triu(cosine(G), 1))), "right."),
        (lambda G: pair_of(without_diagonal(cosine(G)))[::-1], "smaller number comes first"),
        (lambda G: pair_of(cosine(G)), "leave out"),
        (lambda G: pair_of(without_diagonal(G)), "These two are the loudest"),
        (lambda G: pair_of(without_diagonal(cosine(G, root=False))), "quiet channels win"),
        (lambda G: pair_of(without_diagonal(cosine(G, silent=9.0))), "A silent channel"),
        (lambda G: int(without_diagonal(cosine(G)).argmax()), "expected a pair"),
        (lambda G: (0, int(without_diagonal(cosine(G)).argmax())), "no such channel"),
        (lambda G: (0, 3), "First scale"),
    ],
)
def test_closest_pair(answer, hint, capsys):
    judge(chapter03.closest_pair, answer, hint, capsys)
