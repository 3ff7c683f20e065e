# make run                      trains both presets in both frameworks and reports whether they agree
# make run PRESET=bigger DATA_DIR=/folder/with/mnist
# make test                     all tests, on two workers; DATA_DIR=... adds those that need the full MNIST
# make test WORKERS=0           in one process, as `python -m pytest` runs them
# make lint                     ruff, check and format
# make bench DATA_DIR=...       times every contender in one run, and writes README's speed table and chart
# make measure DATA_DIR=...     measures what the README's tables show, and writes them there
# make reference-points DATA_DIR=...  trains the Keras reference 20 times a preset and records what it reaches
# make notebooks                makes notebooks/*.ipynb of the texts beside them
# make docs                     docs/traps.md and docs/layers.md of their catalogues, and the notebooks

PYTHON ?= python3
VENV ?= .venv
PRESET ?= small bigger
DATA_DIR ?= $(MLP_DATA_DIR)
PYTEST_ARGS ?=
WORKERS ?= 2

INSTALLED := $(VENV)/.installed
BIN := $(VENV)/bin
export MLP_DATA_DIR := $(DATA_DIR)

.PHONY: install run test lint measure bench reference-points docs notebooks clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

# Every preset is run, also after one without parity; the recipe ends with the worst exit status (make's own is then 2).
run: $(INSTALLED)
	@worst=0; for preset in $(PRESET); do \
		echo "== $$preset"; \
		$(BIN)/python -m parity --preset $$preset; status=$$?; \
		if [ $$status -ge 130 ]; then exit $$status; fi; \
		if [ $$status -gt $$worst ]; then worst=$$status; fi; \
	done; exit $$worst

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

measure: $(INSTALLED)
	$(BIN)/python -m benchmarks.measure
	$(BIN)/python -m benchmarks.tables

bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[jax]'
	$(BIN)/python -m benchmarks.bench
	$(BIN)/python -m benchmarks.tables

reference-points: $(INSTALLED)
	for preset in $(PRESET); do \
		$(BIN)/python -m parity seeds --preset $$preset --dataset mnist --seeds 20 \
			--store runs/reference-points/$$preset --record parity/reference_points/$$preset.json || exit $$?; \
	done

notebooks: $(INSTALLED)
	$(BIN)/python -m notebooks.make

docs: $(INSTALLED) notebooks
	$(BIN)/python -m parity traps
	$(BIN)/python -m parity layers

clean:
	rm -rf $(VENV)
