# Syros: `make help` lists what there is.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TEMPEST := .venv-tempest
ANSIBLE := .venv-ansible
T      ?= tests
# processes of tests: one waits for Ganeti and guests most of the time, and another does the rest meanwhile
JOBS   ?= 2
AT_ONCE = -n $(JOBS) --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run lab test check unit bench fuzz tempest deb novnc clean-var clean system-packages format docs

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Debian's python3 may be without what gives a virtualenv its own pip (python3-venv); the system's pip will do.
venv-pip = $$($(1)/bin/python -m pip --version >/dev/null 2>&1 && echo $(1)/bin/python -m pip \
	|| echo $(PYTHON) -m pip --python $(1)/bin/python)
install  = $(call venv-pip,$(1)) install --quiet --disable-pip-version-check --use-pep517
INSTALL  = $(call install,$(VENV))

# Two pips in one virtualenv at a time may fail: who comes second waits, and then looks whether all is done.
locked = exec 9<pyproject.toml && flock 9

$(BIN)/python $(TEMPEST)/bin/python $(ANSIBLE)/bin/python:
	@$(locked) && { test -e $@ || $(PYTHON) -m venv $(@:/bin/python=) >/dev/null 2>&1 \
		|| $(PYTHON) -m venv --without-pip $(@:/bin/python=); }

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@$(locked) && if ! test $@ -nt $<; then \
		echo "installing Syros into $(VENV) ..." && $(INSTALL) -e . && touch $@; fi

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@$(locked) && if ! test $@ -nt $<; then \
		echo "installing Syros and its development tools into $(VENV) ..." && $(INSTALL) -e '.[dev]' \
		&& touch $(VENV)/.run $@; fi

run: $(VENV)/.run ## the whole cloud in one process, with a simulated Ganeti
	@exec $(BIN)/python -m sandbox

lab: $(VENV)/.dev system-packages ## a real cloud on this machine: Ganeti, QEMU, RabbitMQ, PostgreSQL (root)
	@exec $(BIN)/python -m lab

system-packages:
	@lab/install-packages

# One collection of the hundred that the package `ansible` has; it wants an older SDK than the other clients.
$(ANSIBLE)/.ansible: tests/e2e/clients/ansible.txt | $(VENV)/.dev $(ANSIBLE)/bin/python
	@echo "installing Ansible and its collection openstack.cloud into $(ANSIBLE) ..."
	@$(locked) && $(call install,$(ANSIBLE)) -r $<
	@$(call venv-pip,$(ANSIBLE)) download --quiet --no-deps --dest $(ANSIBLE)/packages ansible
	@$(BIN)/python -m tests.e2e.clients.collection openstack $(ANSIBLE)/packages $(ANSIBLE)
	@rm -r $(ANSIBLE)/packages
	@touch $@

test: $(VENV)/.dev $(ANSIBLE)/.ansible system-packages ## every suite; T=path narrows
	@$(BIN)/python -m pytest --durations=25 --durations-min=10 $(if $(filter tests,$(T)),$(AT_ONCE)) $(T)

unit: $(VENV)/.dev ## the unit tests alone
	@$(BIN)/python -m pytest -q -n auto tests/unit

check: $(VENV)/.dev ## ruff, mypy, import-linter and the unit tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q -n auto tests/unit

format: $(VENV)/.dev ## let ruff lay out the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev system-packages ## latencies and ratios, measured side by side
	@$(BIN)/python -m tests.bench

fuzz: $(VENV)/.dev ## a million bent packets for nfdhcpd's parsers, and bent bytes for what reads for consoles
	@$(BIN)/python -m tests.fuzz

# its dependencies never meet ours
$(TEMPEST)/.tempest: | $(TEMPEST)/bin/python
	@echo "installing tempest into $(TEMPEST) ..."
	@$(locked) && $(call install,$(TEMPEST)) tempest==47.0.0
	@touch $@

tempest: $(VENV)/.dev $(TEMPEST)/.tempest ## OpenStack's test suite against a sandbox; writes docs/compatibility.md
	@$(BIN)/python -m tests.tempest

deb: system-packages ## Debian packages of every role, into build/deb
	@debian/build build/deb

novnc: ## fetch the console page's noVNC again, as apiserver/renew-novnc names it
	@apiserver/renew-novnc

clean-var: ## forget the sandbox's state
	@rm -rf var

clean: clean-var ## forget the virtualenvs too
	@rm -rf $(VENV) $(TEMPEST) $(ANSIBLE) build dist *.egg-info
