"""Command's process: a merger beside the stage that folds what it merged, with the one key that signs orders."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Final, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alerts.signing import sign
from streams.command.fold import CommandFold, Signer
from streams.command.merge import Merger
from streams.command.private_key import public_of, read_private_key
from streams.stage.fatal import die
from streams.stage.hooks import Hooks
from streams.stage.runner import run_stages
from streams.stage.stage import Stage
from tocsin.config import Config
from tocsin.errors import ConfigError, Exit, TocsinError
from tocsin.trust import Purpose

COMMAND: Final = "command"


def command_stage(signer: Signer | None) -> Stage:
    """Returns the stage; without a signer what it says is unsigned, and nobody obeys it."""
    return Stage(COMMAND, "decisions", False, "", "state_command", lambda _partition, config, _: CommandFold(config, signer))


def run_command(config: Config, key: bytes, hooks: Hooks | None = None) -> NoReturn:
    """Runs the process until SIGTERM or SIGINT; never returns.

    Args:
        config: of the deployment.
        key: the deployment's key, for snapshots.
        hooks: who keeps the numbers.

    Raises:
        ConfigError: there is no signing key, nobody trusts it, or the ledger's clock is not Kafka's.
    """
    if config.clock != "append":
        raise ConfigError('clock: "append" expected; orders given by a drill\'s clock would expire at the wrong time')
    private = read_private_key(Path(config.command.key_file))
    _check_listed(config, private)
    merger = Merger(config, lambda: int(time.time() * 1_000))
    threading.Thread(target=_merge, args=(merger,), name="merge", daemon=True).start()
    run_stages(config, [command_stage(signer_of(private))], key, hooks)


def signer_of(private: Ed25519PrivateKey) -> Signer:
    """Returns what signs commands with this key."""

    def signed(payload: dict[str, Any]) -> bytes:
        return sign(payload, Purpose.COMMAND, private)

    return signed


def _check_listed(config: Config, private: Ed25519PrivateKey) -> None:
    public = public_of(private)
    if not any(key.public == public and key.purpose == Purpose.COMMAND.value for key in config.key):
        raise ConfigError(
            f"key: the public half of {config.command.key_file} expected as a [[key]] for {Purpose.COMMAND}, so that actuators "
            "can be given the same list; found none"
        )


def _merge(merger: Merger) -> None:
    try:
        merger.run(threading.Event())
    except TocsinError as error:
        die(error.exit_code, str(error))
    except Exception as error:
        die(Exit.FAULT, f"{type(error).__name__}: {error}", error)
