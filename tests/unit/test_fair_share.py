"""How tenants share slots: all of them for one who is alone, and their share for each as soon as others wait."""

import random
from collections import Counter

import pytest

from a2serve.inference.fair_share import CLAIM_S, FairShare, Party


class World:
    """`slots` that callers of tenants ask for; a refused one is told to come back in a second, and does (or not)."""

    def __init__(self, slots: int) -> None:
        self.now_s, self.speaking = 1.0, list[str]()
        self.shares = FairShare(slots, lambda: self.now_s)

    def ask(self, tenant: str, caller: int = 0, weight: float = 1.0) -> bool:
        """By a caller that has no slot."""
        self.now_s += 0.001
        party = Party(f"{tenant}{caller}", tenant, weight)
        if taken := self.shares.may_take(party, self.speaking):
            self.shares.taken(party)
            self.speaking.append(tenant)
        else:
            self.shares.claim(party, 1.0)
        return taken

    def release(self, tenant: str) -> None:
        self.speaking.remove(tenant)


def test_who_is_alone_may_have_every_slot() -> None:
    world = World(4)
    assert [world.ask("a", n) for n in range(6)] == [True] * 4 + [False] * 2
    world.release("a")
    assert world.ask("a")


@pytest.mark.parametrize("slots", [1, 2, 4, 32])
def test_the_next_release_is_for_the_tenant_that_waits_however_often_another_asks(slots: int) -> None:
    world = World(slots)
    assert all(world.ask("many", n) for n in range(slots))
    assert not any(world.ask("many", n) for n in range(20))
    assert not world.ask("one")
    world.release("many")
    assert not any(world.ask("many", n) for n in range(20))
    assert world.ask("one")


def test_each_comes_to_its_share_and_no_further() -> None:
    world = World(4)
    assert all(world.ask("a", n) for n in range(4))
    assert not any(world.ask("b", n) for n in range(4))
    for n in range(2):
        world.release("a")
        assert not world.ask("a") and world.ask("b", n)
    world.release("a")
    assert world.ask("a")  # two each: what b claims is no more than its share


def test_shares_are_by_weight() -> None:
    world = World(8)
    chance = random.Random(1)
    for _ in range(400):  # both ask all the time
        world.now_s += 0.1
        for tenant, weight in chance.sample([("gold", 3.0), ("free", 1.0)], 2):
            while world.ask(tenant, chance.randrange(20), weight):
                pass
        world.release(chance.choice(world.speaking))
    assert Counter(world.speaking)["gold"] in (5, 6) and Counter(world.speaking)["free"] in (1, 2)


def test_with_more_tenants_than_slots_each_gets_its_turn() -> None:
    world, served = World(2), Counter[str]()
    tenants = [f"t{n}" for n in range(6)]
    for _ in range(60):
        world.now_s += 0.2
        for tenant in tenants:
            if world.ask(tenant):
                served[tenant] += 1
        world.release(world.speaking[0])
    assert set(served) == set(tenants)


@pytest.mark.parametrize(("later_s", "taken"), [(1.0 + CLAIM_S - 0.1, False), (1.0 + CLAIM_S + 0.1, True)])
def test_a_claim_ends_when_nobody_comes_back(later_s: float, taken: bool) -> None:
    world = World(1)
    world.ask("a")
    assert not world.ask("b")
    world.release("a")
    world.now_s += later_s
    assert world.ask("a", 1) == taken
