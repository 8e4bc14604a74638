"""Figures of a simulated day."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capacity.inputs import Hardware


@dataclass
class Outcome:
    """Sums over a day. `waits[k]`: questions that were admitted after k retries. Times are seconds of one session, slot or replica."""

    asked: float
    refused: float  # not admitted at the first try, after all the replicas that a gateway asks
    lost: float  # never admitted
    waits: NDArray[np.float64]
    speaking_s: float
    slots_s: float
    paid_s: float
    sessions_s: float

    @property
    def refused_pct(self) -> float:
        return 100 * self.refused / max(self.asked, 1)

    @property
    def lost_pct(self) -> float:
        return 100 * self.lost / max(self.asked, 1)

    @property
    def utilisation_pct(self) -> float:
        """Speaking time as a share of the slots that were ready."""
        return 100 * self.speaking_s / max(self.slots_s, 1)

    def wait_s(self, share: float, retry_s: float) -> float:
        """Longest wait of the given share of the admitted requests."""
        reached = np.searchsorted(np.cumsum(self.waits), share * self.waits.sum())
        return float(reached) * retry_s

    def usd(self, hardware: Hardware) -> float:
        return self.paid_s / 3600 * hardware.replica_usd_per_hour

    def usd_per_1000_minutes(self, hardware: Hardware) -> float:
        """Cost of 1000 minutes of conversation, silence included."""
        return 1000 * self.usd(hardware) / max(self.sessions_s / 60, 1)
