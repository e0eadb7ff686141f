"""Pictures side by side: this package's, and those of others, from the same photos and paintings.

python -m benchmarks.pictures.pace      measure how long an iteration of each method takes
python -m benchmarks.pictures.paint     paint what is not there yet
python -m benchmarks.pictures.report    measure the pictures; write PICTURES.md and the sheets
python -m benchmarks.pictures.blind     compare them without names, in a browser
"""

import sys
from pathlib import Path

# the benchmarks are scripts that import each other by bare names
sys.path.insert(0, str(Path(__file__).parents[1]))
