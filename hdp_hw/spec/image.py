"""The image of a compiled model: its header, and the tables that the header names. All of it is little-endian.

An image lies at the beginning of a buffer as it lies in its file; the rows that the jobs work on follow behind it. Its
jobs name places by their distance from the buffer's first byte. Who loads it adds the address of that byte to each of
the 64-bit words that the list of relocations names.
"""

from hdp_hw.spec.configs import NAMES

IMAGE_MAGIC = int.from_bytes(b"HDPMODEL", "little")
IMAGE_FORMAT = 2

#: ``{field of the header: bits}``. crc32 : of all bytes behind it; parameters of the core; features : words of a row;
#: results : rows of the hidden states, 0 for all; rows : where the words of embeddings go, and hidden states come from;
#: context : planes of the attention's output. Rows of both are zero from the input's last token to the chain's.
HEADER_FIELDS = {"magic": 64, "format": 32, "crc32": 32, "image_bytes": 32, "memory_bytes": 32}
HEADER_FIELDS |= dict.fromkeys(NAMES, 32)
HEADER_FIELDS |= dict.fromkeys(
    (
        *("features", "results", "max_tokens", "rows", "rows_stride"),
        *("context_integer", "context_fraction", "context_stride"),
        *("n_layers", "n_chains", "chains", "n_relocations", "relocations"),
    ),
    32,
)
HEADER_BYTES = sum(HEADER_FIELDS.values()) // 8

#: Of a chain, in order of ``tokens``, the most that it takes: its first job's descriptor, how many there are, and where
#: entries of its n_layers attention jobs lie.
CHAIN_FIELDS = dict.fromkeys(("tokens", "first", "jobs", "attention"), 32)
CHAIN_BYTES = sum(CHAIN_FIELDS.values()) // 8

#: Of an attention job, whose N_K is the number of tokens n: whether N_Q is too, and where the table of scales and
#: thresholds lies: ``table + (n - 1) * table_stride``.
ATTENTION_FIELDS = dict.fromkeys(("descriptor", "queries", "table", "table_stride"), 32)
ATTENTION_BYTES = sum(ATTENTION_FIELDS.values()) // 8
