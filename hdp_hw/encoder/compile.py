"""From a model in integers to the image of its jobs."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from hdp_hw.driver.memory_layout import descriptor, table_entry
from hdp_hw.encoder.chain import Attention, Chain, Heads, Rows, Sizes, StoredLayer
from hdp_hw.encoder.content import Content, StoredLinear, put_norm
from hdp_hw.encoder.image import CRC_END, Image
from hdp_hw.encoder.jobs import Linear, Norm
from hdp_hw.encoder.model import IntegerModel, Layer
from hdp_hw.encoder.tiling import max_inputs
from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.formats import DESCRIPTOR_BYTES, ENTRY_BYTES, NORM_ADDRESSES, NORM_BYTES, NORM_FIELDS, offsets, packed
from hdp_hw.spec.image import ATTENTION_FIELDS, CHAIN_FIELDS, HEADER_BYTES, HEADER_FIELDS, IMAGE_FORMAT, IMAGE_MAGIC
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.spec.settings import Rule

JOB_BASE = BY_NAME["JOB_ID"].address
LISTS = "header, jobs and lists"  #: kind of content


def compile_model(model: IntegerModel, params: HdpParams, tokens: Sequence[int]) -> Image:
    """The Image of a model, with a chain of jobs for each of some numbers of tokens, which also takes fewer.

    Raises ParameterError for what the core does not take.
    """
    lengths = sorted(set(tokens))
    check(model, params, lengths)
    content = Content(HEADER_BYTES)
    heads = heads_of(model, params)
    layers = [stored(layer, heads, content) for layer in model.layers]
    entry = model.entry, put_norm(model.entry, content)
    attention = [attention_of(layer, heads, lengths[-1], content) for layer in model.layers]
    sizes = Sizes(features_of(model), layers[0].outer.n_channels, layers[0].inner.n_channels, heads)
    end = 0
    for _ in range(2):  # rows lie behind the image, whose size the first turn finds
        buffers, memory_bytes = sizes.buffers(end, lengths[-1])
        chains = [chain_of(model, n, entry, layers, attention, buffers, sizes) for n in lengths]
        whole = content.copy()
        header = put_chains(chains, whole)
        end = whole.size
    if memory_bytes >> 32:
        raise ParameterError("bytes of the image and its rows", memory_bytes, "fewer than 2^32")
    header |= {"image_bytes": end, "memory_bytes": memory_bytes, "features": sizes.features, "n_layers": len(layers)}
    header |= {"results": int(model.first_only), "max_tokens": lengths[-1], **vars_of(params)}
    rows, context = buffers["rows"], buffers["context"]
    header |= {"rows": rows.offset, "rows_stride": rows.stride, "context_stride": context.stride}
    header |= {"context_integer": context.offset, "context_fraction": context.fraction}
    return finished(whole, header, {**whole.kinds, "rows that jobs work on": memory_bytes - end})


def finished(content: Content, header: dict[str, int], kinds: Mapping[str, int]) -> Image:
    """The Image of a content, with its header and checksum."""
    header |= {"magic": IMAGE_MAGIC, "format": IMAGE_FORMAT}
    data = content.bytes()
    data[:HEADER_BYTES] = np.frombuffer(packed(HEADER_FIELDS, header), np.uint8)
    header["crc32"] = crc32(data[CRC_END:].data)
    data[:HEADER_BYTES] = np.frombuffer(packed(HEADER_FIELDS, header), np.uint8)
    return Image(data, header, kinds)


def check(model: IntegerModel, params: HdpParams, tokens: Sequence[int]) -> None:
    """Raise ParameterError for sizes that the core does not take."""
    if not params.encoder:
        raise ParameterError("encoder", 0, "1, for models")
    if not tokens or not 1 <= min(tokens) <= max(tokens) <= params.max_seq_len:
        raise ParameterError("tokens", list(tokens), f"numbers from 1 to max_seq_len = {params.max_seq_len}")
    heads, features = heads_of(model, params), features_of(model)
    if not 1 <= heads.dim <= params.max_head_dim or heads.dim % params.slice_width:
        legal = f"1 to {params.max_head_dim}, a multiple of lanes / 4 = {params.slice_width}"
        raise ParameterError("elements of a head", heads.dim, legal)
    if features > params.max_features:
        raise ParameterError("elements of a normalised row", features, f"2 to {params.max_features} on this core")
    inputs = {4: features, 16: max(heads.number * heads.context, len(model.layers[0].inner.weight))}
    for bits, n in inputs.items():
        if n > (widest := max_inputs(params, bits)):
            raise ParameterError("inputs of a linear layer", n, f"1 to {widest} on this core")


def heads_of(model: IntegerModel, params: HdpParams) -> Heads:
    """Heads of a model's layers."""
    return Heads(model.n_heads, len(model.layers[0].query.weight) // model.n_heads, params)


def features_of(model: IntegerModel) -> int:
    """Elements of a model's rows."""
    return len(model.layers[0].context.weight)


def stored(layer: Layer, heads: Heads, content: Content) -> StoredLayer:
    """StoredLayer of a Layer, put into the content."""
    params, n_heads, query_key = heads.params, heads.number, Linear.together(layer.query, layer.key)
    return StoredLayer(
        query_key=StoredLinear.of(query_key, 4, content, params, heads=(2 * n_heads, heads.key)),
        value=StoredLinear.of(layer.value, 8, content, params, heads=(n_heads, heads.value)),
        context=StoredLinear.of(layer.context, 16, content, params, input_heads=(n_heads, heads.context)),
        context_norm=(layer.context_norm, put_norm(layer.context_norm, content)),
        inner=StoredLinear.of(layer.inner, 4, content, params),
        outer=StoredLinear.of(layer.outer, 16, content, params),
        outer_norm=(layer.outer_norm, put_norm(layer.outer_norm, content)),
    )


def attention_of(layer: Layer, heads: Heads, most: int, content: Content) -> Attention:
    """Scales and thresholds of a layer's heads, in a table where heads differ, or inputs of other lengths."""
    n_heads, settings_of = heads.number, layer.attention.head_settings
    lengths = range(1, most + 1) if layer.attention.relative else (most,)
    of_lengths = [settings_of(n_heads, n_heads, n, n, heads.dim, heads.params) for n in lengths]
    entries = np.array([[table_entry(head) for head in of_length] for of_length in of_lengths], "<u4")
    alike = (entries == entries[0, 0]).all()
    table = 0 if alike else content.put("scales of heads", entries)
    stride = 0 if alike or len(lengths) == 1 else n_heads * ENTRY_BYTES
    return Attention(of_lengths[-1][0], table, stride)


def chain_of(
    model: IntegerModel,
    n: int,
    entry: tuple[Norm, int],
    layers: Sequence[StoredLayer],
    attention: Sequence[Attention],
    buffers: Mapping[str, Rows],
    sizes: Sizes,
) -> Chain:
    """The Chain of inputs of n tokens."""
    chain, keys = Chain(n, buffers, sizes), sizes.heads.number * sizes.heads.key
    first, *_ = chain.cut(layers[0].query_key, n)
    for row in range(0, n, first.n_rows):
        chain.norm(entry, row, min(first.n_rows, n - row), reads=False)
    for number, (layer, of_heads) in enumerate(zip(layers, attention)):
        read = 1 if model.first_only and number == len(layers) - 1 else n
        queries = read if of_heads.settings.rule == Rule.DENSE else n
        if queries == n:
            chain.run(layer.query_key, "x", "query_key", n)
        else:
            chain.run(layer.query_key, "x", "query_key", queries, end=keys)
            chain.run(layer.query_key, "x", "query_key", n, first=keys)
        chain.run(layer.value, "x", "value", n)
        chain.attend(of_heads, queries)
        chain.run(layer.context, "context", "y", read, layer.context_norm)
        chain.run(layer.inner, "x", "inner", read)
        chain.run(layer.outer, "inner", "y", read, layer.outer_norm)
    chain.finish()
    return chain


def put_chains(chains: Sequence[Chain], content: Content) -> dict[str, int]:
    """Put the descriptors of chains, and the tables that name them; returns fields of the header."""
    entries, relocations = b"", list[int]()
    for chain in chains:
        norms = [job.norm for job in chain.jobs if job.norm]
        of_norms = content.put(LISTS, b"".join(packed(NORM_FIELDS, norm) for norm in norms))
        relocations += [
            of_norms + NORM_BYTES * number + offsets(NORM_FIELDS)[name]
            for number, norm in enumerate(norms)
            for name in NORM_ADDRESSES
            if norm[name]
        ]
        first = content.size
        descriptors, n_norms = [], 0
        for number, job in enumerate(chain.jobs):
            addresses = dict(job.addresses)
            if job.norm:
                addresses["norm"] = of_norms + NORM_BYTES * n_norms
                n_norms += 1
            if number + 1 < len(chain.jobs):
                addresses["chain"] = first + DESCRIPTOR_BYTES * (number + 1)
            place = first + DESCRIPTOR_BYTES * number - JOB_BASE
            relocations += [place + BY_NAME[f"{name.upper()}_LOW"].address for name in addresses]
            lows = {f"{name.upper()}_LOW": address for name, address in addresses.items()}
            descriptors.append(descriptor({"JOB_ID": number + 1, **job.words, **lows}))
        content.put(LISTS, np.concatenate(descriptors))
        of_attention = content.put(LISTS, b"".join(packed(ATTENTION_FIELDS, each) for each in chain.entries(first)))
        entry = {"tokens": chain.n, "first": first, "jobs": len(chain.jobs), "attention": of_attention}
        entries += packed(CHAIN_FIELDS, entry)
    return {
        "chains": content.put(LISTS, entries),
        "n_chains": len(chains),
        "relocations": content.put(LISTS, np.array(relocations, "<u4")),
        "n_relocations": len(relocations),
    }
