"""Original English texts whose attention is captured, each cut to a number of tokens as the model cuts its input."""

#: ``{name: (tokens, text)}``; a text has at least that many tokens, the first and last special ones included.
PASSAGES = {
    "kettle": (12, "The kettle was still warm when she came home."),
    "train": (
        30,
        "Our train stopped between two stations for an hour, so we missed the ferry and spent the night in a small "
        "hotel near the harbour instead.",
    ),
    "review": (
        32,
        "The soup was cold and the waiter forgot us twice, but the bread is the best I have eaten in this city, "
        "and I would go back for it tomorrow.",
    ),
    "letter": (
        64,
        "Dear Martin, thank you for lending us the ladder. I have cleaned the brushes, replaced the broken rung "
        "and left everything in your shed behind the bicycles. The gutter no longer leaks, and the neighbours have "
        "finally stopped complaining about the noise of the water at night. Please come for dinner on Friday.",
    ),
    "bread": (
        100,
        "Mix the flour, the salt and the yeast in a wide bowl, then pour in most of the water and stir until no "
        "dry patches remain. Let the dough rest for twenty minutes before you knead it, because flour needs time "
        "to take up water. Fold it over itself every half hour, four times in all. When it has nearly doubled, "
        "shape it gently, dust the basket with rye flour and leave it in the refrigerator overnight. Bake it on a "
        "hot stone for forty minutes, and do not cut the loaf before it has cooled.",
    ),
    "lighthouse": (
        128,
        "Nobody had climbed the lighthouse since the lamp was taken away. The door had swollen in its frame, and "
        "when Ines finally forced it open, a smell of salt and old paint came down the stairs to meet her. She "
        "counted the steps aloud, as her grandfather had done: one hundred and twelve, and at every twentieth a "
        "narrow window that showed a little more of the sea. At the top there was nothing but a chair, a logbook "
        "and a dead gull. The last entry was written in pencil. It said that the fog had lifted at four in the "
        "morning, that a fishing boat had passed close under the rocks without a light, and that the keeper had "
        "decided not to report it. She read the line three times, and then she tore out the page.",
    ),
    "council": (
        128,
        "The town council voted on Tuesday to close the old stone bridge to cars for two years. Engineers who "
        "examined the arches in March found that the eastern pier had sunk by nine centimetres since the flood, "
        "and warned that heavy lorries could make the damage worse. Shop owners on the north bank say that the "
        "decision will cost them a third of their customers; the mayor answered that a free shuttle bus would run "
        "every ten minutes, and that cyclists and pedestrians may still cross. The repairs are expected to cost "
        "four million, half of which the region has promised to pay. A first design will be shown to the public in "
        "the library in September.",
    ),
    "accelerator": (
        160,
        "Attention compares every token of a text with every other token, so its cost grows with the square of the "
        "length. Most of these comparisons do not matter: after the softmax, a few keys hold nearly all of the "
        "weight of a row, and the rest could have been left out without changing the result. The difficulty is to "
        "know which ones before computing them. This accelerator splits each number into a coarse and a fine "
        "digit. It first multiplies the coarse digits of all queries and keys, which costs a quarter of the work, "
        "and looks at these rough scores to decide which blocks of the matrix deserve an exact answer. The rough "
        "scores are not thrown away, because they are the leading part of the exact ones. Blocks that do not "
        "survive are never fetched, never multiplied and never exponentiated, and a single averaged key stands in "
        "for all of them.",
    ),
    "glacier": (
        256,
        "We reached the hut below the glacier shortly before dark. The warden, a quiet woman with a sunburnt face, "
        "put soup in front of us before we had taken off our boots, and only then asked where we intended to go. "
        "When we told her, she shook her head. The snow bridge on the usual route had fallen in on Sunday, she "
        "said, and two Czech climbers had spent a night on the ice waiting for a rope. There was another way, "
        "longer and steeper, over a ridge of loose stones that the maps showed as a cliff. Her father had used it "
        "to bring sheep across the border in the years after the war. She drew it for us on the back of a receipt: "
        "a dead tree, a spring, a boulder shaped like an anvil, then left and always left until we saw the lake. "
        "In the morning she would not take money for the food. Bring me a newspaper when you come back, she said, "
        "any newspaper, and not too old. We walked for six hours. The tree had fallen, the spring was dry, and "
        "there were several boulders that a hungry person could have taken for an anvil, but the lake was where "
        "she had promised, green and perfectly still, with ice floating at its far end. We slept on its shore and "
        "hardly spoke. I have forgotten the name of the summit that we had come to climb, but I still have the "
        "receipt, and I could find that hut again without a map. Years later I learned that it had burned down the "
        "winter after our visit.",
    ),
    "release": (
        256,
        "Version 4.2 fixes a memory leak in the connection pool that appeared when a client closed its socket "
        "during a handshake. If you run more than about five hundred connections per worker, we recommend "
        "upgrading today. The configuration file format has not changed, but two options are now deprecated: use "
        "max_idle instead of idle_limit, and timeout_ms instead of timeout. The old names still work and print a "
        "warning. We also replaced the random number generator that picks a backend. The previous one was seeded "
        "from the clock, so processes which started in the same second sent their first requests to the same "
        "server; thanks to everyone who sent us graphs of this. Logging is now asynchronous. Messages are written "
        "by a separate thread, and when the disk is too slow, the oldest debug messages are dropped first and "
        "counted. Errors are never dropped. To return to the old behaviour, set log_sync = true. Known issues: on "
        "ARM boards with a 16 kB page size the benchmark reports twice the real memory use, and the shell "
        "completion does not yet know the new subcommands. Please test the release candidate with your own traffic "
        "before you put it into production, keep the previous package at hand, and tell us what you find, even "
        "when it is only that everything went well. The next version will drop support for Python 3.8, and for "
        "configuration files written before version 3. A script that converts them is included, and it leaves a "
        "backup beside each file that it changes.",
    ),
}
