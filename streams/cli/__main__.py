"""`python -m streams.cli`: the same as `tocsin`, where no script is installed."""

from __future__ import annotations

import sys

from streams.cli.app import main

sys.exit(main())
