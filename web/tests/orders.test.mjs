import assert from "node:assert/strict";
import { test } from "node:test";
import { candleOfRow, merged, withoutHoles } from "../terminal/candles.js";
import { BalanceStore, isChangeable, orderOfReport, orderOfRow, OrderStore, replacementOf, restOf } from "../terminal/orders.js";
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

test("an order that takes another's place keeps what the other had", () => {
  const row = {
    orderId: 7, clientOrderId: "mine", symbol: "BTCUSDT", side: "SELL", type: "LIMIT", timeInForce: "GTC", price: "100.0", origQty: "2.00", executedQty: "0.50",
    cummulativeQuoteQty: "50", status: "PARTIALLY_FILLED", time: 1, updateTime: 2, orderListId: -1, icebergQty: "0.25", selfTradePreventionMode: "EXPIRE_BOTH", isWorking: true,
  };
  const order = orderOfRow(row);
  assert.equal(restOf(order), "1.5");
  const base = {
    symbol: "BTCUSDT", side: "SELL", type: "LIMIT", timeInForce: "GTC", price: "101", quantity: "1.5", cancelOrderId: 7,
    cancelReplaceMode: "STOP_ON_FAILURE", selfTradePreventionMode: "EXPIRE_BOTH",
  };
  assert.deepEqual(replacementOf(order, "101", "1.5"), { ...base, icebergQty: "0.25" });
  // What is no larger than the part that the book shows has no hidden part.
  assert.deepEqual(replacementOf(order, "101", "0.25"), { ...base, quantity: "0.25" });
  const report = { i: 8, s: "BTCUSDT", S: "BUY", o: "LIMIT_MAKER", f: "GTC", p: "100", q: "1", z: "0", Z: "0", X: "NEW", C: "", c: "x", P: "0.0", g: -1, F: "0.00", V: "NONE", w: true };
  const { timeInForce, icebergQty, ...rest } = replacementOf(orderOfReport(report), "99", "1");
  assert.deepEqual([timeInForce, icebergQty, rest.type, rest.selfTradePreventionMode], [undefined, undefined, "LIMIT_MAKER", "NONE"]);
});

test("what has a trigger, is in a list, or has no price is not changed by its price alone", () => {
  const base = { type: "LIMIT", listId: -1, stopPrice: "0.00" };
  assert.equal(isChangeable(base), true);
  for (const other of [{ type: "STOP_LOSS_LIMIT", stopPrice: "9" }, { listId: 4 }, { type: "MARKET" }]) assert.equal(isChangeable({ ...base, ...other }), false);
});
