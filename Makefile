# fedikit: `make demo` shows it, `make test` proves it. Everything that is missing is installed first.

PYTHON := .venv/bin/python
FEDIKIT := .venv/bin/fedikit
# Pytest is silent while a fixture works, and a first build takes minutes. What cannot be built fails its own tests.
IMAGES := $(FEDIKIT) lab images --build || echo "the tests that need these images will fail" >&2

# Where rustup puts cargo, also for shells that were not told
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo test check-services check-panel lint bench test-loop notebook clean
help:
	@echo "make demo            boot machines, deploy the sample, verify it, show where everything is (root)"
	@echo "make test            run every test, those on real machines included (root)"
	@echo "make check-services  deploy Mastodon, PeerTube and Pixelfed in the lab and use them with a browser (root)"
	@echo "make check-panel     use the operators' panel with a browser, on a deployer without a way out (root)"
	@echo "make lint            check style and types"
	@echo "make bench           measure against ssh, pyinfra and Ansible, and time the services; writes bench/*.json (root)"
	@echo "make test-loop       rerun the data model's evaluation tests at each save"
	@echo "make notebook        open the notebooks in JupyterLab"
	@echo "make clean           take the lab down; nothing stays mounted or bridged"

demo:
	@scripts/prepare --root "make demo" lab browser
	@$(PYTHON) -m fedikit_lab.demo

test:
	@scripts/prepare --root "make test" lab browser tests
	@$(PYTHON) -m pytest --nbval --nbval-current-env --nbval-cell-timeout 60 --nbval-sanitize-with tests/nbval.cfg notebooks
	@$(IMAGES)
	@FEDIKIT_NO_SKIPS=1 $(PYTHON) -m pytest -m "not lab" --numprocesses 2 --dist loadfile
	@FEDIKIT_NO_SKIPS=1 $(PYTHON) -m pytest -m lab --numprocesses 2 --dist loadfile --no-loadscope-reorder

check-services:
	@scripts/prepare --root "make check-services" lab
	@$(FEDIKIT) lab images --build
	@$(PYTHON) -m pytest -v tests/checks/test_services.py

check-panel:
	@scripts/prepare --root "make check-panel" lab
	@$(FEDIKIT) lab images --build
	@$(PYTHON) -m pytest -v tests/checks/test_panel.py

lint:
	@scripts/prepare
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@FEDIKIT_LAB=0 $(PYTHON) -m pytest -q tests/runbook/test_hygiene.py

bench:
	@scripts/prepare --root "make bench" lab browser bench
	@$(PYTHON) bench/run.py

test-loop:
	@scripts/prepare
	@.venv/bin/ptw . --now --runner .venv/bin/pytest tests/model/test_evaluation.py -q

notebook:
	@scripts/prepare
	@.venv/bin/jupyter lab --notebook-dir=. $$([ "$$(id -u)" != 0 ] || echo --allow-root) runbooks/deploy.ipynb

clean:
	@if [ -x $(FEDIKIT) ]; then $(FEDIKIT) lab down; fi
	@rm -rf build dist lab/dist .mypy_cache .pytest_cache .ruff_cache
