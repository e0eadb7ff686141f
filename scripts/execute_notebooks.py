"""Execute notebooks in place, top to bottom, and store them with clean metadata: python scripts/execute_notebooks.py NB.ipynb …

A notebook that fails is left as it was.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def execute(path: Path) -> None:
    """Run one notebook and write it back: kernel name python3, no timings, no widget state."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False,
                   resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    nbformat.write(notebook, path)


def main() -> None:
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is for the reader who waits, not for the stored outputs
    for name in sys.argv[1:]:
        started = time.perf_counter()
        try:
            execute(Path(name))
        except CellExecutionError as error:
            sys.exit(f"{name}: {error}")
        print(f"{name}: {time.perf_counter() - started:.0f} s, {Path(name).stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
