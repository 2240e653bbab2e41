"""A hundred updates of the book a second: none is lost, and the book is drawn ten times a second.

`make verify` prints what each task of the page's main thread took, which docs/terminal.md cites.
"""

import json
from typing import Any, Final

import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page
from tests.e2e.terminal import BROWSER_TESTS

pytestmark = [*BROWSER_TESTS, pytest.mark.thorough]
UPDATES: Final = 1_000
FRAME_MS: Final = 1_000 / 60
TASKS: Final = ("RunTask", "ThreadControllerImpl::RunTask")
TOLD_US: Final = 500
# The page's own socket, so that updates can come by it as if the exchange had sent them.
HELD: Final = """
window.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address);
    if (address.includes("/stream")) window.held = this;
  }
};
"""
# Ten levels a side change with each update, one every 10 ms, and a trade comes with it; the first one brings
# 1,000 levels a side.
FLOOD: Final = """
(async () => {
  const { lastUpdateId } = await (await fetch("/api/v3/depth?symbol=BTCUSDT&limit=5")).json();
  let id = lastUpdateId;
  const send = (b, a) => window.held.dispatchEvent(new MessageEvent("message", { data: JSON.stringify({
    stream: "btcusdt@depth@100ms",
    data: { e: "depthUpdate", E: Date.now(), s: "BTCUSDT", U: id + 1, u: (id += 1), b, a },
  }) }));
  const trade = (round) => window.held.dispatchEvent(new MessageEvent("message", { data: JSON.stringify({
    stream: "btcusdt@trade",
    data: { e: "trade", E: Date.now(), s: "BTCUSDT", t: 1_000_000 + round,
      p: (50_000 + (round % 7) / 100).toFixed(2), q: "0.01000", T: Date.now(), m: round % 3 === 0 },
  }) }));
  const levels = (first, step, count, round) => Array.from({ length: count }, (_, at) =>
    [(first + step * at).toFixed(2), (1 + ((round * 7 + at * 13) % 100) / 100).toFixed(5)]);
  send(levels(49_999, -1, 1000, 0), levels(50_001, 1, 1000, 0));
  window.drawn = 0;
  new MutationObserver(() => (window.drawn += 1)).observe(document.querySelector("#bids"), {
    subtree: true, characterData: true, childList: true,
  });
  const began = performance.now();
  for (let round = 1; round <= UPDATES; round += 1) {
    send(levels(49_999, -1, 10, round), levels(50_001, 1, 10, round));
    trade(round);
    // Each comes by itself, as from a network, also when the page is behind.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + round * 10 - performance.now())));
  }
  window.tookMs = performance.now() - began;
  return levels(49_999, -1, 1, UPDATES)[0][1];
})()
"""


class Trace:
    """What the main thread did, task by task, as Chromium's own trace has it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._events: list[dict[str, Any]] = []
        self.is_complete = False
        note = page._note

        def listen(method: str, params: dict[str, Any]) -> None:
            if method == "Tracing.dataCollected":
                self._events += params["value"]
            elif method == "Tracing.tracingComplete":
                self.is_complete = True
            else:
                note(method, params)

        vars(page)["_note"] = listen

    async def start(self) -> None:
        """From now on."""
        categories = (
            "toplevel,devtools.timeline,v8,blink.user_timing,disabled-by-default-devtools.timeline,__metadata"
        )
        await self._page.call("Tracing.start", categories=categories, transferMode="ReportEvents")

    async def tasks(self) -> list[dict[str, Any]]:
        """Each task of the page's main thread since then, the shortest first, by its processor time."""
        await self._page.call("Tracing.end")
        while not self.is_complete:
            await self._page.evaluate("new Promise(resolve => setTimeout(resolve, 50))")
        mains = {
            (event["pid"], event["tid"])
            for event in self._events
            if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
        }
        self._events = [one for one in self._events if (one["pid"], one["tid"]) in mains and "tdur" in one]
        tasks = [one for one in self._events if one["name"] in TASKS]
        return sorted(tasks, key=lambda task: task["tdur"])

    def told(self, task: dict[str, Any]) -> str:
        """What a task was made of, in words."""
        end = task["ts"] + task["dur"]
        parts = [
            f"{_named(part)} {part['tdur'] / 1_000:.1f} ms"
            for part in self._events
            if task["ts"] <= part["ts"] < end and part["tdur"] > TOLD_US and part["name"] not in TASKS
        ]
        return f"{task['tdur'] / 1_000:.1f} ms: {', '.join(parts)}"


def _named(part: dict[str, Any]) -> str:
    call = part["args"].get("data", {})
    place = f" {call['url'].rpartition('/')[2]}:{call['lineNumber']}" if call.get("url") else ""
    return f"{part['name']}{place}" if part["name"] == "FunctionCall" else str(part["name"])


async def test_a_hundred_updates_a_second_are_all_taken_and_drawn_ten_times(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.call("Page.enable")
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=HELD)
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await page.until(
        "document.querySelector('#book-state').innerText === '' && window.held?.readyState === 1"
    )
    # An order that is being written is estimated anew with each drawing.
    await page.fill("#price", "50100")
    await page.fill("#quantity", "0.5")
    trace = Trace(page)
    await trace.start()
    await page.evaluate(f"window.flood = {FLOOD.replace('UPDATES', str(UPDATES))}; 0")
    await page.until("window.tookMs")
    tasks = await trace.tasks()
    tasks_ms = [task["tdur"] / 1_000 for task in tasks]
    last = await page.evaluate("window.flood")
    shown = "document.querySelector('#bids .level').children[1].lastChild.textContent"
    await page.until(f"{shown} === {json.dumps(last)}")
    took_ms, drawn = await page.evaluate("[window.tookMs, window.drawn]")
    late = [task for task in tasks_ms if task > FRAME_MS]
    busy = sum(tasks_ms) / took_ms
    print(
        f"{UPDATES} updates and trades in {took_ms / 1000:.1f} s, drawn {drawn} times; "
        f"main thread {busy:.1%} busy, "
        f"{len(tasks_ms)} tasks, the longest {tasks_ms[-1]:.1f} ms, {len(late)} above {FRAME_MS:.1f} ms"
    )
    for task in tasks[-8:]:
        print(trace.told(task))
    assert len(tasks_ms) > UPDATES
    # However many come, a drawing waits 100 ms for the next.
    assert 0 < drawn <= took_ms / 100 + 2
