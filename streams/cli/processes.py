"""`tocsin run`, `tocsin intake`, `tocsin worker`: the processes."""

from __future__ import annotations

import sys

from streams.cli.options import ConfigFile, config_of, key_of

ROLES = ("intake", "worker")
"""What `tocsin run` keeps running."""


def run(config: ConfigFile = None) -> int:
    """Run intake and worker on this machine and restart whichever ends, until SIGTERM or ctrl-C."""
    from streams import logs
    from streams.config_checks import require_topics
    from streams.supervisor import Child, supervise

    settings = config_of(config)
    require_topics(settings)
    key_of(settings)
    logs.setup("run", settings.instance)
    # -P: a file called models.py in the working directory must not take the place of our package.
    start = (sys.executable, "-P", "-m", "streams.cli")
    given = ("--config", config) if config else ()
    return supervise([Child(role, (*start, role, *given)) for role in ROLES])
