"""Fair shares of a replica's slots: any tenant may use what no other waits for, and each comes to its share when others do.

A refused caller that comes back has a claim until it does, or until it is clear that it will not. A request leaves a free slot to
claims of other tenants that are within their share: to all of them if its tenant has its own share already, else to those of tenants
that were served longer ago. So the next release of a slot is for the one that waits, however often others ask. Pure bookkeeping on
one thread.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

CLAIM_S = 1.5  # beyond the time to wait that it was told: HTTP tells whole seconds


@dataclass(frozen=True)
class Party:
    """The requesting session of a tenant, with the tenant's weight against the others'."""

    session_id: str
    tenant: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class _Claim:
    party: Party
    since_s: float
    until_s: float


@dataclass
class FairShare:
    """Shares slots among tenants. `clock` returns seconds."""

    slots: int
    clock: Callable[[], float]
    _claims: dict[str, _Claim] = field(default_factory=dict[str, _Claim])  # by session
    _weights: dict[str, float] = field(default_factory=dict[str, float])
    _served_s: dict[str, float] = field(default_factory=dict[str, float])  # when a tenant got a slot last

    def may_take(self, party: Party, speaking: Iterable[str]) -> bool:
        """Whether it may have one of the slots that are free. speaking: the tenant of each response in progress."""
        used = Counter(speaking)
        self._forget({party.tenant, *used})
        self._weights[party.tenant] = party.weight
        mine = self._claims.get(party.session_id) or _Claim(party, self.clock(), 0.0)
        shares = self._shares(used)
        within = used[party.tenant] + 1 <= shares[party.tenant]
        others = [claim for claim in self._claims.values() if claim.party.tenant != party.tenant]
        due = Counter(claim.party.tenant for claim in others if not within or self._turn(claim) < self._turn(mine))
        return self.slots - used.total() > sum(min(count, max(0, int(shares[tenant]) - used[tenant])) for tenant, count in due.items())

    def claim(self, party: Party, wait_s: float) -> None:
        """It was refused, and comes back in so many seconds. A tenant has no more claims than there are slots."""
        until_s, known = self.clock() + wait_s + CLAIM_S, self._claims.get(party.session_id)
        if known or sum(claim.party.tenant == party.tenant for claim in self._claims.values()) < self.slots:
            self._claims[party.session_id] = _Claim(party, known.since_s if known else self.clock(), until_s)
            self._weights[party.tenant] = party.weight

    def taken(self, party: Party) -> None:
        """Notes that the party has got a slot."""
        self._claims.pop(party.session_id, None)
        self._served_s[party.tenant] = self.clock()

    def _turn(self, claim: _Claim) -> tuple[float, float]:
        """Sort key of claims: the tenant that was served longest ago goes first."""
        return self._served_s.get(claim.party.tenant, 0.0), claim.since_s

    def _shares(self, used: Iterable[str]) -> dict[str, float]:
        """Slots of each tenant that speaks, waits or asks, by weight; never less than one."""
        weights = {tenant: self._weights.get(tenant, 1.0) for tenant in (*used, *self._weights)}
        whole = sum(weights.values())
        return {tenant: max(1.0, self.slots * weight / whole) for tenant, weight in weights.items()}

    def _forget(self, there: Collection[str]) -> None:
        """Forgets claims that nobody came back for, and tenants that are not there any more."""
        now_s = self.clock()
        self._claims = {session: claim for session, claim in self._claims.items() if claim.until_s > now_s}
        present = {*there, *(claim.party.tenant for claim in self._claims.values())}
        self._weights = {tenant: weight for tenant, weight in self._weights.items() if tenant in present}
        self._served_s = {tenant: at_s for tenant, at_s in self._served_s.items() if tenant in present}
