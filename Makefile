# Thin lines over Python: what each does is in the file it calls.
PYTHON ?= python3
CONFIG ?= tiny
BOARD ?= ulx3s
PYTEST_ARGS ?=
PARAMETERS := TILE LANES DIGIT_WIDTH MAX_HEAD_DIM MAX_SEQ_LEN DSP_LANES
OVERRIDES = $(foreach name,$(PARAMETERS),$(if $($(name)),$(name)=$($(name))))
SETUP = $(PYTHON) tools/setup.py
RUN = .venv/bin/python -m

.PHONY: help verilog configs test test-slow formal registers lint bench bench-layer profile faults synth tiles explore board clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12
	@echo "Parameters: CONFIG=tiny|edge|server|FILE.toml $(PARAMETERS:%=%=...)"

verilog: ## build/<name>/: hdp_core.v, hdp_top.v, driver in C and manifest of CONFIG
	@$(SETUP)
	@$(RUN) hdp_hw generate $(CONFIG) $(OVERRIDES)

configs: ## the named configurations, and what every parameter means
	@$(SETUP)
	@$(RUN) hdp_hw configs

test: ## the regression: benches under both simulators, and the tests without one (about ten minutes)
	@$(SETUP) --simulators
	@$(RUN) pytest -n auto $(PYTEST_ARGS)

test-slow: ## the tests that test leaves out: larger configurations
	@$(SETUP) formal --simulators
	@$(RUN) pytest -n auto --slow -m slow $(PYTEST_ARGS)

formal: ## proofs: handshakes, registers, bounded response
	@$(SETUP) formal
	@$(RUN) pytest -n auto --slow -m formal $(PYTEST_ARGS)

registers: ## the files that are made from hdp_hw/spec/registers.rdl
	@$(SETUP)
	@$(RUN) hdp_hw registers

lint: ## ruff: rules and format
	@$(SETUP)
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

bench: ## cycles of tiny and edge, or CONFIG, on captured and synthetic heads under every rule (BENCH_ARGS=--quick)
	@$(SETUP) --simulators
	@$(RUN) hdp_hw bench core $(if $(filter file,$(origin CONFIG)),,$(CONFIG)) $(OVERRIDES) $(BENCH_ARGS)

bench-layer: ## cycles of layers on the co-processor of edge, or CONFIG, by rule, cores and bus width (BENCH_ARGS=--quick)
	@$(SETUP) --simulators
	@$(RUN) hdp_hw bench layer $(if $(filter file,$(origin CONFIG)),,$(CONFIG)) $(OVERRIDES) $(BENCH_ARGS)

faults: ## all that can go wrong, done to the simulated co-processor of CONFIG (FAULTS_ARGS="--tries 30")
	@$(SETUP) --simulators
	@$(RUN) hdp_hw faults $(CONFIG) $(OVERRIDES) $(FAULTS_ARGS)

profile: ## does pruning pay for MODEL=minilm with DATA=FILE? (PROFILE_ARGS=...)
	@$(SETUP) models
	@$(RUN) hdp_hw profile $(or $(MODEL),minilm) $(if $(DATA),--data $(DATA)) $(PROFILE_ARGS)

synth: ## resources and clock frequency of CONFIG on DEVICE (SYNTH_ARGS="--seeds 1 2 3")
	@$(SETUP) synth
	@$(RUN) hdp_hw synth $(CONFIG) $(OVERRIDES) $(if $(DEVICE),--device $(DEVICE)) $(SYNTH_ARGS)

tiles: ## arrays of eight sizes on an ECP5, for the table of docs/synthesis.md (SYNTH_ARGS=...)
	@$(SETUP) synth
	@$(RUN) hdp_hw tiles $(SYNTH_ARGS)

explore: ## which co-processors are worth building on TARGET=ecp5-85 for WORKLOAD=minilm (EXPLORE_ARGS=...)
	@$(SETUP) models
	@$(RUN) hdp_hw explore --target $(or $(TARGET),ecp5-85) --workload $(or $(WORKLOAD),minilm) $(EXPLORE_ARGS)

board: ## the demonstration's bitstream for BOARD=ulx3s, or what Vivado takes for BOARD=arty_a7
	@$(SETUP) synth
	@$(RUN) hdp_hw board $(BOARD) $(if $(filter ulx3s,$(BOARD)),--build)

clean: ## remove what was built; .venv stays
	rm -rf build
