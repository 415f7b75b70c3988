# Two commands matter: `make demo` and `make test`. Both need only Python 3.11 or newer, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN_STAMP := $(VENV)/.installed-run
TOOLS := .venv-tools
DOCS := .venv-docs
LOCK = $(TOOLS)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-emit-index-url
# Much of the suite waits (for sockets, kills and restarts), so four workers suit two cores; more are in each other's way.
WORKERS ?= 4

# The suite starts some hundreds of processes: where nothing may be written, each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test whole lint chaos simulate soak endless rude fuzz foresight mutants house audit bench coverage digests lock clean

demo: $(RUN_STAMP)
	@$(BIN)/piecewise demo $(ARGS)

test: lint
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/zizmor --offline --quiet .github

# The tests of the database, on a PostgreSQL that is divided by workspace. What goes back to older schemas is left out:
# none of those can be divided. PARTITIONS=4 for another number.
PARTITIONS ?= 16
.PHONY: partitions
partitions: $(STAMP)
	@PIECEWISE_PARTITIONS=$(PARTITIONS) $(BIN)/python -m pytest -n 2 tests/storage -k postgres \
	  --ignore tests/storage/test_schema.py --ignore tests/storage/test_ranks.py $(ARGS)

# Kills the program some hundred times while mail moves, and compares every row and message with the truth.
chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos $(ARGS)

# What a thousand workspaces of a million pieces a month would need, from what each thing costs four processes on one
# PostgreSQL: docs/deploy.md. ARGS="seconds=240 workspaces=100 polled=40 pieces=2000" for more.
.PHONY: scale
scale: $(STAMP)
	@$(BIN)/python -W ignore -m tests.scale $(ARGS)

# A thousand worlds, each made from its seed alone, under one loop with made-up time: docs/simulation.md.
# ARGS="seeds=100 first=500" for other seeds, ARGS="only=17" for the story of one.
simulate: $(STAMP)
	@$(BIN)/python -m tests.simulation $(ARGS)

# The suite with all that takes turns by the day in `make test`: each journey on both pairings of a way in and a database,
# the sandbox at both widths, and every long story of kills, upgrades and load.
whole: export PIECEWISE_WHOLE = 1
whole: test

# Every journey with every rudeness of Slack and of the mail platform: each switch alone, and all together. Long;
# `RUDE=slack:busy` for one switch. `make test` meets a sample that changes by the day.
RUDE ?= each
rude: $(STAMP)
	@PIECEWISE_RUDE=$(RUDE) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/journeys $(ARGS)

# The long form of what `make test` does in short: a campaign of 100,000 pieces, told from its first day to its last.
soak: $(STAMP)
	@PIECEWISE_SOAK=1 $(BIN)/python -m pytest -q tests/journeys/test_quiet.py -k whole_campaign $(ARGS)

# The sandbox's story at speed: that it does not end, and what memory it takes. ARGS="minutes=60 day=1".
endless: $(STAMP)
	@$(BIN)/python -m tests.endless $(ARGS)

# A hundred thousand damaged inputs to every route, over real sockets.
fuzz: $(STAMP)
	@$(BIN)/python -m tests.fuzz $(ARGS)

# Changes one decision at a time, and says which changes the fast tests of its wing did not notice: a sample of each wing,
# the same for the same seed. `make mutants WING=cancel` for one wing, `SAMPLE=0` for every change, `SEED=2` for others.
WING ?=
SAMPLE ?= 40
SEED ?= 1
mutants: $(STAMP)
	@$(BIN)/python -W ignore -m tests.mutants wing=$(WING) sample=$(SAMPLE) seed=$(SEED) $(ARGS)

# The shape of the product in figures: rooms, arrows, and how many files a request runs through. ARGS=files lists them.
house: $(STAMP)
	@$(BIN)/python -W ignore -m tests.shape $(ARGS)

# What is known to be unsafe: in the libraries (asks a public register) and in the CI workflow (reads it here). What could
# not be looked up is no good news: it fails then.
audit: $(STAMP) $(TOOLS)/.installed
	@$(BIN)/zizmor --offline --quiet .github
	@for lock in requirements.lock requirements-tools.lock requirements-docs.lock; do \
	  $(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip -r $$lock || { \
	    echo "✗ $$lock: something in it is unsafe, or the register of known faults could not be asked about it: see above." >&2; exit 1; }; \
	done

# The base images of today by digest, as lines for .env: a tag may be another image tomorrow. Needs Docker.
digests:
	@for one in PYTHON_IMAGE=python:3.12-slim POSTGRES_IMAGE=postgres:17 CADDY_IMAGE=caddy:2; do \
	  digest=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' $${one#*=}) || exit 1; echo "$$one@$$digest"; \
	done

# Foretells made-up mail in some thirty worlds, and prints how good that was beside an oracle and three plain forecasters
# (some minutes). ARGS="seeds=10 only=December,rare" for less; `make test` does three worlds in short.
foresight: $(STAMP)
	@$(BIN)/python -m tests.foresight $(ARGS)

.PHONY: docs reference pictures
# The site of docs/, in build/site: a warning, a link that leads nowhere or a stale reference fails it.
docs: $(DOCS)/.installed
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict
	@echo "build/site/index.html is the site."

# docs/reference.md, from the program itself: a test compares it.
reference: $(STAMP)
	@$(BIN)/python scripts/reference.py

# The pictures of README and docs, from the running sandbox and from the benchmarks' table. Needs a Chromium.
pictures: $(STAMP)
	@$(BIN)/python -m scripts.pictures $(ARGS)

bench: $(STAMP)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

# The whole suite once more, with what it runs; fails below the share that pyproject.toml names. CI runs the same.
coverage: lint
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term $(ARGS)

# The demo needs half of what the tests need, and waits for no more. Who has all has that half.
$(RUN_STAMP): requirements-run.lock pyproject.toml scripts/install.py
	@$(call need_python)
	@$(PYTHON) scripts/install.py run

$(STAMP): requirements.lock pyproject.toml scripts/install.py
	@$(call need_python)
	@$(PYTHON) scripts/install.py all

need_python = command -v $(PYTHON) >/dev/null || { echo "✗ There is no $(PYTHON). Install Python 3.11 or newer, or name yours: make PYTHON=python3.12 …" >&2; exit 1; }

# Extras are kept: else pip looks for the newest of what is asked for with one, and refuses its hash.
# Rewrites the locks from pyproject.toml: all of it, and what the bot itself runs on. They carry hashes and no addresses.
lock: $(TOOLS)/.installed
	@$(LOCK) --group dev pyproject.toml -o requirements.lock
	@$(LOCK) pyproject.toml -o requirements-run.lock
	@$(LOCK) --group tools -o requirements-tools.lock
	@$(LOCK) --group docs -o requirements-docs.lock

# By hashes, too: what makes the locks could write anything into them.
$(TOOLS)/.installed: requirements-tools.lock
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.lock
	@touch $@

$(DOCS)/.installed: requirements-docs.lock
	@$(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-docs.lock
	@touch $@

clean:
	rm -rf $(VENV) $(TOOLS) $(DOCS) build *.egg-info .mypy_cache .ruff_cache .hypothesis
