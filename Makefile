# Everything a newcomer runs. Needs make and a Python 3.11-3.13, nothing else.
#   make demo [TODAY=YYYY-MM-DD]   the whole night on sample data, through Airflow
#   make test                      every test, offline, a real Postgres included
#   make up / make down            Airflow and MLflow in the background, on the same state
#   make bench [GROUP=training]    speed, memory and alarms beside the alternatives; groups: features, training, scores, ten_million, monitoring
#   make bench [GROUP=training] WRITE=docs/benchmarks.md   the same, and those figures on the page anew
#   make lint / fmt / lock / docs

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test bench up down lint fmt lock docs

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-dev
TELEMETRY := GX_ANALYTICS_ENABLED=false FEAST_USAGE=False DO_NOT_TRACK=1 \
	MLFLOW_DISABLE_TELEMETRY=true AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
RUN := PYTHONPATH=$(CURDIR) $(TELEMETRY) $(BIN)/python

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(RUNTIME)  ## install what Nightshift runs on, into .venv

install-dev: $(DEVELOPMENT)  ## install what tests and lint need on top

demo: $(RUNTIME)  ## run the main job on sample data; TODAY=YYYY-MM-DD pins the date
	@$(RUN) -m include.orchestration.local.demo $(if $(TODAY),--today "$(TODAY)")

# Three processes for two cores, as tests also wait; by name, as that has the longest files early.
test: $(DEVELOPMENT)  ## run every test, offline
	@$(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

bench: $(DEVELOPMENT)  ## measure speed, memory and alarms beside the alternatives; GROUP=features, training, scores, ten_million or monitoring
	@$(RUN) -m bench $(GROUP) $(if $(WRITE),--write "$(WRITE)")

up: $(RUNTIME)  ## start Airflow and MLflow in the background, schedules live
	@$(RUN) -m include.orchestration.local.up up

down: $(RUNTIME)  ## stop what make up started
	@$(RUN) -m include.orchestration.local.up down

lint: $(DEVELOPMENT)  ## check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=$(CURDIR) $(BIN)/lint-imports

fmt: $(DEVELOPMENT)  ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(DEVELOPMENT)  ## make the generated documentation anew
	@$(RUN) -m include.warehouse.dictionary > docs/warehouse.md
	@$(RUN) -m tests.faults.matrix > docs/faults.md
	@$(RUN) -m include.orchestration.reference
	@$(RUN) -m include.vocabulary

lock: $(VENV)/.created  ## resolve requirements*.in for Python 3.11 to 3.13
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header requirements.in -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header requirements-dev.in -o requirements-dev.txt
	@echo "locked; make install installs the change"

# A virtual environment from the first Python that fits and can make one.
$(VENV)/.created:
	@$(BIN)/python -m pip --version >/dev/null 2>&1 && touch $@ && exit 0; \
	for python in $(PYTHON) python3.12 python3.13 python3.11 python3 python; do \
	    $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || continue; \
	    found="$$found $$python"; \
	    $$python -m venv $(VENV) >/dev/null 2>&1 && touch $@ && exit 0; \
	    rm -rf $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
	    echo "make: $$found cannot create virtual environments; install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; \
	else \
	    echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python" >&2; \
	fi; exit 1

$(RUNTIME): requirements.txt | $(VENV)/.created
	@test -e $@ || echo "Installing into $(VENV): about 0.9 GB to download, 2.7 GB of disk, a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@test -e $@ || echo "Installing the development tools: some more."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt --requirement requirements-dev.txt
	@touch $@
