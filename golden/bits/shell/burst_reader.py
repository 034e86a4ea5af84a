"""Which bursts read a region."""


def bursts(address, n_beats, max_beats, params):
    """``[(address, beats)]`` of ``n_beats`` bus words from ``address`` on: bursts end at multiples of ``max_beats``."""
    found, word = [], address // params.bus_bytes
    while n_beats:
        beats = min(n_beats, max_beats - word % max_beats)
        found.append((word * params.bus_bytes, beats))
        word, n_beats = word + beats, n_beats - beats
    return found
