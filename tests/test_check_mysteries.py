"""The pictures of chapter 10's quiz."""

import torch

from stlib import sample
from stlib.course.mysteries import BUGS, PAINTED_WITH, mysteries


def test_each_bug_is_in_the_quiz_once():
    assert sorted(PAINTED_WITH.values()) == sorted(BUGS)


def test_every_mystery_has_its_own_symptom(net):
    """In few evaluations of small pictures: the clues by which the chapter tells them apart."""
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = mysteries(net, sample("cat", 64), sample("cafe-terrace", 96), evaluations=6)
    first_style = {letter: mystery.style[0] for letter, mystery in found.items()}
    assert [letter for letter, m in found.items() if m.content[0] > 0] == ["F"]
    assert [letter for letter, m in found.items() if max(m.content) == 0] == ["C"]
    assert [x for x in found if first_style[x] > 1.5 * first_style["B"]] == ["G"]
    assert [letter for letter, m in found.items() if m.total < 10] == ["D"]
    assert found["A"].judged > 1.3 * found["B"].judged
    # it grows with every evaluation: 1.4 in the chapter's 20
    assert found["E"].judged > 1.01 * found["E"].total
    assert found["H"].outside == 0
    for mystery in found.values():
        assert len(mystery.content) == len(mystery.style) == 6
        assert mystery.image.shape == sample("cat", 64).shape
        assert torch.equal(mystery.image, mystery.image.clamp(0, 1))
    # the network stays as it was
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(parameter.requires_grad for parameter in net.parameters())
