import assert from "node:assert/strict";
import { test } from "node:test";
import { tickOf } from "../terminal/orderdrag.js";

const units = (text) => BigInt(text) * 10n ** 8n;
const market = { priceDecimals: 1, limits: { tick: 50_000_000n, priceMin: units(1), priceMax: units(1000) } };

test("a price under the pointer becomes the nearest that the market takes", () => {
  assert.equal(tickOf(100.24, market), "100.0");
  assert.equal(tickOf(100.26, market), "100.5");
  assert.equal(tickOf(0.2, market), "1.0");
  assert.equal(tickOf(5000, market), "1000.0");
  assert.equal(tickOf(5000, { ...market, limits: { ...market.limits, priceMax: 0n } }), "5000.0");
});
