"""How far nextpnr is, and whether it gets any nearer, of its log: hdp_hw/deliver/synth/place_route.py."""

import pytest

from hdp_hw.deliver.synth.place_route import NotRouted, progress, watched


def test_progress_of_nextpnr():
    placing = "Info:    system potential: 9.3 hpwl: 885478.9\nInfo: overlap: COMB=10.1%, FF=3.8%, RAM=0.0%\n"
    refining = "Info:   at iteration #5: temp = 0.000000, timing cost = 482, wirelen = 474892 \n"
    routing = "Info:     iter=1 wires=817137 overused=58451 overuse=73270 archfail=NA\n"
    assert progress("") == "packing and first placement"
    assert progress(placing) == "placing, wire length 885478, 10.1% of the logic on top of other logic"
    assert progress(placing + refining) == "refining the placement, iteration 5, wire length 474892"
    assert progress(placing + refining + routing) == "routing, iteration 1, 58451 wires used twice"
    late = "Info:     iter=77 wires=256816 overused=0 overuse=0 tmgfail=4 archfail=NA\n"
    assert progress(placing + refining + routing + late) == "routing, iteration 77, 0 wires used twice, 4 too late"
    heap = (
        "Info:     at iteration #14, type ALL: wirelen solved = 69708, spread = 117945, legal = 219771; time = 26.95s\n"
    )
    router1 = "Info:      47000 |      540      42904 |   60   879 |     13579|       2.37      94.62|\n"
    assert progress(heap) == "placing, iteration 14, wire length 219771"
    assert progress(heap + refining + router1) == "routing, 13579 connections left"


def test_a_router_that_gets_no_nearer():
    """It is stopped: fewer wires must be shared after 100 iterations than before, but for none."""

    def log(*overused):
        return "".join(
            f"Info:     iter={k} wires=9 overused={n} overuse=9 archfail=NA\n" for k, n in enumerate(overused)
        )

    stays = [900, 70, 40, *([55] * 99)]
    assert watched(log(*stays)) == "routing, iteration 101, 55 wires used twice"
    assert watched(log(*stays, 39)) and watched(log(900, *([0] * 300)))
    for last in (40, 41):
        with pytest.raises(NotRouted, match=f"100 more iterations: routing, iteration 102, {last} wires used twice"):
            watched(log(*stays, last))
