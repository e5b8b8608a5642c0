# make setup      only .venv
# make demo       from a prompt to frames, on the free sandbox
# make check      what half a minute can check, for after each change
# make test       everything that is checked
# make js         the page's modules, with their types and format
# make js-format  format them
# make page-errors  write js/errors.*.mjs from messages.toml
# make registry   what comfy-cli says of the pack, and the archive that users get
# make pythons    the tests on each Python of the machine, with the newest of all requirements
# make matrix     with the oldest of all requirements, and with old and new OpenCV, PyAV and urllib3
# make soak       faults and damaged files at length
# make litellm    jobs through a real LiteLLM proxy
# make mutation   mutation testing
# make bench      the measurements
PYTHON ?= python3
BIN := .venv/bin
# Without compiling: Python does that for what it imports, and most of what is installed never is.
PIP := --quiet --disable-pip-version-check --no-compile

.PHONY: setup demo test tests check pure style lint js js-format page-errors registry pythons matrix mutation soak litellm bench clean

setup: .venv/.ready

demo: .venv/.ready
	$(BIN)/sora demo

# With it each of hundreds of processes would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

# Three workers on two cores, since one of them mostly waits for Chromium; tests/conftest.py has the order of the files. The
# host runs the archive that users get, not the checkout. Text whose encoding is not named is an error: on Windows it would
# be another one. With --jobs=2, as in .ci/run, lint runs beside the tests.
PYTEST := PYTHONWARNDEFAULTENCODING=1 $(BIN)/python -m pytest
test: lint tests

tests: .venv/.dev .venv/.node registry
	COMFYUI_PACK=build/sora-jobs.zip $(PYTEST) -n 3

# Without what tests/outside.py marks: sockets, other processes, videos. Two at a time: types beside tests.
check: .venv/.dev
	$(MAKE) --jobs=2 pure style js

pure: .venv/.dev
	$(PYTEST) -q -m "not outside" tests/engine tests/gateway tests/media tests/nodes tests/trust

style: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint: style
	$(BIN)/python tests/audit.py

js: .venv/.dev .venv/.node
	$(PYTEST) -q tests/js

js-format: .venv/.node
	tests/js/node_modules/.bin/prettier --write 'js/*.js' 'js/*.mjs' 'js/*.ts' 'tests/js/*.{mjs,json}' 'tests/js/page/**/*.ts'

page-errors: .venv/.dev
	$(BIN)/python tests/page_errors.py

registry: .venv-registry/.ready
	$(PYTHON) tests/registry.py

mutation: .venv/.dev .venv-mutation/.ready
	.venv-mutation/bin/python tests/mutation.py

soak: .venv/.dev
	SORA_SOAK=1 $(BIN)/python -m pytest tests/faults tests/media/test_fuzz.py

pythons:
	$(PYTHON) tests/pythons.py

matrix:
	$(PYTHON) tests/matrix.py
	$(PYTHON) tests/matrix_urllib3.py

litellm: .venv/.dev .venv-litellm/.ready
	SORA_LITELLM=1 $(BIN)/python -m pytest tests/litellm

bench: .venv/.dev
	$(BIN)/python bench/road.py
	$(BIN)/python bench/jobs.py
	$(BIN)/python bench/ledger.py
	$(BIN)/python bench/reference.py
	$(BIN)/python bench/page.py
	$(BIN)/python bench/decode.py

.venv/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP) --editable .
	@# On a bare server the plain OpenCV wheel fails for want of libGL; the headless one is the same without windows.
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
		$(BIN)/python -m pip uninstall --quiet --yes opencv-python; \
		$(BIN)/python -m pip install $(PIP) opencv-python-headless; \
		$(BIN)/python -c 'import cv2'; }
	touch $@

.venv/.dev: .venv/.ready
	@# Not as ".[dev]": that would bring back the OpenCV wheel which setup may have replaced.
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["dev"], sep="\n")' > .venv/dev.txt
	$(BIN)/python -m pip install $(PIP) --requirement .venv/dev.txt
	touch $@

# TypeScript and Prettier, for tests/js/test_types.py, which is skipped where npm or the network is missing.
.venv/.node: tests/js/package.json .venv/.ready
	@if command -v npm >/dev/null && npm install --prefix tests/js --no-package-lock --no-audit --no-fund --silent; \
		then touch $@; else echo "npm or the network is missing: the types and the format of js/ are not checked"; fi

# In an environment of its own, since it brings its own versions of what the pack needs.
.venv-litellm/.ready:
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/python -m pip install $(PIP) 'litellm[proxy]==1.108.7'
	touch $@

# Of its own, too: comfy-cli brings some fifty packages.
.venv-registry/.ready:
	$(PYTHON) -m venv .venv-registry
	.venv-registry/bin/python -m pip install $(PIP) 'comfy-cli~=1.23'
	touch $@

# mutmut beside the libraries of .venv, without the pack itself, which it reads from a copy.
.venv-mutation/.ready: .venv/.dev
	$(PYTHON) -m venv .venv-mutation
	.venv-mutation/bin/python -m pip install $(PIP) 'mutmut~=3.8'
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
		"$$(.venv-mutation/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sora.pth"
	touch $@

clean:
	rm -rf tests/js/node_modules .venv .venv-litellm .venv-matrix .venv-mutation .venv-pythons .venv-registry \
		out build dist *.egg-info nodes/*.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
