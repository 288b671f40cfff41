"""Population: who calls, how often, and what is normal for whom.

Nobody's data is copied: every number is drawn from the seed. Rates are log-normal (sigma 1.3), so that a few callers send a
hundred times what the typical one does; a detector that compares all callers with the mean would drown in them. Cards and
devices are replaced at the end of their lives, each at its own time, so that ages stay distributed as they are for ever: a
cohort that only ages would be a drift of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.ids import uid

RATE_SIGMA = 1.3
SERVICES = 20
"""The busiest callers are services; everyone else holds an API key."""


@dataclass(frozen=True, slots=True)
class Population:
    """Callers and their habits, one element each.

    Attributes:
        ids: as producers would send them.
        id_kinds: `service` or `api_key_hash`.
        share: of the traffic in the long run; sums to 1.
        session: mean events of a session, ≥ 1.
        spend: typical amount of one transaction, in the currency's unit.
        home_km: typical distance between card and merchant, km.
        card_life_days: how long one of its cards is used before the next one.
        card_phase_days: age its card would have had at the Unix epoch.
        device_life_days: how long one of its devices is used.
        device_phase_days: age its device would have had at the Unix epoch.
        online: probability that a transaction is made without the card present.
    """

    ids: tuple[str, ...]
    id_kinds: tuple[str, ...]
    share: NDArray[np.float64]
    session: NDArray[np.float64]
    spend: NDArray[np.float64]
    home_km: NDArray[np.float64]
    card_life_days: NDArray[np.float64]
    card_phase_days: NDArray[np.float64]
    device_life_days: NDArray[np.float64]
    device_phase_days: NDArray[np.float64]
    online: NDArray[np.float64]

    def __len__(self) -> int:
        """Returns the number of callers."""
        return len(self.ids)


def account_id(seed: int, number: int) -> str:
    """Returns the API-key hash of account `number`, the same for the same seed."""
    return "key_" + uid("drill account", seed, number)[:16]


def draw_population(rng: np.random.Generator, seed: int, callers: int) -> Population:
    """Returns `callers` heterogeneous callers, busiest first.

    Args:
        rng: where the habits come from.
        seed: names the accounts.
        callers: how many, ≥ 1.
    """
    weight = np.sort(rng.lognormal(0.0, RATE_SIGMA, callers))[::-1]
    card_life, device_life = 200.0 + rng.gamma(2.0, 600.0, callers), 60.0 + rng.gamma(1.5, 350.0, callers)
    services = min(SERVICES, callers // 50)
    return Population(
        ids=tuple(f"svc-checkout-{n:02d}" if n < services else account_id(seed, n) for n in range(callers)),
        id_kinds=tuple("service" if n < services else "api_key_hash" for n in range(callers)),
        share=weight / weight.sum(),
        session=1.0 + rng.gamma(2.0, 1.0, callers),
        spend=rng.lognormal(3.4, 0.7, callers),
        home_km=rng.lognormal(1.5, 0.8, callers),
        card_life_days=card_life,
        card_phase_days=rng.random(callers) * card_life,
        device_life_days=device_life,
        device_phase_days=rng.random(callers) * device_life,
        online=rng.beta(2.0, 3.0, callers),
    )
