import assert from "node:assert/strict";
import { test } from "node:test";
import { isCrossing, nextPrice, tickOf } from "../terminal/orderdrag.js";

const units = (text) => BigInt(text) * 10n ** 8n;
const market = { priceDecimals: 1, limits: { tick: 50_000_000n, priceMin: units(1), priceMax: units(1000) } };

test("a price under the pointer becomes the nearest that the market takes", () => {
  assert.equal(tickOf(100.24, market), "100.0");
  assert.equal(tickOf(100.26, market), "100.5");
  assert.equal(tickOf(0.2, market), "1.0");
  assert.equal(tickOf(5000, market), "1000.0");
  assert.equal(tickOf(5000, { ...market, limits: { ...market.limits, priceMax: 0n } }), "5000.0");
});

test("keys move a price tick by tick, within what the market takes", () => {
  assert.equal(nextPrice("100.0", 1n, market), "100.5");
  assert.equal(nextPrice("100.0", -10n, market), "95.0");
  assert.equal(nextPrice("1.0", -1n, market), "1.0");
  assert.equal(nextPrice("1000.0", 1n, market), "1000.0");
});

test("what may trade at once is known from side and last price", () => {
  assert.deepEqual([["BUY", "101"], ["BUY", "99"], ["SELL", "99"], ["SELL", "101"]].map(([side, price]) => isCrossing({ side }, price, "100")), [true, false, true, false]);
  assert.equal(isCrossing({ side: "BUY" }, "101", ""), false);
});
