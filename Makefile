# What someone would type. Everything installs into .venv from requirements.lock.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help repro test lint smoke

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

# Branches are independent: JOBS of them run at once, one thread each. On one GPU use JOBS=1. What is up to date is
# skipped, and the last line is the plain `dvc repro`, which settles that nothing was left out.
JOBS ?= 2

repro: $(INSTALLED)  ## run the experiment (only what is not up to date) and print its result; JOBS=1 for one GPU
	@python -m stages.check
	dvc repro check corpus base
	dvc stage list --name-only | sed -n 's/^train@//p' | xargs -P $(JOBS) -I RUN sh -c \
	    'dvc repro -s train@RUN && dvc repro -s evaluate_mmlu@RUN && dvc repro -s evaluate_domain@RUN || exit 255'
	dvc repro
	@sed -n '/^|/p' reports/report.md

test: $(INSTALLED)  ## run the tests
	pytest

lint: $(INSTALLED)  ## check style, format and types
	ruff check .
	ruff format --check .
	mypy

smoke: $(INSTALLED)  ## run the whole pipeline in a clone, in the smallest size
	tests/smoke

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r requirements.lock
	@touch $@
