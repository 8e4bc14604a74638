"""Ids and times of sessions: ids fit where the wire takes one and are not guessed, the clock counts milliseconds and never goes back."""

import re
import time

from a2serve.contracts.client_events import ItemRetrieve
from a2serve.gateway.realtime.session.clock import monotonic_ms, random_id


def test_an_id_is_its_prefix_and_eighty_random_bits():
    made = {random_id("item") for _ in range(200)}
    assert len(made) == 200 and all(re.fullmatch(r"item_[0-9a-f]{20}", name) for name in made)
    assert ItemRetrieve(item_id=made.pop())


def test_the_clock_is_in_milliseconds_and_never_goes_back():
    before_ms, moments, after_ms = time.monotonic() * 1000, [monotonic_ms() for _ in range(100)], time.monotonic() * 1000
    assert moments == sorted(moments) and before_ms <= moments[0] <= moments[-1] <= after_ms
