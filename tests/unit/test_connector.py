"""The Motion Connector: what a word's meaning depends on, and on nothing else; streaming equals training."""

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.affect import Affect
from a2llm.talker.config import USER_WORDS, WORDS_AFTER, WORDS_BEFORE
from a2llm.talker.connector import Connector, Meaning, WordMeanings, near_words

CONFIG = tiny.MEANING
WORDS = 20


def connector() -> Connector:
    made = tiny.talker(CONFIG).connector
    assert made is not None
    return made


def draw(words: int = WORDS, user: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, words, CONFIG.state_size, generator=generator), torch.randn(1, user, CONFIG.state_size, generator=generator)


@torch.inference_mode()
def meant(states: torch.Tensor, user: torch.Tensor) -> Meaning:
    return connector()(states, user)


def streamed(states: torch.Tensor, user: torch.Tensor) -> WordMeanings:
    made = WordMeanings(connector(), CONFIG)
    made.hear(user[0].numpy())
    for word in states[0].numpy():
        made.push(word)
    made.end()
    return made


@pytest.mark.parametrize(("words", "user"), [(WORDS, 6), (1, 0), (3, USER_WORDS + 5), (30, 1)])
def test_streaming_equals_training(words: int, user: int):
    states, heard = draw(words, user)
    whole, made = meant(states, heard), streamed(states, heard)
    np.testing.assert_allclose(np.stack(made.meanings), whole.meaning[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(np.stack(made.affects), whole.affects[0].softmax(-1).numpy(), atol=1e-5)


def test_a_batch_is_its_rows_alone():
    """Rows of other lengths beside them, padded with zeros behind their words and before the user's."""
    rows = [draw(words, user, seed) for seed, (words, user) in enumerate([(20, 3), (4, 9), (11, 0)])]
    states = torch.zeros(3, 20, CONFIG.state_size)
    users = torch.zeros(3, 9, CONFIG.state_size)
    for index, (own, user) in enumerate(rows):
        states[index, : own.shape[1]], users[index, 9 - user.shape[1] :] = own[0], user[0]
    together = meant(states, users).meaning
    for index, (own, user) in enumerate(rows):
        torch.testing.assert_close(together[index, : own.shape[1]], meant(own, user).meaning[0], atol=1e-5, rtol=1e-4)
        assert not together[index, own.shape[1] :].any()


@pytest.mark.parametrize("word", [0, 1, 7, 15])
def test_a_word_sees_what_was_spoken_what_comes_soon_and_what_the_user_said(word: int):
    states, user = draw()
    before = meant(states, user).meaning[0, word]
    first, last = max(0, word - WORDS_BEFORE), min(WORDS - 1, word + CONFIG.look_ahead(word))
    for other in range(WORDS):
        changed = states.clone()
        changed[0, other] *= -1.0
        same = torch.equal(meant(changed, user).meaning[0, word], before)
        assert same == (not first <= other <= last), other
    assert not torch.equal(meant(states, -user).meaning[0, word], before)


def test_the_look_ahead_depends_on_the_words_number_alone():
    assert [CONFIG.look_ahead(word) for word in range(7)] == [1, 2, 3, 4, 5, 5, 5]
    assert [tiny.TALKER.look_ahead(word) for word in range(3)] == [0, 0, 0]
    index, seen = near_words(3, CONFIG)
    assert index.shape == seen.shape == (3, WORDS_BEFORE + 1 + WORDS_AFTER)
    assert seen.sum(1).tolist() == [2, 3, 3]


def test_a_meaning_comes_when_its_look_ahead_is_known_and_the_rest_at_the_end():
    states, user = draw(6)
    made = WordMeanings(connector(), CONFIG)
    made.hear(user[0].numpy())
    known = []
    for word in states[0].numpy():
        made.push(word)
        known.append(len(made.meanings))
    assert known == [0, 1, 1, 2, 2, 3]
    made.end()
    assert (len(made.meanings), made.words) == (6, 6)


def test_the_order_of_the_words_matters_and_zeros_mean_nothing():
    states, user = draw()
    turned = states.clone()
    turned[0, [3, 4]] = states[0, [4, 3]]
    assert not torch.equal(meant(turned, user).meaning[0, 5], meant(states, user).meaning[0, 5])
    states[0, 2] = 0.0
    assert not meant(states, user).meaning[0, 2].any()
    silent = streamed(states, user)
    assert not silent.meanings[2].any() and Affect.from_vector(silent.affects[2]) == Affect()
    assert meant(states, user).meaning.isfinite().all()


def test_without_a_connector_a_word_means_its_own_states():
    made = WordMeanings(None, tiny.TALKER)
    made.hear(np.ones((2, tiny.HIDDEN), np.float32))
    made.push(np.full(tiny.HIDDEN, 3.0, np.float32))
    assert [meaning.mean() for meaning in made.meanings] == [3.0] and made.affects == []


def test_an_outlier_does_not_drown_the_rest():
    """One value of a state a thousand times as large as the others, as backbones have them."""
    states, user = draw()
    wild = connector().read(states, 0)
    states[..., 5] += 1000.0
    own = Connector(CONFIG)
    own.load_state_dict(connector().state_dict())
    own.mean[5] = 1000.0
    torch.testing.assert_close(own.eval().read(states, 0), wild, atol=1e-3, rtol=1e-3)
    assert user.shape[1] == 6


def test_dropout_only_in_training():
    states, user = draw()
    own = Connector(CONFIG)
    assert not torch.equal(own(states, user).meaning, own(states, user).meaning)
    own.eval()
    assert torch.equal(own(states, user).meaning, own(states, user).meaning)
