import assert from "node:assert/strict";
import { test } from "node:test";
import { candleOfRow, merged, withoutHoles } from "../terminal/candles.js";
import { BalanceStore, orderOfReport, OrderStore } from "../terminal/orders.js";
import { outcomeOf, pauseMs } from "../terminal/patience.js";

const order = (id, status, executed = "0", updated = 1) => ({
  id, status, executed, updated, symbol: "BTCUSDT", side: "BUY", price: "1", quantity: "2",
});

test("late answers undo neither a fill nor an end", () => {
  const store = new OrderStore();
  assert.equal(store.take(order(1, "PARTIALLY_FILLED", "1.0", 5)), true);
  assert.equal(store.take(order(1, "NEW", "0.0", 9)), false);
  assert.equal(store.take(order(1, "CANCELED", "1.0", 6)), true);
  assert.equal(store.take(order(1, "PARTIALLY_FILLED", "1.0", 7)), false);
  assert.deepEqual(store.open(), []);
  assert.equal(store.history("BTCUSDT")[0].status, "CANCELED");
});

test("an open order that the exchange does not list any more has to be asked for, a new one has not", () => {
  const store = new OrderStore();
  for (const found of [order(1, "NEW"), order(2, "NEW"), order(3, "NEW", "0", 200)]) store.take(found);
  assert.deepEqual(store.missing([order(2, "NEW")], 100).map(({ id }) => id), [1]);
});

test("a cancellation's report keeps the order's own name", () => {
  assert.equal(orderOfReport({ c: "cancel-1", C: "mine" }).clientId, "mine");
  assert.equal(orderOfReport({ c: "mine", C: "" }).clientId, "mine");
});

test("of two balances the later one is kept", () => {
  const store = new BalanceStore();
  store.take("BTC", "2", "0", 20);
  store.take("BTC", "1", "0", 10);
  assert.equal(store.free("BTC"), "2");
  assert.equal(store.free("ETH"), "0");
});

test("an order whose answer is lost is looked up, a refused one is not", () => {
  const unknown = [{}, { status: 502 }, { status: 504, code: -1007 }, { status: 400, code: -1006 }, { status: 500 }];
  for (const failure of unknown) assert.equal(outcomeOf(failure), "unknown", JSON.stringify(failure));
  const refused = [{ status: 400, code: -2010 }, { status: 503, code: -1008 }, { status: 503, code: -1001 }, { status: 400, code: -1021 }, { status: 401, code: -2015 }];
  for (const failure of refused) assert.equal(outcomeOf(failure), "refused", JSON.stringify(failure));
});

test("pauses grow, stay bounded and differ", () => {
  assert.equal(pauseMs(0, 0), 250);
  assert.equal(pauseMs(0, 1), 500);
  assert.equal(pauseMs(3, 1), 4000);
  assert.equal(pauseMs(1_000_000, 1), 20_000);
});

test("live candles continue the history, holes are flat", () => {
  const history = [candleOfRow([0, "1", "3", "1", "2", "5"]), candleOfRow([60_000, "2", "2", "2", "2", "0"])];
  const live = { time: 60_000, open: 2, high: 4, low: 2, close: 4, volume: 1 };
  const candles = withoutHoles(merged(history, [live, { ...live, time: 240_000 }]), 60_000);
  assert.deepEqual(candles.map(({ time, close, volume }) => [time, close, volume]), [
    [0, 2, 5], [60_000, 4, 1], [120_000, 4, 0], [180_000, 4, 0], [240_000, 4, 1],
  ]);
  assert.equal(withoutHoles([live, { ...live, time: 60_000 * 1e7 }], 60_000).length, 6000, "a hole of years is bounded");
});
