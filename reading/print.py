"""Print a page of the file system into a PDF, with Chromium.

python reading/print.py PAGE.html OUT.pdf
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def browser() -> str:
    """The first browser of the Chromium family that is there."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        sys.exit(
            "There is no Chromium, which prints the PDF. On Debian and Ubuntu: "
            "sudo apt install chromium. `make epub` needs none."
        )
    return found


def to_pdf(page: Path, out: Path) -> None:
    """Write the PDF, with an outline made of the headings."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                browser(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                f"--user-data-dir={profile}",
                "--no-pdf-header-footer",
                "--generate-pdf-document-outline",
                "--virtual-time-budget=20000",
                f"--print-to-pdf={out.resolve()}",
                page.resolve().as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=600,
        )
    if done.returncode or not out.is_file():
        sys.exit(f"Chromium could not print {page}:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    to_pdf(Path(sys.argv[1]), Path(sys.argv[2]))
    print(sys.argv[2])
