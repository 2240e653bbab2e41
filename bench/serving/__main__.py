"""`python -m bench.serving`: runs until its standard input ends; says on standard output where it answers."""

import argparse
import json
from pathlib import Path

from exchange.process.frame import configure_logging, run_until_signal


def main() -> int:
    """Parse and run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving")
    parser.add_argument("--markets", type=Path)
    parser.add_argument("--prices", type=json.loads, default={})
    parser.add_argument("--history", action="store_true")
    arguments = parser.parse_args()
    configure_logging("WARNING")
    from bench.serving.running import run_bench

    return run_until_signal(run_bench(arguments.markets, arguments.prices, arguments.history))


if __name__ == "__main__":
    raise SystemExit(main())
