# Two commands are enough: `make demo` shows the lab at work, `make test` checks all of it.
# Both set up everything they need first (tools/bootstrap.sh and the guest image) and can be interrupted and repeated.

VENV   := .venv
PYTHON := $(VENV)/bin/python
IKELAB := $(VENV)/bin/ikelab
# A walk through the lab in well under a minute; `ikelab run` alone runs every scenario.
DEMO   := nat/before-initiator nat/both-sides nat/zoo-before-both/nat-port-restricted faults/first-ike faults/ike-auth \
          faults/dead-peer faults/collision/child-child ikev2/plain-tunnel ikev2/algorithm/aes256gcm16 ikev2/cookie \
          ikev2/invalid-ke-payload ikev2/wrong-psk ikev2/liveness ikev2/rekey-child-sa ikev2/eap/ ikev1/main-mode

# Scenarios need less than the tests of the lab: `make image` and `make setup` alone prepare no more than `make demo`.
SCOPE := demo
test lint docs bench rules: SCOPE := test

.PHONY: demo test lint docs bench clean setup image

demo: image
	$(IKELAB) run --peer strongswan $(DEMO)

test: image lint
	$(PYTHON) -m pytest -n 2 --dist loadgroup tests
	$(IKELAB) run --out reports/out/test

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# Into docs/_build/html. A warning is an error.
docs: setup
	$(VENV)/bin/sphinx-build -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html

# Breaks each rule of the protocol in a copy and sees that the tests which guard it fail; some minutes.
rules: setup
	$(PYTHON) tools/break_rules.py

bench: image
	@for program in $(wildcard bench/*.py); do echo "== $$program"; $(PYTHON) $$program || exit 1; done

setup:
	@tools/bootstrap.sh $(SCOPE)

image: setup
	$(IKELAB) image build

clean:
	rm -rf $(VENV) reports/out docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find lab tests scenarios -name __pycache__ -type d -prune -exec rm -rf {} +
