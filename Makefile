# Thin lines over Python: what each does is in the file it calls.
PYTHON ?= python3
PYTEST_ARGS ?=
# These, and the parameters of a core, count on make's command line alone: the environment changes nothing that is built.
CONFIG = tiny
BOARD = ulx3s
MODEL = minilm
DATA =
DEVICE =
TARGET = ecp5-85
WORKLOAD = minilm
BENCH_ARGS =
FAULTS_ARGS =
PROFILE_ARGS =
SYNTH_ARGS =
EXPLORE_ARGS =
SOC_ARGS =
# Tests of a processor that has no more go to another, and the slowest are listed at the end.
SCHEDULE := --dist worksteal --durations 15 --durations-min 5

# Parameters are the fields of HdpParams, in upper case; a word that the shell reads as it stands is between quotes.
PARAMETERS := $(shell sed -n 's/^    \([a-z_]*\): int = .*/\1/p' hdp_hw/spec/params.py | tr a-z A-Z)
GIVEN := $(strip $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name))))
quote = '$(subst ','\'',$(1))'
CORE = $(call quote,$(CONFIG)) $(OVERRIDES)
CORES = $(if $(filter CONFIG,$(GIVEN)),$(call quote,$(CONFIG))) $(OVERRIDES)
OVERRIDES = $(foreach name,$(filter $(GIVEN),$(PARAMETERS)),$(call quote,$(name)=$($(name))))

# Variables that a target takes; others are refused.
TESTS := PYTEST_ARGS HDP_SEED WAVES OBJCACHE
takes-verilog := CONFIG $(PARAMETERS)
takes-test := $(TESTS)
takes-test-slow := $(TESTS)
takes-formal := $(TESTS)
takes-bench := CONFIG BENCH_ARGS $(PARAMETERS)
takes-bench-layer := $(takes-bench)
takes-faults := CONFIG FAULTS_ARGS $(PARAMETERS)
takes-profile := MODEL DATA CONFIG PROFILE_ARGS $(PARAMETERS)
takes-synth := CONFIG DEVICE SYNTH_ARGS $(PARAMETERS)
takes-tiles := DEVICE SYNTH_ARGS
takes-explore := TARGET WORKLOAD EXPLORE_ARGS
takes-board := BOARD CONFIG $(PARAMETERS)
takes-soc-sim := MODEL CONFIG SOC_ARGS $(PARAMETERS)
takes-soc := $(takes-soc-sim)
TAKES = PYTHON $(foreach goal,$(MAKECMDGOALS),$(takes-$(goal)))
SETUP = $(PYTHON) tools/setup.py --given $(call quote,$(GIVEN)) --takes $(call quote,$(TAKES))
RUN = .venv/bin/python -m

.PHONY: help verilog configs test test-slow formal registers lint bench bench-layer profile faults synth tiles explore board soc-sim soc docs release clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12
	@echo "CONFIG is tiny, edge, large, server, paper or FILE.toml; its parameters: $(PARAMETERS:%=%=...)"

verilog: ## build/<name>/: hdp_core.v, hdp_top.v, driver in C and manifest of CONFIG
	@$(SETUP)
	@$(RUN) hdp_hw generate $(CORE)

configs: ## the named configurations, and what every parameter means
	@$(SETUP)
	@$(RUN) hdp_hw configs

test: ## the regression: benches under both simulators, and the tests without one (some ten minutes on two processors)
	@$(SETUP) --simulators
	@$(RUN) pytest -n auto $(SCHEDULE) $(PYTEST_ARGS)

test-slow: ## the tests that test leaves out: larger configurations
	@$(SETUP) formal --simulators
	@$(RUN) pytest -n auto $(SCHEDULE) --slow -m slow $(PYTEST_ARGS)

formal: ## proofs: handshakes, registers, bounded response
	@$(SETUP) formal
	@$(RUN) pytest -n auto --slow -m formal $(PYTEST_ARGS)

registers: ## the files that are made from hdp_hw/spec/registers.rdl
	@$(SETUP)
	@$(RUN) hdp_hw registers

lint: ## ruff: rules and format; mypy: types
	@$(SETUP)
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

bench: ## cycles of tiny and edge, or CONFIG, on captured and synthetic heads under every rule (BENCH_ARGS=--quick)
	@$(SETUP) --simulators
	@$(RUN) hdp_hw bench core $(CORES) $(BENCH_ARGS)

bench-layer: ## cycles of layers on the co-processor of edge, or CONFIG, by rule, cores and bus width (BENCH_ARGS=--quick)
	@$(SETUP) --simulators
	@$(RUN) hdp_hw bench layer $(CORES) $(BENCH_ARGS)

faults: ## all that can go wrong, done to the simulated co-processor of CONFIG (FAULTS_ARGS="--tries 30")
	@$(SETUP) --simulators
	@$(RUN) hdp_hw faults $(CORE) $(FAULTS_ARGS)

profile: ## does pruning pay for MODEL=minilm with DATA=FILE, on CONFIG? (PROFILE_ARGS="--examples 200")
	@$(SETUP) models
	@$(RUN) hdp_hw profile $(call quote,$(MODEL)) $(CORES) $(if $(DATA),--data $(call quote,$(DATA))) $(PROFILE_ARGS)

synth: ## resources and clock frequency of CONFIG on DEVICE (SYNTH_ARGS="--seeds 1 2 3")
	@$(SETUP) synth
	@$(RUN) hdp_hw synth $(CORE) $(if $(DEVICE),--device $(call quote,$(DEVICE))) $(SYNTH_ARGS)

tiles: ## arrays of eight sizes on an ECP5, for the table of docs/synthesis.md (DEVICE, SYNTH_ARGS)
	@$(SETUP) synth
	@$(RUN) hdp_hw tiles $(if $(DEVICE),--device $(call quote,$(DEVICE))) $(SYNTH_ARGS)

explore: ## which co-processors are worth building on TARGET=ecp5-85 for WORKLOAD=minilm (EXPLORE_ARGS="--fill 0.7")
	@$(SETUP) models
	@$(RUN) hdp_hw explore --target $(call quote,$(TARGET)) --workload $(call quote,$(WORKLOAD)) $(EXPLORE_ARGS)

board: ## the demonstration's bitstream for BOARD=ulx3s, or what Vivado takes for BOARD=arty_a7, with a core of CONFIG
	@$(SETUP) synth
	@$(RUN) hdp_hw board $(call quote,$(BOARD)) $(CORE) $(if $(filter ulx3s,$(BOARD)),--build)

soc-sim: ## a RISC-V SoC with the co-processor of CONFIG under Verilator: its firmware runs MODEL=vit-digits with it, and alone
	@$(SETUP) packaging models --simulators --firmware
	@$(RUN) hdp_hw soc $(if $(filter MODEL,$(GIVEN)),$(call quote,$(MODEL)),vit-digits) $(CORE) $(SOC_ARGS)

soc: ## its bitstream for a ULX3S (LFE5U-85F), with MODEL=vit-digits in it, by open tools
	@$(SETUP) packaging models synth --firmware
	@$(RUN) hdp_hw soc $(if $(filter MODEL,$(GIVEN)),$(call quote,$(MODEL)),vit-digits) $(CORE) --board ulx3s $(SOC_ARGS)

docs: ## build/site/: the documentation as a site, with a reference and a gallery
	@$(SETUP) docs models
	@.venv/bin/python tools/site/build.py

release: ## dist/: wheel, source distribution and Verilog of the named configurations, of the last commit
	@$(SETUP)
	@.venv/bin/python tools/release.py

clean: ## remove what was built; .venv stays
	rm -rf build dist
