"""What a run remembers: losses, the best picture, frames; and all of it again after a break."""

import io

import pytest
import torch

from stlib.descent import Evaluation, Reason
from stlib.record import Record
from stlib.solver import Stage

COARSE, WHOLE = Stage(0.5, 4, 0.5), Stage(1.0, 6)
SIZE = (8, 12)


def evaluation(total, share=1.0, grey=0.5):
    """An evaluation of a grey picture of this loss, at a share of the size."""
    x = torch.full((1, 3, round(SIZE[0] * share), round(SIZE[1] * share)), grey)
    return Evaluation(x / 2, x, {"total": total, "content": 1.0}, x * 0 + total)


def record(totals=(), **options):
    """A record of two stages; the first two losses are those of the coarse one."""
    made = Record(SIZE, steps=6, progress=False, **options)
    for number, total in enumerate(totals):
        if number in (0, 2):
            made.begin(COARSE if number == 0 else WHOLE)
        made.note(evaluation(total, share=0.5 if number < 2 else 1.0, grey=number / 10))
    return made


def told(value):
    """What a checkpoint holds of it, but the time, as numbers that can be compared."""
    if isinstance(value, Record):
        value = value.state()
    if isinstance(value, dict):
        return {name: told(entry) for name, entry in value.items() if name != "seconds"}
    if isinstance(value, list):
        return [told(entry) for entry in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value


def test_losses_of_smaller_pictures_are_kept_apart():
    made = record([9.0, 8.0, 70.0, 60.0, 65.0])
    assert [losses["total"] for losses in made.coarse] == [9.0, 8.0]
    assert [losses["total"] for losses in made.history] == [70.0, 60.0, 65.0]
    assert made.evaluations == 5
    assert made.work == pytest.approx(2 / 4 + 3)


def test_each_stage_has_a_best_of_its_own():
    """The losses of another size cannot be compared; the earlier of two equal ones is the best."""
    made = record([9.0, 8.0])
    assert made.best.losses["total"] == 8.0
    made.begin(WHOLE)
    assert made.best.losses["total"] == 8.0, "there is no better picture yet"
    for total in (70.0, 60.0, 60.0, 65.0):
        made.note(seen := evaluation(total))
        if total == 70.0:
            assert made.best is seen
    assert (made.best.losses["total"], made.lowest) == (60.0, 60.0)
    assert made.best is not seen


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_picture_has_the_finished_size_and_is_clamped(share):
    made = record()
    made.begin(COARSE if share < 1 else WHOLE)
    made.note(evaluation(1.0, share, grey=1.7))
    assert torch.equal(made.picture(), torch.ones(1, 3, *SIZE))
    assert made.best.x.max() > 1, "only what is shown is clamped"


@pytest.mark.parametrize(("every", "count"), [(None, 0), (1, 5), (2, 3), (4, 2)])
def test_frames_are_kept_from_the_first_evaluation_on(every, count):
    made = record([9.0, 8.0, 70.0, 60.0, 65.0], keep_every=every)
    assert [frame.shape[2:] for frame in made.frames] == [SIZE] * count
    if every == 1:
        bests = [0.0, 0.1, 0.2, 0.3, 0.3]
        assert [frame.mean().item() for frame in made.frames] == pytest.approx(bests)


def test_the_callback_is_asked_after_each_evaluation():
    """It counts from 0 through all stages, gets copies, and may end the run."""
    asked = []

    def callback(number, x, losses):
        asked.append(number)
        x.zero_()
        losses.clear()
        return number == 3

    made = record([9.0, 8.0, 70.0], callback=callback)
    assert made.note(evaluation(60.0)) is Reason.CALLBACK
    assert made.note(evaluation(50.0)) is None
    assert asked == [0, 1, 2, 3, 4]
    assert made.best.losses == {"total": 50.0, "content": 1.0}
    assert made.best.x.mean() == 0.5


@pytest.mark.parametrize("broken_after", [1, 2, 3, 4])
def test_a_restored_record_goes_on_as_if_nothing_had_happened(broken_after):
    """Written to a file in between, at any evaluation, in either stage."""
    totals = [9.0, 8.0, 70.0, 60.0, 65.0, 64.0]
    expected = record(totals, keep_every=2)
    before = record(totals[:broken_after], keep_every=2)
    file = io.BytesIO()
    torch.save(before.state(), file)
    file.seek(0)

    after = record(keep_every=2)
    stage = COARSE if broken_after <= 2 else WHOLE
    after.begin(stage)
    after.restore(torch.load(file, weights_only=True), torch.device("cpu"))
    assert told(after) == told(before)
    for number in range(broken_after, len(totals)):
        if number == 2:
            after.begin(WHOLE)
        share = 0.5 if number < 2 else 1.0
        after.note(evaluation(totals[number], share, grey=number / 10))
    assert told(after) == told(expected)
    assert torch.equal(after.picture(), expected.picture())


def test_time_goes_on_after_a_break():
    """The seconds of a history count those before it, too."""
    before = record([9.0])
    before.began -= 100
    after = record()
    after.begin(COARSE)
    after.restore(before.state(), torch.device("cpu"))
    after.note(evaluation(8.0))
    assert 100 < after.coarse[-1]["seconds"] < 160


def test_a_bar_shows_the_loss_and_goes(capsys):
    with Record(SIZE, steps=6, progress=True) as made:
        made.begin(WHOLE)
        made.note(evaluation(123.456))
        made.bar.refresh()
    assert "loss 123" in capsys.readouterr().err
    assert made.bar.disable
