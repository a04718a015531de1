# make ask Q="..."   answer one question        make chat    ask one after another
# make test          lint, types and tests      make fix     format and mend what can be mended
# make setup         only install               make clean   remove what make made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where the program will look: the environment, then .env, then its default.
STORE := $(or $(FOOTNOTE_STORE),$(shell sed -n 's/^FOOTNOTE_STORE=//p' .env 2>/dev/null),store)

# Parts of llama.cpp that Footnote does not use: images, and downloads over HTTPS.
# For a GPU add for example -DGGML_CUDA=on (see the README).
CMAKE_ARGS ?= -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF
export CMAKE_ARGS

# The question as it was typed: make must not expand the $ in it, nor the shell its quotes.
export QUESTION := $(value Q)

.PHONY: question ask chat rebuild test fast lint fix setup clean

question:
	@test -n "$$QUESTION" || { echo 'Usage: make ask Q="What is a transformer?"' >&2; exit 2; }

ask: question $(STORE)/current
	@$(BIN)/footnote ask -- "$$QUESTION" || test $$? -eq 3

chat: $(STORE)/current
	@$(BIN)/footnote chat

rebuild: $(READY)
	$(BIN)/footnote rebuild seeds/

test: lint
	$(BIN)/pytest

fast: lint
	$(BIN)/pytest -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(READY)

$(STORE)/current: | $(READY)
	$(BIN)/footnote rebuild seeds/

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Footnote needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || { echo "Footnote builds llama.cpp and needs a C++ compiler. Debian and Ubuntu: apt install build-essential. macOS: xcode-select --install." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing. Building llama.cpp takes five minutes or so on two cores."
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
