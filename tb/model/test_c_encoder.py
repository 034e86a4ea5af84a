"""The encoder in C for a processor alone, compiled for this machine: bit for bit the golden model's."""

import ctypes
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.commands.arguments import progress
from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.soc.c_source import array, initialiser
from hdp_hw.soc.firmware import SOURCES
from hdp_hw.soc.model_case import ModelCase
from hdp_hw.soc.model_source import Source, encoder_tables
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.encoder import Activation
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import HeadSettings
from hdp_hw.study.accuracy.calibrate import open_workplace
from hdp_hw.encoder.jobs import Affine, Linear, Norm
from tb.lib.c_driver import FLAGS

RNG = np.random.default_rng(7)
