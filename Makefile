# Two commands work on a fresh Debian machine with Python 3.11 to 3.13: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEBIAN_PACKAGES := sip-tester baresip tshark chromium espeak-ng
# Phones for pages in the browser, and what they need.
NPM_PACKAGES := jssip@3.13.8 debug@4.4.3 ms@2.1.3 events@3.3.0 sdp-transform@2.15.0 sip.js@0.21.2
# What applications of jambonz are written with, and what it needs.
NPM_JAMBONZ := @jambonz/sdk@0.10.1 @jambonz/schema@0.4.15 ws@8.23.0 ajv@8.20.0 debug@4.4.3 ms@2.1.3 \
  fast-deep-equal@3.1.3 fast-uri@3.1.9 json-schema-traverse@1.0.0 require-from-string@2.0.2
# Bots of other people: pipecat's serializers, and an AudioSocket.
PIPECAT_PACKAGES := pipecat-ai==1.14.0 -r tests/interop/pipecat.txt
NPM_AUDIOSOCKET := asterisk-audiosocket@0.1.0

# Tests may keep what they compile, even where the environment forbids it: reading them is half of their time.
PYTEST := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/build/pycache $(BIN)/python -m pytest -q
# Each file in one of two processes, and all that is realtime in the same one (tests/conftest.py).
SPREAD := -n 2 --dist loadfile
QUICK := tests/unit tests/flow

.PHONY: ivr-full setup demo test unit faults interop interop-smoke bench bench-smoke fuzz fuzz-smoke lint format clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("sipcc needs Python 3.11 or newer; run make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev,interop,fuzz,vxml]'
	touch $@

# Programs that are not ours and that the interoperability tests talk to.
.PHONY: foreign
foreign:
	sh tools/install_foreign.sh $(DEBIAN_PACKAGES)
	sh tools/install_npm.sh build/browser $(NPM_PACKAGES)
	sh tools/install_npm.sh build/jambonz $(NPM_JAMBONZ)
	PYTHON=$(PYTHON) sh tools/install_python.sh build/bots $(PIPECAT_PACKAGES)
	sh tools/install_npm.sh build/audiosocket $(NPM_AUDIOSOCKET)

demo: setup
	$(BIN)/sipccd demo

test: setup foreign lint bench-smoke fuzz-smoke
	failed=0; $(PYTEST) tests/faults tests/examples tests/interop || failed=1; \
	$(PYTEST) $(SPREAD) $(QUICK) tests/rfc tests/fuzz tests/test_layers.py tests/test_exports.py && exit $$failed

# Each core by itself, and whole calls on the memory network.
unit: setup
	$(PYTEST) $(SPREAD) $(QUICK)

# The same with every example: a run tries a part of some large sets.
.PHONY: unit-full
unit-full: setup
	SIPCC_FULL=1 SIPCC_RACES=1000 $(PYTEST) $(SPREAD) --timeout 300 $(QUICK)

# What strangers and accidents can do: the reliability catalogue; processes are killed KILL_ROUNDS times,
# and under KILL_CALLS calls.
KILL_ROUNDS ?= 20
KILL_CALLS ?= 200
faults: setup
	KILL_ROUNDS=$(KILL_ROUNDS) KILL_CALLS=$(KILL_CALLS) $(PYTEST) \
	  tests/faults tests/interop/test_kill.py tests/interop/test_kill_load.py

interop: setup foreign
	$(PYTEST) tests/interop

# Codecs, keys, conferences, fax, video and bad networks, with other people's phones.
INTEROP_SMOKE := codecs keys conference fax_video networks

interop-smoke: setup foreign
	$(PYTEST) $(INTEROP_SMOKE:%=tests/interop/test_%.py)

MEDIA_BENCHES := codec jitter inband relay anchored recorded delay prompts bot conference srtp webrtc media_memory media_soak
BENCHES := parse $(MEDIA_BENCHES) router day fold wait register blocked bombs garbage halfopen lossy calls api signalling ivr_sim vxml menus keystart hooks

bench: setup foreign
	for bench in $(BENCHES); do $(BIN)/python -m benchmarks.$$bench || exit 1; done

# Each benchmark once and briefly, to see that it works; figures come from `make bench`.
bench-smoke: setup foreign
	$(BIN)/python -m benchmarks._smoke $(BENCHES) concurrency standing reauth

FUZZ_TARGETS := message stream uri sdp auth multipart endpoint rtp rtcp media

# Each fuzz target for a few seconds, from the same seed; for some platforms there is no atheris.
fuzz-smoke: setup
	mkdir -p build; if $(BIN)/python -c 'import atheris' 2>/dev/null; then \
	  for target in $(FUZZ_TARGETS); do $(BIN)/python -m tests.fuzz $$target --seconds 5 >build/fuzz.log 2>&1 || { tail -40 build/fuzz.log; exit 1; }; done; \
	else echo 'no atheris for this platform: the seeds of the fuzz targets are tried by pytest'; fi

# FUZZ_SECONDS for each target; what is found is kept in fuzz-found/.
FUZZ_SECONDS ?= 600
fuzz: setup
	for target in $(FUZZ_TARGETS); do $(BIN)/python -m tests.fuzz $$target --seconds $(FUZZ_SECONDS) --folder fuzz-found/$$target || exit 1; done

# Each kind of mistake in 50 flows, 400 flows with many mistakes, 400 questions asked of a live and a made-up caller.
ivr-full: setup
	SIPCC_ALL_FLOWS=1 SIPCC_SIM_QUESTIONS=400 $(PYTEST) \
	  tests/unit/ivr/flows tests/flow/test_ivr_sim_is_live.py --timeout 300

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
