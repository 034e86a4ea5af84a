"""What hdp-hw synth --part takes of a co-processor."""

import pytest

from hdp_hw.deliver.synth.flow import SOURCE, write_design
from hdp_hw.spec.params import HdpParams, ParameterError


@pytest.mark.parametrize(
    ("part", "port"), [("core", "o_status_verdict"), ("top", "m_axi_araddr"), ("norm", "o_end_done")]
)
def test_parts(part, port, tmp_path):
    small = HdpParams(2, 16, max_head_dim=16, max_seq_len=32, multiplier=18, encoder=1)
    write_design(small, tmp_path, part)
    assert f".{port}(" in (tmp_path / SOURCE).read_text(encoding="utf-8")


def test_no_norm_without_encoder(tmp_path):
    with pytest.raises(ParameterError, match="encoder"):
        write_design(HdpParams(), tmp_path, "norm")
