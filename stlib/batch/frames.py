"""The frames of a video, painted one after the other, each from the result before.

The result before is moved along with the scene first, by the optical flow between the two photos:
a start that stays where it was would leave the strokes behind what they belong to, as on a window
pane (`benchmarks/FLICKER.md`). Cuts are not looked for: give each scene jobs of its own.

Videos are taken apart and put together by other programs, such as ffmpeg:

    ffmpeg -i video.mp4 frames/%04d.png
    stlib frames jobs.toml
    ffmpeg -framerate 25 -i painted/%04d.png -pix_fmt yuv420p painted.mp4
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor
from tqdm.auto import tqdm

from stlib._language import tr
from stlib._progress import progress_bar
from stlib.arguments import check_flag
from stlib.batch import notes, places, seen
from stlib.batch.jobs import Job, check_jobs, fingerprint, listed, picture_source
from stlib.batch.painter import build_network, read_pictures
from stlib.batch.report import Outcome, Report
from stlib.colour import luminance
from stlib.descent import Reason
from stlib.errors import ImageError, JobError, needs_extra, one_line, reason
from stlib.film import encoded, film_frame
from stlib.images import load_image, save_image
from stlib.settings import digest
from stlib.transfer import paint


@dataclass(frozen=True)
class Frame:
    """A frame that is painted. printed: what its picture depends on, all frames before included."""

    job: Job
    printed: str


def paint_frames(jobs: Iterable[Job], *, progress: bool = True, force: bool = False) -> Report:
    """Paint jobs in their order, each from the result of the one before, with all cores.

    jobs: the frames, as `sweep` and `read_jobs` make them from content = "frames/*.png". Jobs that
        differ in more than content and output, such as the style, are films of their own.
    progress: whether a bar is shown.
    force: whether to paint over pictures and films that are not as a run left them; else such a
        picture is kept, and such a film refused.

    `film` of the jobs names an animation of all frames of a sequence; a frame that has not the
    size of most others is left out. What is there and unchanged
    is skipped; when a frame changes, those after it are painted anew. A frame that cannot be
    painted is left out, and the next one begins where the last one ended. Ctrl-C keeps what is
    done.
    Raises JobError before any work when a job makes no sense or would replace a file of somebody
    else's, MissingExtraError without scikit-image.
    """
    jobs, began = listed(jobs), time.perf_counter()
    check_flag("force", force)
    sequences = split(jobs)
    _check(jobs, sequences)
    _check_notes(sequences, force)
    outcomes: dict[str, Outcome] = {}
    with progress_bar(len(jobs), "frame", shown=progress) as bar:
        try:
            for sequence in sequences:
                _paint_sequence(sequence, outcomes, bar, force)
        except KeyboardInterrupt:
            pass  # what is not done stays cancelled
    told = [outcomes.get(job.output, Outcome(job.output)) for job in jobs]
    return Report(told, time.perf_counter() - began)


def split(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs by sequence: those that differ in content, output and film alone."""
    sequences: dict[Job, list[Job]] = {}
    for job in jobs:
        sequences.setdefault(replace(job, content="", output="", film=None), []).append(job)
    return list(sequences.values())


def moved_along(picture: Tensor, before: Tensor, now: Tensor) -> Tensor:
    """A picture of the scene before, moved to where everything is now.

    picture: painted from `before`. before, now: photos of the scene. All are [1, 3, H, W] in
        [0, 1]. Returns the same shape; what comes into sight is the edge repeated.
    Raises MissingExtraError without scikit-image.
    """
    with needs_extra("stlib.batch.frames", "video"):
        from skimage.registration import optical_flow_ilk
    greys = [luminance(photo)[0, 0].numpy() for photo in (now, before)]
    rows, columns = torch.from_numpy(np.asarray(optical_flow_ilk(*greys)))
    height, width = rows.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    # −1 and 1 are the centres of the first and the last pixel
    grid = torch.stack(
        [2 * (x + columns) / (width - 1) - 1, 2 * (y + rows) / (height - 1) - 1], dim=-1
    )
    moved = nnf.grid_sample(
        picture, grid[None].to(picture), mode="bicubic", padding_mode="border", align_corners=True
    )
    return moved.clamp(0, 1)


def _check(jobs: Sequence[Job], sequences: Sequence[Sequence[Job]]) -> None:
    """Raise an error before any work when something makes no sense."""
    for job in jobs:
        if job.save_every is not None:
            raise JobError(
                tr(
                    "the job for {output}: save_every is for single pictures, and frames are "
                    "written one by one: leave it out."
                ).format(output=one_line(job.output))
            )
    for first, *others in sequences:
        if any(job.film != first.film for job in others):
            raise JobError(
                tr(
                    "the job for {output}: film differs from frame to frame, and is one animation "
                    "of them all: give it a name without {{content}}."
                ).format(output=one_line(first.output))
            )
    alone = [replace(job, film=None) for sequence in sequences for job in sequence[1:]]
    check_jobs([*(sequence[0] for sequence in sequences), *alone])
    with needs_extra("stlib.batch.frames", "video"):
        import skimage.registration  # noqa: F401


def _check_notes(sequences: Sequence[Sequence[Job]], force: bool) -> None:
    """Raise a JobError when a note or a film would replace a file of somebody else's."""
    for sequence in sequences:
        for job in sequence:
            notes.read_note(job)
        filmed = _film_of(sequence)
        if filmed and notes.foreign_file(filmed, notes.read_note(filmed)) and not force:
            raise JobError(
                tr(
                    "{film} is there already: choose another name or folder, or give force=True to "
                    "replace it."
                ).format(film=one_line(filmed.output))
            )


def _film_of(jobs: Sequence[Job]) -> Job | None:
    """The film of a sequence as if it were a picture, since its note has the same form."""
    first = jobs[0]
    return None if first.film is None else replace(first, output=first.film, film=None)


def _paint_sequence(
    jobs: Sequence[Job], outcomes: dict[str, Outcome], bar: tqdm, force: bool
) -> None:
    """Paint the frames that are not there yet, and their film; tell what became of each."""
    before: Frame | None = None
    cropped = _of_another_size(jobs)
    for job in jobs:
        began = time.perf_counter()
        try:
            if job.output in cropped:
                raise JobError(cropped[job.output])
            printed = digest([fingerprint(job), before and before.printed])
            single = replace(job, film=None)
            standing = notes.standing(single, notes.read_note(single), printed, force)
            if standing is None:
                _paint_frame(single, before, printed, force)
        except (MemoryError, OSError, RuntimeError, ValueError) as error:
            outcomes[job.output] = Outcome(job.output, "failed", reason(error))
        else:
            before = Frame(job, printed)
            seconds = time.perf_counter() - began
            outcomes[job.output] = (
                Outcome(job.output, "done", "", seconds, 1)
                if standing is None
                else Outcome(job.output, "skipped", standing)
            )
        bar.update()
    _save_film(jobs, outcomes, force)


def _of_another_size(jobs: Sequence[Job]) -> dict[str, str]:
    """The outputs of frames that do not fit into the film of the others, and why."""
    sizes: dict[str, tuple[int, int]] = {}
    for job in jobs if jobs[0].film else ():
        with suppress(ImageError, JobError):  # told when its turn comes
            sizes[job.output] = seen.picture(picture_source(job.content), job.size).size
    counts = Counter(sizes.values())
    usual = max(counts, key=lambda size: counts[size], default=None)
    return {
        job.output: tr(
            "{content} would be {sides} pixels, most frames of the film {usual}: crop or turn it "
            "as they are, or leave it out."
        ).format(
            content=one_line(job.content), sides=_sides(sizes[job.output]), usual=_sides(usual)
        )
        for job in jobs
        if usual and sizes.get(job.output, usual) != usual
    }


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _paint_frame(job: Job, before: Frame | None, printed: str, force: bool) -> None:
    """Paint a frame and write it. Raises KeyboardInterrupt in place of half a picture."""
    photo, brushes = read_pictures(job).tensors()
    settings = job.settings
    if before is not None:
        earlier = load_image(picture_source(before.job.content), before.job.size)
        painted = load_image(picture_source(before.job.output), None)
        if earlier.shape == photo.shape == painted.shape:
            settings = replace(settings, init=moved_along(painted, earlier, photo))
    result = paint(photo, brushes, settings, net=build_network(job.network), progress=False)
    if result.reason == Reason.INTERRUPTED:
        raise KeyboardInterrupt
    with notes.writing(job, printed, force=force) as free, places.writing(free.output) as path:
        save_image(result.image, path)


def _save_film(jobs: Sequence[Job], outcomes: dict[str, Outcome], force: bool) -> None:
    """Make the animation of what is painted, where the jobs name one and it is not there yet."""
    filmed = _film_of(jobs)
    painted = [job.output for job in jobs if outcomes[job.output].status in ("done", "skipped")]
    if filmed is None or not painted:
        return
    try:
        printed = digest([places.read(output) for output in painted])
        standing = notes.standing(filmed, notes.read_note(filmed), printed, force)
        if standing is None:
            film = _film(painted, filmed.output)
            with notes.writing(filmed, printed, force=force) as free:
                places.write(free.output, film)
    except (ImageError, JobError, OSError) as error:
        standing = reason(error)
    if standing:
        last = outcomes[painted[-1]]
        outcomes[painted[-1]] = replace(
            last,
            status="failed",
            note=tr("The film {film}: {standing}").format(
                film=one_line(filmed.output), standing=standing
            ),
        )


def _film(painted: Sequence[str], name: str) -> bytes | memoryview:
    """The bytes of an animation of pictures. name: its file's. Raises JobError for two sizes."""
    frames = [film_frame(load_image(picture_source(output), None)) for output in painted]
    for output, frame in zip(painted, frames, strict=True):
        if frame.size != frames[0].size:
            raise JobError(
                tr(
                    "{output} is {sides} pixels, {first} {first_sides}: give all frames one size."
                ).format(
                    output=one_line(output),
                    sides=_sides(frame.size),
                    first=one_line(painted[0]),
                    first_sides=_sides(frames[0].size),
                )
            )
    return encoded(frames, PurePath(name).suffix)
