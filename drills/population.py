"""Population: who calls, how often, and what is normal for whom.

Nobody's data is copied: every number is drawn from the seed. Rates are log-normal (sigma 1.3), so that a few callers send a
hundred times what the typical one does; a detector that compares all callers with the mean would drown in them.
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
        card_age_days: age of the card at the start.
        device_age_days: age of the device at the start.
        online: probability that a transaction is made without the card present.
    """

    ids: tuple[str, ...]
    id_kinds: tuple[str, ...]
    share: NDArray[np.float64]
    session: NDArray[np.float64]
    spend: NDArray[np.float64]
    home_km: NDArray[np.float64]
    card_age_days: NDArray[np.float64]
    device_age_days: NDArray[np.float64]
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
    services = min(SERVICES, callers // 50)
    return Population(
        ids=tuple(f"svc-checkout-{n:02d}" if n < services else account_id(seed, n) for n in range(callers)),
        id_kinds=tuple("service" if n < services else "api_key_hash" for n in range(callers)),
        share=weight / weight.sum(),
        session=1.0 + rng.gamma(2.0, 1.0, callers),
        spend=rng.lognormal(3.4, 0.7, callers),
        home_km=rng.lognormal(1.5, 0.8, callers),
        card_age_days=rng.gamma(2.0, 450.0, callers),
        device_age_days=rng.gamma(1.5, 250.0, callers),
        online=rng.beta(2.0, 3.0, callers),
    )
