"""What is around a core."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hdp_hw.golden.cycles.core.plan import HeadPlan

if TYPE_CHECKING:
    from hdp_hw.golden.cycles.core.plane_loader import PlaneLoader


class FreeStreams:
    """What is around a core whose streams never stall: the settings of ``plans`` and all their beats, at once."""

    stalls = False  #: the output may be refused

    def __init__(self, plans: Iterable[HeadPlan]) -> None:
        self.pending = deque(plans)

    def settings(self) -> HeadPlan | None:
        """The HeadPlan that is offered in this cycle, or None; :meth:`settings_taken` says that it is taken."""
        return self.pending[0] if self.pending else None

    def settings_taken(self) -> None:
        """In this cycle."""
        self.pending.popleft()

    def plane_begins(self, loader: PlaneLoader, plan: HeadPlan) -> None:
        """The loader takes the beats of a plane from the next cycle on, until :meth:`PlaneLoader.ends`."""
        loader.clock.at(plan.beats[loader.plane], loader.ends)

    def verdict(self, plan: HeadPlan) -> None:
        """A head's verdict falls in this cycle."""

    def beat_taken(self) -> bool:
        """Whether the output beat that is offered in this cycle is taken."""
        return True

    def status_taken(self, plan: HeadPlan) -> bool:
        """Whether the status that is offered in this cycle is taken."""
        return True
