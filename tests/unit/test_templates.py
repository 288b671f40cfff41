"""Templates: near copies of one record with one answer are known again; what moves, or gets other answers, is none."""

from __future__ import annotations

import numpy as np

from models.collusion_reports import ROW, Records
from models.templates import MOST, Templates, in_doubt, spread, template_of


def copies(count: int, at: float = 1.0, *, label: int = 7, seed: int = 0, jitter: float = 0.01) -> Records:
    """Returns rows that differ a little in one group of features."""
    rng = np.random.default_rng(seed)
    records = np.zeros(count, ROW)
    records["sketch"] = at + rng.normal(0, jitter, (count, 4))
    records["content"], records["label"] = np.arange(8), label
    records["content"][:, 2] = rng.integers(0, 256, count)
    return records


def numbers(records: Records, first: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(first, first + len(records))


def test_near_copies_with_one_answer_are_a_template_and_known_again() -> None:
    template, known = template_of(copies(30)), Templates(1_000)
    assert template is not None
    known.learn(template, 30)
    later = np.concatenate((copies(5, seed=1), copies(5, 1.5), copies(5, label=8)))
    assert known.copies(later, numbers(later, 31)).tolist() == [True] * 5 + [False] * 10


def test_bystanders_in_the_minority_do_not_hide_a_template() -> None:
    template = template_of(np.concatenate((copies(20), copies(10, 3.0, jitter=1.0, label=8))))
    assert template is not None
    assert template.copies(copies(20)).all()


def test_rows_that_move_are_no_template() -> None:
    walk = copies(30)
    walk["sketch"] += np.linspace(0, 1, 30)[:, None].astype(np.float16)
    assert template_of(walk) is None


def test_rows_in_which_every_feature_differs_are_no_template() -> None:
    perturbed = copies(30)
    perturbed["content"] = np.random.default_rng(0).integers(0, 256, (30, 8))
    assert template_of(perturbed) is None


def test_rows_with_two_answers_are_no_template() -> None:
    assert template_of(np.concatenate((copies(20), copies(4, label=8)))) is None


def test_a_template_that_nobody_sends_any_more_is_forgotten() -> None:
    known, template, one = Templates(1_000), template_of(copies(30)), copies(1)
    assert template is not None
    known.learn(template, 30)
    assert known.copies(one, np.array([900])).all()
    assert known.copies(one, np.array([1_800])).all()
    assert not known.copies(one, np.array([2_900])).any()


def test_templates_known_at_a_time_are_few_and_the_stalest_gives_way() -> None:
    known = Templates(10**6)
    for number in range(MOST + 1):
        template = template_of(copies(30, float(number)))
        assert template is not None
        known.learn(template, number + 1)
    assert [bool(known.copies(copies(1, float(n)), np.array([100]))[0]) for n in (0, 1, MOST)] == [False, True, True]
    again = Templates(10**6)
    again.load(known.dump())
    assert again.dump() == known.dump()


def test_spread_is_in_standard_deviations_of_a_feature_and_doubt_is_a_share() -> None:
    assert 0.07 < spread(copies(2_000, jitter=0.1)) < 0.13
    assert in_doubt(np.concatenate((copies(9), copies(1, label=8)))) == 0.1
