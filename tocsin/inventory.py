"""Inventory: the models there are, how much depends on each, who answers for it, and what may be done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from tocsin.trust import Role

Mode = Literal["observe", "enforce"]
"""Whether actuators are to carry commands out, or only to log what they would have done."""

Automatic = Literal["none", "callers", "model"]
"""What may be ordered without a person: nothing; to slow single callers down; to slow the whole model down for minutes."""


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a model, `[[model.version]]`.

    Attributes:
        version: what stands behind the `@`.
        state: `candidate`, `live`, `last-known-good`; `tainted` when its training data or artefact is under suspicion.
        digest: of its artefact, "" when unknown.
        schema: of its inputs; a version of another schema cannot stand in for this one.
        validated: whether it passed the owner's tests.
        released: Unix milliseconds.
    """

    version: str
    state: Literal["candidate", "live", "last-known-good", "tainted"] = "candidate"
    digest: str = ""
    schema: str = ""
    validated: bool = False
    released: int = 0


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model, all versions, `[[model]]`.

    Attributes:
        name: `namespace/name`.
        tier: how critical: 0 for revenue or safety, 3 for an experiment.
        exposure: who can call it.
        endpoint: what serves it, as the gateway calls it.
        mode: see `Mode`; nothing is enforced until somebody says so.
        automatic: see `Automatic`.
        owners: role → person or team.
        on_call: who is called first.
        segments: kinds of callers, for people.
        version: its versions.
    """

    name: str
    tier: Annotated[int, msgspec.Meta(ge=0, le=3)] = 2
    exposure: Literal["internal", "partner", "public"] = "internal"
    endpoint: str = ""
    mode: Mode = "observe"
    automatic: Automatic = "none"
    owners: dict[Role, str] = {}
    on_call: str = ""
    segments: tuple[str, ...] = ()
    version: tuple[Version, ...] = ()


def name_of(model: str) -> str:
    """Returns `namespace/name` of `namespace/name@version`."""
    return model.partition("@")[0]


def entry_of(model: str, said: Mapping[str, Model], configured: Mapping[str, Model]) -> Model | None:
    """Returns what the inventory says of `namespace/name@version`, None when it is not listed.

    Args:
        model: which.
        said: by control orders; that counts first.
        configured: by the configuration.
    """
    name = name_of(model)
    return said.get(name) or configured.get(name)


def last_known_good(model: Model, version: str) -> tuple[Version | None, str]:
    """Returns the version to go back to from `version`, and why there is none.

    It is the newest that somebody calls last-known-good, is validated, and takes the same inputs.
    """
    present = next((one for one in model.version if one.version == version), None)
    if present is None:
        return None, f"version {version} of {model.name} is not in the inventory: its schema is unknown"
    good = [one for one in model.version if one.state == "last-known-good" and one.version != version]
    if not good:
        return None, f"no version of {model.name} is called last-known-good"
    fit = [one for one in good if one.validated and one.schema == present.schema]
    if not fit:
        return None, f"no last-known-good version of {model.name} is validated and takes the inputs of {version}"
    return max(fit, key=lambda one: (one.released, one.version)), ""
