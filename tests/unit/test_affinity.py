"""The key by which an ingress knows a session: its id, until the session moves."""

from a2serve.gateway.model_client import affinity
from a2serve.gateway.model_client.affinity import AffinityKeys


def test_a_session_keeps_its_key_until_it_moves():
    keys = AffinityKeys()
    assert keys.key("s") == "s"
    keys.move("s")
    assert keys.key("s") == "s~1"
    keys.move("s")
    assert (keys.key("s"), keys.key("t")) == ("s~2", "t")
    keys.forget("s")
    assert keys.key("s") == "s"


def test_only_so_many_moves_are_remembered(monkeypatch):
    monkeypatch.setattr(affinity, "MOST_SESSIONS", 2)
    keys = AffinityKeys()
    for session in "abc":
        keys.move(session)
    assert [keys.key(session) for session in "abc"] == ["a", "b~1", "c~1"]
