# The everyday commands. Everything is installed into .venv from requirements.lock.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help repro forecast sweep result page verdict export release shelve verify across review sample pretrain test lint smoke mutants

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

# Stages that do not depend on one another run at the same time: `make -j N repro` runs N at once, two without -j. What
# is up to date is skipped, and the plain `dvc repro` at the end makes sure that nothing is left out. A run that was
# killed is continued by the next one. If a branch fails, the others are finished first. The slowest methods are last in
# params.yaml, and start first.
# With PROFILE, that profile and the values of params.yaml that it names are set first (docs/profiles.md).
repro: $(INSTALLED)  ## run the experiment (only what is not up to date) and print its result; make repro PROFILE=smollm2-135m for another model; make -j1 repro if a branch needs the whole machine (a GPU)
	@$(if $(PROFILE),python -m commands.profile "$$PROFILE")
	@python -m stages.check
	@python -m stages._recover
	@python -m stages._plan
	@$(MAKE) --no-print-directory --keep-going $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j2) branches \
	    TRAININGS="$$(python -m stages._order trainings)" EVALUATIONS="$$(python -m stages._order evaluations)"
	dvc repro
	@rm -f .dvc/tmp/*.dvc.lock
	@sed -n '/^|/p; /^With 95/q' reports/report.md

# Everything is chosen on the validation split. This measures the arms on the test split, for a result to publish: it
# sets `split` in params.yaml, and only the measurements on reports and the summary run again. Keep the result with `make
# shelve`, and put `split` back before the next trial (docs/results.md).
result: $(INSTALLED)  ## measure on the test split, for a result to publish (sets split: test in params.yaml)
	@sed 's/^split:.*/split: test/' params.yaml > params.yaml.part && mv params.yaml.part params.yaml
	@$(MAKE) --no-print-directory repro

# Called by `repro`, which passes the runs (method-seed) in the order of TRAININGS and of EVALUATIONS. With N at once,
# short stages at the end leave no core idle, so evaluations come after the trainings. Without --wait-for-lock, a dvc
# process gives up after 3 s, but another may need longer to hash a model. dvc.lock is copied after each command because
# DVC writes it in place: a kill at that moment would lose the record of all that was done (stages._recover restores it
# from the copies). The last part prints how many stages are done and about how many minutes are left.
REPRO = dvc --wait-for-lock repro --single-item $(1) && cp dvc.lock .dvc/tmp/$@.dvc.lock && python -m stages._progress $(1)
TRAINED := $(TRAININGS:%=train@%)
INPUTS = $(sort $(shell printf 'inputs@%s\n' $(TRAININGS) | sed 's/-[0-9]*$$//'))
EVALUATED := $(EVALUATIONS:%=evaluate@%)
.PHONY: branches $(TRAINED) $(EVALUATED) evaluate_base inputs base_text teacher corpus base
branches: $(TRAINED) $(EVALUATED) evaluate_base
$(TRAINED): inputs
	$(call REPRO,$@)
$(EVALUATED): evaluate@%: train@% base_text
	$(call REPRO,evaluate_general@$* evaluate_domain@$*)
evaluate_base: corpus base_text
	$(call REPRO,evaluate_base_general evaluate_base_domain)
inputs: teacher base_text
	$(call REPRO,rehearsal fisher monitor $(INPUTS))
base_text: base
	$(call REPRO,base_text)
teacher: corpus base
	$(call REPRO,teacher)
corpus:
	$(call REPRO,check synthesize corpus needs domains)
base:
	$(call REPRO,knowledge base)

forecast: $(INSTALLED)  ## say what a run will take and show, from a few timed steps: make forecast [PROFILE=smollm2-135m] [GPU=H100]
	@python -m commands.forecast $(if $(PROFILE),--profile "$$PROFILE") $(if $(GPU),--gpu "$$GPU")

# A point of a sweep takes one core, as a branch of `make repro` does: JOBS of them run at once.
sweep: $(INSTALLED)  ## try many values on the validation split, and recommend one: make sweep [FILE=sweeps/tiny.yaml] [JOBS=2] [AT_MOST=0.1]
	@python -m commands.sweep "$${FILE:-sweeps/tiny.yaml}" $(if $(JOBS),--jobs "$$JOBS") $(if $(AT_MOST),--at-most "$$AT_MOST")

# RUN, FORMAT, CHECK, FILE, JOBS, AT_MOST, NAME, NAMES, QUESTION, METRICS, BASE, FILES, PROFILE, GPU, PER_THOUSAND, READ and LEAKS reach the commands through the environment: they may hold any character.
verdict: $(INSTALLED)  ## check an arm against the limits of params.yaml: make verdict METHOD=ema
	@python -m commands.verdict "$$METHOD"

# Not a stage: of many runs one is exported, by hand, and what it makes can be made again in a minute.
export: $(INSTALLED)  ## write a trained model for use elsewhere, and measure it: make export RUN=ema-0 [FORMAT=adapter | FORMAT=gguf | CHECK=folder]
	@python -m commands.export "$$RUN" $(if $(FORMAT),--format "$$FORMAT") $(if $(CHECK),--check "$$CHECK")

# Not a stage either: it reads what stages and `make export` made, and refuses whatever does not belong together.
release: $(INSTALLED)  ## put an exported model that passes into releases/, with proof: make release RUN=ema-0 NAME=ema-v1 [REPLACE=1]; or check one: make release CHECK=releases/ema-v1
	@python -m commands.release $(if $(CHECK),--check "$$CHECK",--run "$$RUN" --name "$$NAME" $(if $(REPLACE),--replace))

# Nor this: exports and sweeps come after the run.
page: $(INSTALLED)  ## write one page to look at the experiment, its exports and its sweeps in a browser: make page [NAME=smollm2-135m]
	@python -m commands.page $(if $(NAME),"$$NAME")

shelve: $(INSTALLED)  ## keep the finished experiment in results/: make shelve NAME=default QUESTION='What is forgotten?' [REPLACE=1] [MINUTES=6]
	@python -m commands.shelve "$$NAME" --question "$$QUESTION" $(if $(REPLACE),--replace) $(if $(MINUTES),--minutes $(MINUTES))

verify: $(INSTALLED)  ## check a second run against a shelved one: make verify NAME=default [METRICS=folder | RUN=1]
	@python -m commands.verify "$$NAME" --metrics "$${METRICS:-metrics}" $(if $(RUN),--run)

across: $(INSTALLED)  ## say what shelved experiments find together, such as on several bases: make across NAMES='default base-1 base-2'
	@python -m commands.across $$NAMES

review: $(INSTALLED)  ## say what this branch changes in the results: make review [BASE=main]
	@python -m commands.review "$${BASE:-main}" --files "$$FILES"

sample: $(INSTALLED)  ## write a page of random reports before and after de-identification, to check; then record it: make sample [PER_THOUSAND=10], make sample READ=299 LEAKS=0
	@python -m commands.sample $(if $(PER_THOUSAND),--per-thousand "$$PER_THOUSAND") $(if $(READ),--read "$$READ") $(if $(LEAKS),--leaks "$$LEAKS")

# The base that ships in data/base was made this way. Another one is used by `dvc exp run -S
# profiles/tiny.yaml:model.source=scratch/bases/1`.
SEED ?= 0
TO ?= scratch/bases/$(SEED)
pretrain: $(INSTALLED)  ## pretrain a tiny base from another seed: make pretrain SEED=1 TO=scratch/bases/1
	dvc repro knowledge
	python -m stages._pretrain --seed $(SEED) --output $(TO)

# The tests of a file share what is slow to make, so they stay in one process. Files keep their order, in which
# tests/conftest.py puts the longest first.
test: $(INSTALLED)  ## run the tests
	pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED)  ## check style, format and types
	ruff check .
	ruff format --check .
	mypy

smoke: $(INSTALLED)  ## run the whole pipeline in a clone, in the smallest size
	tests/smoke

mutants: $(INSTALLED)  ## say how many seeded faults the tests catch (half an hour on two cores)
	tests/mutants

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r requirements.lock
	@touch $@
