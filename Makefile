# Everything a user or a contributor runs. Each target installs what it needs into .venv; nothing else is touched.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed

# Where this is set, as images for containers have it, every process that a test starts compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test nats oidc chromium pictures model soak chaos check style format bench lock clean

help:            ## list the targets
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED)   ## run the main job on generated receipts, on an embedded PostgreSQL
	$(BIN)/interlock demo

# Three tests at a time, with the processes that they start, starve one another on two cores: what fails runs once more, alone,
# and both runs are told. What is installed waits for nothing else. Types take a core for more than a minute, and tests leave
# a tenth of the cores idle: they are checked meanwhile with what is left, and told of after the tests.
test:            ## all checks and all tests
	@$(MAKE) --no-print-directory -j 3 $(INSTALLED) oidc nats chromium
	@$(MAKE) --no-print-directory style
	@nice -n 10 $(BIN)/basedpyright > .venv/types.txt 2>&1 & types=$$!; trap 'pkill -P $$types; kill $$types; exit 130' INT TERM; \
	  $(BIN)/pytest -n 3 --dist worksteal; tests=$$?; \
	  if [ $$tests = 1 ]; then echo "What failed beside the others runs once more by itself:"; \
	    $(BIN)/pytest --last-failed --last-failed-no-failures none; tests=$$?; fi; \
	  wait $$types; types=$$?; echo "types:"; cat .venv/types.txt; [ $$tests = 0 ] && [ $$types = 0 ]

nats:                # the broker that streams are tested with; root gets it, others are told and its tests are skipped
	@command -v nats-server >/dev/null || [ -x /usr/sbin/nats-server ] \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q --no-install-recommends nats-server; } \
	  || echo "nats-server is missing, so the tests of streams are skipped: apt-get install nats-server" >&2

chromium: | nats     # the browser that the console is tested in; root gets it, others are told and its tests are skipped
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core; } \
	  || echo "Chromium is missing, so the tests in the browser are skipped: apt-get install chromium" >&2

oidc: .oidc/.installed   # a provider that sign-in is tested with, in an environment of its own

.oidc/.installed: tests/oidc/requirements.lock
	$(PYTHON) -m venv .oidc
	.oidc/bin/pip install --quiet --no-compile --require-hashes --requirement tests/oidc/requirements.lock
	@touch $@

model: $(INSTALLED)  ## check the model of dispatch in every order of its steps (needs spin and gcc; root gets them)
	@command -v spin >/dev/null && command -v gcc >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q spin gcc; } \
	  || { echo "spin and gcc are missing: apt-get install spin gcc" >&2; exit 1; }
	$(BIN)/pytest --long -n 2 --dist worksteal tests/model

pictures: $(INSTALLED) chromium ## screenshots of every page of the console, light and dark, into docs/pictures
	cd bench && ../$(BIN)/python -m ground.pictures

soak: $(INSTALLED)   ## the long forms: two hundred kills, all examples of properties, and whatever else takes many minutes
	$(BIN)/pytest --long -m "long or hypothesis" -s

chaos: $(INSTALLED)  ## the long form of chaos: 2,000 cases and 10,000 faults of every kind, some ten minutes
	$(BIN)/pytest --long -s tests/fault/test_chaos.py -k long

check: style         ## style, types and the direction of imports
	$(BIN)/basedpyright

style: $(INSTALLED)  # all but the types: seconds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

format: $(INSTALLED) ## put the code into the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(addprefix bench-,$(basename $(notdir $(wildcard bench/*.py)))) ## every benchmark

bench-queue: bench-queue_order ## the loss of the work queue's order against others

bench-%: $(INSTALLED)
	$(BIN)/python bench/$*.py

lock:                ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --upgrade --extra dev pyproject.toml --output-file requirements.lock

clean:               ## remove what the targets made; the data in .interlock stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis dist
