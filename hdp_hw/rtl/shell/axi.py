"""Signatures of the AXI ports; inside the shell the channels are streams, at the top they are flat AXI names."""

from enum import IntEnum

from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

PAGE_BYTES = 4096  #: no burst crosses a multiple of it


class Response(IntEnum):
    """An AXI response."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def read_request_layout(params):
    """AR of an INCR burst of whole bus words: ``len`` beats less one."""
    return data.StructLayout({"id": unsigned(params.axi_id_width), "addr": unsigned(params.address_width), "len": 8})


def read_data_layout(params):
    """R."""
    return data.StructLayout(
        {"id": unsigned(params.axi_id_width), "data": unsigned(params.bus_width), "resp": unsigned(2), "last": 1}
    )


def write_request_layout(params):
    """AW, as AR."""
    return read_request_layout(params)


def write_data_layout(params):
    """W."""
    return data.StructLayout({"data": unsigned(params.bus_width), "strb": unsigned(params.bus_width // 8), "last": 1})


def write_response_layout(params):
    """B."""
    return data.StructLayout({"id": unsigned(params.axi_id_width), "resp": unsigned(2)})


def read_channels(params):
    """Members of a reader's side: AR out, R in."""
    return {
        "ar": Out(stream.Signature(read_request_layout(params))),
        "r": In(stream.Signature(read_data_layout(params))),
    }


def write_channels(params):
    """Members of a writer's side: AW and W out, B in."""
    return {
        "aw": Out(stream.Signature(write_request_layout(params))),
        "w": Out(stream.Signature(write_data_layout(params))),
        "b": In(stream.Signature(write_response_layout(params))),
    }


def read_signature(params):
    """A reader's port."""
    return wiring.Signature(read_channels(params))


def write_signature(params):
    """A writer's port."""
    return wiring.Signature(write_channels(params))
