"""Paths fit: which limits golden callers keep to, and whether those of the last golden days kept to them too.

Real golden callers are followed, and callers that are drawn, for golden traffic may have few callers, or mix many under one
name: some of these ask golden rows at random, most ask those around one of them, as one customer's habits are. Limits are
learnt from the first golden days and tried, through the detector itself, on the last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import loda
from models.account import Accounts
from models.baseline import Baseline, Gate
from models.caller_rings import CallerRings
from models.gate import LEVELS, split
from models.golden_sample import Golden
from models.path_limits import BURNED_IN, LEAST_ASKED, Drawn, limits_of, strange_of
from models.paths import (
    DIMS,
    GROUPS,
    REACH,
    RHO,
    SELF,
    SIGNALS,
    Paths,
    Space,
    edge_of,
    on_grid,
    prints_of,
    space_of,
    steps_of,
)
from models.quantity import features_of
from models.query_path import ID, QueryPath
from models.query_signals import Questions, fresh, meet
from models.season import DAY_MS
from models.shiryaev_roberts import MONTH_S
from models.standardise import Standard
from tocsin.rows import Rows

LEAST_REFERENCES: Final = 64
LEAST_ROWS: Final = 250
LEAST_KNOWN: Final = 30
"""Golden callers known that well below which nobody can say what habits there are."""
MOST_ASKED: Final = 400
MOST_ROWS: Final = 65_536
"""Of real callers, to take limits from."""
DRAWN, DRAWN_ASK, AT_RANDOM = 60, 200, 3
"""Callers that are drawn, questions of each, and the one in how many that asks at random."""
DRAWN_AMONG: Final = 16_384
AT_ONCE: Final = 16
"""Callers followed at once."""
AROUND, LEAST_AROUND = 20, 120
"""The rest ask among the nearest golden rows of one: a twentieth of all, at least so many."""
FLOOR, CEILING = 0.05, 0.95
"""Of golden densities: beyond, all are alike."""
SEED: Final = 20_260_103

Ints = NDArray[np.int64]
Values = NDArray[np.float32]


def fit(golden: Golden, baseline: Baseline, alerts_per_month: float) -> tuple[Paths | None, Gate]:
    """Returns the limits, and what their trial on the last golden days said; see `models.parts.Part`."""
    first, last = split(golden, baseline.season.zone)
    bare = outlined(baseline)
    if bare is None or len(first.rows) < LEAST_ROWS:
        needed = f"{LEAST_REFERENCES} golden rows with features that vary and {LEAST_ROWS} rows to learn from needed"
        return None, Gate(ID, False, 1.0, 0.0, (), f"advisory: {needed}; found {len(first.rows)} rows")
    known = len(_real_callers(first.rows))
    if first.callers > 1 and known < LEAST_KNOWN:
        needed = f"{LEAST_KNOWN} golden callers with {LEAST_ASKED} questions needed; found {known}"
        return limited(bare, baseline, golden.rows), Gate(ID, False, 1.0, 0.0, (), f"advisory: {needed}")
    tried = limited(bare, baseline, first.rows)
    gate = _gate(msgspec.structs.replace(baseline, paths=tried), last.rows, alerts_per_month)
    return limited(bare, baseline, golden.rows), gate


def outlined(baseline: Baseline) -> Paths | None:
    """Returns the space without limits, None when the baseline has too few references or no feature that varies."""
    if baseline.envelope is None or not baseline.features:
        return None
    standard = loda.face_of(baseline.envelope).standard
    usable = standard.usable
    references = np.frombuffer(baseline.references, "<f4").reshape(-1, len(baseline.features))
    if not len(usable) or len(references) < LEAST_REFERENCES:
        return None
    rng = np.random.default_rng(SEED)
    signs = rng.choice(np.array([-1, 1], "i1"), (len(usable), DIMS)) if len(usable) > DIMS else None
    chosen = references[rng.permutation(len(references))[: len(references) // GROUPS * GROUPS]]
    steps = steps_of(chosen[:, usable].T, None if signs is None else signs.astype(np.float32))
    edge = edge_of(steps.shape[1])
    per_step = np.float32(edge / max(REACH * float(np.quantile(np.abs(steps), 0.999)), 1.0))
    return Paths(
        usable=usable.astype("<u2").tobytes(),
        signs=b"" if signs is None else signs.tobytes(),
        per_step=float(per_step),
        references=on_grid(steps, per_step, edge).astype("<i2").tobytes(),
        floor=1.0,
        ceiling=float("inf"),
        limits=np.full((len(SIGNALS), len(RHO)), -np.inf, "<f4").tobytes(),
    )


def limited(bare: Paths, baseline: Baseline, rows: Rows) -> Paths:
    """Returns the space with the limits that the callers of these rows keep.

    Args:
        bare: from `outlined`.
        baseline: whose features, boundary and labels to use.
        rows: golden ones, in time order.
    """
    standard = _standard(baseline)
    values = features_of(baseline.features, rows)
    sample = values[:, np.arange(min(len(rows), 4_096)) * len(rows) // min(len(rows), 4_096)]
    open_space = space_of(bare, baseline, standard)
    floor, ceiling = np.maximum(np.quantile(open_space.densities(open_space.places(sample)), (FLOOR, CEILING)), 1.0).tolist()
    floored = msgspec.structs.replace(bare, floor=floor, ceiling=ceiling)
    drawn = signals_of(space_of(floored, baseline, standard), baseline, rows)
    limits, muted = limits_of(drawn)
    names = np.flatnonzero(muted.any(axis=1))
    names = names[np.argsort(drawn.hash[names])]
    return msgspec.structs.replace(
        floored,
        limits=limits.astype("<f4").tobytes(),
        muted=drawn.hash[names].astype("<u8").tobytes(),
        muted_signals=(muted[names] << np.arange(len(SIGNALS))).sum(axis=1).astype("u1").tobytes(),
    )


def signals_of(space: Space, baseline: Baseline, rows: Rows) -> Drawn:
    """Returns what the questions of golden callers, real and drawn ones, come to."""
    places = space.places(features_of(baseline.features, rows))
    real = _real_callers(rows)
    names = np.array([rows.hash[which[0]] for which in real], np.uint64)
    asked = _asked(space, baseline, rows, places)
    signals = _met(asked, real, space.dims)
    strange = strange_of([own[~np.isnan(own[:, SELF]), SELF] for own in signals], np.ones(len(real), np.bool_))
    ordinary = np.flatnonzero(~np.isin(rows.hash, names[strange]))  # who draws among near-duplicates draws a sensor
    signals += _met(asked, _drawn_callers(places, ordinary), space.dims)
    return Drawn(np.append(names, np.zeros(DRAWN, np.uint64)), signals)


def _asked(space: Space, baseline: Baseline, rows: Rows, places: NDArray[np.int16]) -> Questions:
    """Returns all rows as questions of nobody yet."""
    padded = np.zeros((len(rows), DIMS), np.int16)
    padded[:, : space.dims] = places
    blocks = range(0, len(rows), 4_096)
    density = np.concatenate([space.densities(places[begin : begin + 4_096]) for begin in blocks])
    return Questions(
        slot=np.zeros(len(rows), np.int64),
        places=padded,
        prints=prints_of(features_of(baseline.features, rows)),
        labels=space.labels(rows.labels, rows.label),
        density=density,
        measure=np.minimum(density, space.ceiling),
        margin=space.margins(rows.confidence),
    )


def _met(asked: Questions, callers: list[Ints], dims: int) -> list[Values]:
    """Returns the signals of each of these callers' questions, but for the first ones and for retries."""
    found: list[Values] = []
    for begin in range(0, len(callers), AT_ONCE):
        some, rings = callers[begin : begin + AT_ONCE], CallerRings()
        slot = np.repeat(np.arange(len(some)), [len(which) for which in some])
        mine = replace(asked.pick(np.concatenate(some)), slot=slot)
        new = fresh(rings, slot, mine.prints)
        signals = meet(rings, mine.pick(new), dims)
        found += [signals[slot[new] == caller][BURNED_IN:] for caller in range(len(some))]
    return found


def _real_callers(rows: Rows) -> list[Ints]:
    """Returns the rows of each golden caller that asked often enough, as many as fit, evenly chosen."""
    order = np.argsort(rows.hash, kind="stable")
    ends = np.flatnonzero(np.diff(rows.hash[order]) != 0) + 1
    groups = [group[:MOST_ASKED] for group in np.split(order, ends) if len(group) >= LEAST_ASKED]
    total = sum(map(len, groups))
    every = max(1, -(-total // MOST_ROWS))
    return groups[::every]


def _drawn_callers(places: NDArray[np.int16], among: Ints) -> list[Ints]:
    """Returns the rows that callers ask who are drawn among these: at random, or around one row."""
    rng = np.random.default_rng(SEED)
    sample = np.sort(rng.permutation(among)[:DRAWN_AMONG])
    near = places[sample].astype(np.float32)
    size = min(DRAWN_ASK, len(sample))
    callers = []
    for number in range(DRAWN):
        if number % AT_RANDOM == 0:
            callers.append(sample[rng.permutation(len(sample))[:size]])
            continue
        apart = np.square(near - near[rng.integers(len(near))]).sum(axis=1)
        around = np.argsort(apart, kind="stable")[: max(LEAST_AROUND, len(sample) // AROUND)]
        callers.append(sample[rng.permutation(around)[:size]])
    return callers


def _gate(baseline: Baseline, held_out: Rows, alerts_per_month: float) -> Gate:
    """Returns whether the held-out rows, through the detector itself, raise no more than allowed at any level.

    An alarm is a caller that ever reaches a level; a retry of the same by the same caller would tell nobody anything new.
    """
    path = QueryPath(1.0, 1, {held_out.model: baseline})
    path.threshold = float("nan")  # nothing reaches it
    seconds = float(Accounts(1).stakes(held_out.model, held_out.ts).sum())
    level = np.concatenate([path.follow([held_out.select(slice(at, at + 512))]).level for at in range(0, len(held_out), 512)])
    order = np.argsort(held_out.hash, kind="stable")
    starts = np.flatnonzero(np.diff(held_out.hash[order], prepend=~held_out.hash[order][:1]) != 0)
    highest = np.maximum.reduceat(np.nan_to_num(level[order], posinf=1e300), starts)
    trials = []
    for times in LEVELS:
        budget = times * alerts_per_month
        trials.append((budget, float((highest >= MONTH_S / budget).sum()), seconds * budget / MONTH_S))
    days = float(held_out.ts[-1] - held_out.ts[0]) / DAY_MS
    passed = all(raised <= allowed for _, raised, allowed in trials)
    return Gate(ID, passed, 1.0, days, tuple(trials), _says(trials, days, len(starts)))


def _says(trials: list[tuple[float, float, float]], days: float, callers: int) -> str:
    failed = [trial for trial in trials if trial[1] > trial[2]]
    where = f"{callers} callers of {days:.1f} held-out days"
    if failed:
        budget, raised, allowed = failed[0]
        return f"advisory: {raised:g} of {where} accused, {allowed:.3g} allowed, at {budget:g} a month"
    return f"armed: {where} were accused no more often than allowed at any of {len(trials)} thresholds"


def _standard(baseline: Baseline) -> Standard:
    if baseline.envelope is None:
        raise ValueError("paths: a baseline with an envelope expected, none found")
    return loda.face_of(baseline.envelope).standard
