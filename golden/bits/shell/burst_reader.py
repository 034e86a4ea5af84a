"""Which bursts read a region."""

from hdp_hw.spec.params import HdpParams


def bursts(address: int, n_beats: int, max_beats: int, params: HdpParams) -> list[tuple[int, int]]:
    """``[(address, beats)]`` of ``n_beats`` bus words from ``address`` on: bursts end at multiples of ``max_beats``."""
    found, word = [], address // params.bus_bytes
    while n_beats:
        beats = min(n_beats, max_beats - word % max_beats)
        found.append((word * params.bus_bytes, beats))
        word, n_beats = word + beats, n_beats - beats
    return found
