"""Execute notebooks in place, top to bottom, and store them with clean metadata.

    python scripts/execute_notebooks.py NB.ipynb …

Measures what each takes and writes it into the line **Takes** … of the chapter and into the tables
of both READMEs; a Chinese chapter has the figures of the English one. A notebook that fails is left
as it was.
"""

import base64
import io
import math
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

READMES = [Path(__file__).parents[1] / name for name in ("README.md", "README.zh-CN.md")]
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
WIDGET = "application/vnd.jupyter.widget-view+json"  # means nothing to another kernel
WORDS_PER_MINUTE = 150  # of careful reading, code included
PEAK_MEMORY = (
    "import resource, sys\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' "
    "else 1024))"
)


def execute(path: Path) -> tuple[int, int, int]:
    """Run one notebook and write it back; return its minutes to read, seconds and megabytes."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    probe = nbformat.v4.new_code_cell(PEAK_MEMORY)
    notebook.cells.append(probe)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    started = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    seconds, megabytes = (
        round(time.perf_counter() - started),
        round(int(probe.outputs[0].text) / 1e6),
    )
    notebook.cells.remove(probe)
    words = sum(len(cell.source.split()) for cell in notebook.cells)
    minutes = math.ceil(words / WORDS_PER_MINUTE)
    takes = f"**Takes** {minutes} minutes to read, {seconds} s to run, {megabytes} MB of memory."
    notebook.cells[0].source = re.sub(r"\*\*Takes\*\*.*", takes, notebook.cells[0].source)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        output.get("data", {}).pop(WIDGET, None)
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = compact(output.data["image/png"])
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    nbformat.write(notebook, path)
    return minutes, seconds, megabytes


def compact(png: str) -> str:
    """A figure, PNG in base64, with 256 colours of its own: about a third of the bytes."""
    stored = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as figure:
        figure.convert("RGB").quantize(256).save(stored, format="PNG", optimize=True)
    return base64.b64encode(stored.getvalue()).decode()


def enter_in_readmes(name: str, minutes: int, seconds: int) -> None:
    """Put the figures into the row of each README's table that links the notebook."""
    link = rf"\(notebooks/(?:zh-CN/)?{re.escape(name)}\)"
    row = re.compile(rf"({link}.*\|) [^|]* \| [^|]* \|$", re.MULTILINE)
    for readme in READMES:
        readme.write_text(
            row.sub(rf"\1 {minutes} min | {seconds} s |", readme.read_text("utf-8")), "utf-8"
        )


def main() -> None:
    os.environ["TQDM_DISABLE"] = (
        "1"  # a progress bar is for the reader who waits, not for the stored outputs
    )
    os.environ["LANGUAGE"] = "en"  # on a Chinese system, too; those in zh-CN see to themselves
    os.environ.pop("STLIB_LANGUAGE", None)
    for name in sys.argv[1:]:
        path = Path(name)
        try:
            minutes, seconds, megabytes = execute(path)
        except CellExecutionError as error:
            sys.exit(f"{path}: {error}")
        if path.resolve().parent.name != "zh-CN":
            enter_in_readmes(path.name, minutes, seconds)
        print(
            f"{path}: {seconds} s, {megabytes} MB of memory, {path.stat().st_size / 1e6:.2f} MB on "
            "the disk"
        )


if __name__ == "__main__":
    main()
