"""Signed orders from many accounts at a constant rate, as `loadtest.mix` mixes them.

Alone:  locust -f loadtest/locustfile.py --host http://127.0.0.1:8080 --users 100
Each user sends REQUESTS_PER_USER_S requests a second, so the rate is five times the number of users.
`--warm-up-s` and `--measure-s` throw away the first seconds and end the run by themselves; loadtest.run
uses them, and reads the figures from `--figures-file`.
"""

import argparse
import json
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import gevent
from locust import events, task
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment
from locust.exception import StopUser

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loadtest.accounts import TradingKey, open_accounts
from loadtest.mix import Mix, signed

REQUESTS_PER_USER_S = 5
USERS_PER_ACCOUNT = 2
USERS_UNLESS_TOLD = 100
SIGN_UPS_AT_ONCE = 4
PROGRESS_MARK = "progress "
REQUEST_DEADLINE_S = 10.0
REASON_CHARS_MAX = 120

keys: list[TradingKey] = []
next_user = count()


class Trader(FastHttpUser):
    """One request a turn."""

    turn_s = 1 / REQUESTS_PER_USER_S
    connection_timeout = REQUEST_DEADLINE_S
    network_timeout = REQUEST_DEADLINE_S

    def on_start(self) -> None:
        """Take an account, and a random place in the beat, so that requests do not come in bursts."""
        number = next(next_user)
        if not keys:
            raise StopUser
        self.key = keys[number % len(keys)]
        self.headers = {"X-MBX-APIKEY": self.key.api_key, "Accept-Encoding": "identity"}
        self.mix = Mix(number, f"l{time.time_ns() // 1_000_000:x}-{number}-")
        gevent.sleep(self.mix.chance.random() * self.turn_s)
        self.due = time.perf_counter()

    def wait_time(self) -> float:
        """A constant rate of arrivals. Not Locust's constant_throughput: that one counts from the moment when
        a user is made, which is the same for all of them, so all would send at once; nor does it catch up
        after a slow answer.
        """
        self.due += self.turn_s
        return max(0.0, self.due - time.perf_counter())

    @task
    def one_request(self) -> None:
        """What the mix says; what was acknowledged is told to it."""
        asked = self.mix.next()
        parameters = asked.parameters if asked.is_public else signed(self.key, asked.parameters)
        if self.ask(asked.method, f"{asked.path}?{parameters}", asked.name):
            self.mix.taken(asked)

    def ask(self, method: str, path: str, name: str) -> bool:
        """Whether the answer was a 200; a failure is counted under the words of the exchange."""
        with self.client.request(
            method, path, name=name, headers=self.headers, catch_response=True
        ) as answer:
            taken = bool(answer.status_code == 200)
            # Status 0 is no answer at all, which Locust names better.
            if answer.status_code and not taken:
                answer.failure(f"{answer.status_code} {(answer.text or '')[:REASON_CHARS_MAX]}")
            return taken


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ours beside Locust's."""
    parser.add_argument("--rps", type=float, default=0.0, help="Requests a second of all users together")
    parser.add_argument("--warm-up-s", type=float, default=0.0, help="Seconds whose figures are thrown away")
    parser.add_argument("--measure-s", type=float, default=0.0, help="Seconds to measure; 0: until stopped")
    parser.add_argument("--figures-file", default="", help="Where to write the figures as JSON")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def prepare(environment: Environment, **_: Any) -> None:
    """Accounts first: opening them is no part of the load."""
    options = environment.parsed_options
    assert options is not None
    users = options.num_users or USERS_UNLESS_TOLD
    if options.rps:
        Trader.turn_s = users / options.rps
    accounts = max(1, users // USERS_PER_ACCOUNT)
    del keys[:]
    try:
        made = open_accounts(
            environment.host or "",
            accounts,
            SIGN_UPS_AT_ONCE,
            lambda done: report("accounts", done, accounts),
        )
    except (RuntimeError, OSError) as error:
        sys.exit(f"cannot open accounts: {error}")
    keys.extend(made)
    if options.measure_s:
        gevent.spawn(measure, environment)


def measure(environment: Environment) -> None:
    """Wait for all users, warm up, count from zero, and write the figures of exactly the asked time."""
    options = environment.parsed_options
    runner = environment.runner
    assert options is not None
    assert runner is not None
    while runner.user_count < options.num_users:
        gevent.sleep(0.1)
    wait(options.warm_up_s, "warm-up")
    environment.stats.reset_all()
    start = time.perf_counter()
    wait(options.measure_s, "measuring")
    took_s = time.perf_counter() - start
    if options.figures_file:
        Path(options.figures_file).write_text(json.dumps(figures(environment, took_s), indent=2))
    runner.quit()


def wait(seconds: float, phase: str) -> None:
    """Sleep, and tell how far it is each second."""
    start = time.perf_counter()
    while (passed_s := time.perf_counter() - start) < seconds:
        report(phase, passed_s, seconds)
        gevent.sleep(min(1.0, seconds - passed_s))
    report(phase, seconds, seconds)


def report(phase: str, done: float, total: float) -> None:
    """One line that loadtest.run turns into a progress bar."""
    print(f"{PROGRESS_MARK}{json.dumps({'phase': phase, 'done': done, 'total': total})}", flush=True)


def figures(environment: Environment, took_s: float) -> dict[str, Any]:
    """Counts and response times in milliseconds, in all and for each kind of request."""
    stats = environment.stats
    rows = {
        entry.name: {
            "requests": entry.num_requests,
            "failures": entry.num_failures,
            "rps": entry.num_requests / took_s,
            "mean_ms": entry.avg_response_time,
            "p50_ms": entry.get_response_time_percentile(0.50),
            "p95_ms": entry.get_response_time_percentile(0.95),
            "p99_ms": entry.get_response_time_percentile(0.99),
            "max_ms": entry.max_response_time,
        }
        for entry in [stats.total, *stats.entries.values()]
        if entry.num_requests
    }
    total = rows.pop("Aggregated", {"requests": 0, "failures": 0, "rps": 0.0})
    errors = [
        {"request": error.name, "error": str(error.error)[:300], "count": error.occurrences}
        for error in stats.errors.values()
    ]
    return {"seconds": took_s, "total": total, "requests": rows, "errors": errors}
