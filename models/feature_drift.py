"""Feature drift: the model is asked about other inputs than in its golden traffic.

Theory. A model answers well where it was trained, and its inputs wander for three reasons: the world changes (a sale), a
pipeline breaks (a unit, a default, a field that goes missing), or somebody shapes them. All three mostly show in the marginal
distribution of some feature, a whole shift or a small share of odd rows alike, so each feature and each "missing feature"
is one quantity of a Shiryaev-Roberts bank (`shiryaev_roberts.py`). What leaves every marginal alone, such as a join that
mixes up its rows, changes how features go together: the sums and differences of some pairs and the mixes of many features
are quantities as well (`joint.py`). The finding names the feature or features, what became of them and since when; whether
it is an attack is for correlation with other signals to say.
"""

from __future__ import annotations

from typing import Final

from models.baseline import Watched
from models.detector import Seat
from models.experts import Direction
from models.golden_watch import GoldenWatch, watch_of

ID: Final = "feature_drift"
VERSION: Final = 1
WATCHES: Final[tuple[Watched, ...]] = ("feature", "missing", "pair", "projection")
BETS: Final[tuple[Direction, ...]] = ()


def build(seat: Seat) -> GoldenWatch:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return watch_of(ID, VERSION, seat, WATCHES, BETS)
