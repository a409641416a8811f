"""Repeats are counted as long as they come soon, and what is kept for that is bounded."""

from stream_app.repeats import Repeats


def test_an_id_is_known_again_until_many_others_came() -> None:
    repeats = Repeats()
    assert not repeats.again("a")
    assert repeats.again("a")
    assert not any(repeats.again(f"e{n}") for n in range(Repeats.AT_LEAST - 1))
    assert repeats.again("a")
    assert not any(repeats.again(f"f{n}") for n in range(2 * Repeats.AT_LEAST))
    assert not repeats.again("b")
    assert not repeats.again("e1")
