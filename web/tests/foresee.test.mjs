import assert from "node:assert/strict";
import { test } from "node:test";
import { foreseen } from "../terminal/foresee.js";

const level = (price, quantity) => ({ price: `${price}.00000000`, units: BigInt(price) * 10n ** 8n, lots: BigInt(quantity) * 10n ** 8n });
const BOOK = { asks: [level(100, 1), level(101, 2), level(110, 5)], bids: [level(99, 1), level(90, 4)] };
const market = { base: "BTC", quote: "USDT", priceDecimals: 2, quantityDecimals: 3 };
const rates = { maker: "0.001", taker: "0.002", paidIn: "" };
const see = (change, now = {}) => foreseen({
  side: "SELL", price: "", quantity: "2", stop: "", stopLimit: "", trail: "", peg: "PRIMARY_PEG", level: "", thenSide: "OTHER",
  thenPrice: "", thenStop: "", thenLimit: "", thenQuantity: "", ...change,
}, market, { last: "100", top: (side, count) => BOOK[side].slice(0, count), rates, ...now });

test("a stop limit costs the taker's fee, and is no further from its trigger than its limit", () => {
  const { total, lines } = see({ type: "STOP_LIMIT", stop: "95", price: "94.05" });
  assert.equal(total, "188.10 USDT");
  assert.deepEqual(lines, ["1.00% from the trigger at most · fee ≈ 0.3762 USDT"]);
});

test("a stop at any price is foreseen by the book as it is", () => {
  const { total, lines, warning } = see({ type: "STOP_MARKET", stop: "95" });
  assert.equal(total, "≈ 190.00 USDT");
  // One at 99, one at 90: 94.5 on average, 4.54% below the best.
  assert.deepEqual(lines, ["≈ 4.54% from the trigger, by the book as it is · fee ≈ 0.38 USDT"]);
  assert.match(warning, /moves the market/);
  assert.match(see({ type: "STOP_MARKET", stop: "95", quantity: "9" }).warning, /The book has less than this/);
  assert.deepEqual(see({ type: "STOP_MARKET", side: "BUY", stop: "105", quantity: "1" }).lines, ["≈ 0.00% from the trigger, by the book as it is · fee ≈ 0.002 BTC"]);
});

test("a trailing stop is foreseen as if the price turned now", () => {
  assert.equal(see({ type: "TRAILING", trail: "2" }).total, "≈ 196.00 USDT");
  assert.equal(see({ type: "TRAILING", trail: "2", stop: "110" }).total, "≈ 215.60 USDT");
  assert.equal(see({ type: "TRAILING", trail: "2", side: "BUY" }).total, "≈ 204.00 USDT");
});

test("an iceberg trades at once what it meets, as any limit order", () => {
  const { total, lines } = see({ type: "ICEBERG", price: "99", quantity: "2" });
  assert.equal(total, "198.00 USDT");
  assert.deepEqual(lines, ["≈ 99.00 USDT on average, 0.00% from the best · fee ≈ 0.297 USDT"]);
});

test("a pegged order is foreseen at the price that it would take now", () => {
  assert.equal(see({ type: "PEGGED" }).total, "≈ 200.00 USDT");
  assert.equal(see({ type: "PEGGED", level: "2" }).total, "≈ 220.00 USDT");
  const takes = see({ type: "PEGGED", peg: "MARKET_PEG", quantity: "1" });
  assert.equal(takes.total, "≈ 99.00 USDT");
  assert.deepEqual(takes.lines, ["≈ 99.00 USDT on average, 0.00% from the best · fee ≈ 0.198 USDT"]);
  assert.equal(see({ type: "PEGGED", level: "4" }).total, "");
});

test("each order of a list has its own line", () => {
  const pair = see({ type: "OCO", price: "120", stop: "95", stopLimit: "94.05" });
  assert.equal(pair.total, "240.00 USDT");
  assert.deepEqual(pair.lines, [
    "Limit: total 240.00 USDT · fee ≈ 0.24 USDT", "Stop: total 188.10 USDT · 1.00% from the trigger at most · fee ≈ 0.3762 USDT",
  ]);
  const chain = see({ type: "OTOCO", side: "BUY", price: "98", thenPrice: "120", thenStop: "95", thenLimit: "94.05" });
  assert.deepEqual(chain.lines, [
    "First: total 196.00 USDT · fee ≈ 0.002 BTC", "Then limit: total 240.00 USDT · fee ≈ 0.24 USDT",
    "Then stop: total 188.10 USDT · 1.00% from the trigger at most · fee ≈ 0.3762 USDT",
  ]);
  // What was bought less the fee is what is sold.
  assert.deepEqual(see({ type: "OPO", side: "BUY", price: "98", thenPrice: "120" }).lines[1], "Then: total 239.76 USDT · fee ≈ 0.23976 USDT");
  assert.match(see({ type: "OTO", side: "BUY", price: "98", thenStop: "95" }).lines[1], /^Then: total ≈ 190\.00 USDT · ≈ 4\.54% from the trigger/);
});

test("what is not known yet has no line, and a fee is named where it is paid", () => {
  assert.deepEqual(see({ type: "STOP_LIMIT", stop: "", price: "" }), { total: "", lines: [], warning: "", estimate: null });
  assert.deepEqual(see({ type: "OCO", price: "120", stop: "" }).lines, ["Limit: total 240.00 USDT · fee ≈ 0.24 USDT"]);
  const paid = see({ type: "STOP_LIMIT", stop: "95", price: "95" }, { rates: { ...rates, paidIn: "BNB" } });
  assert.deepEqual(paid.lines, ["0.00% from the trigger at most · fee ≈ 0.38 USDT → BNB"]);
  assert.deepEqual(see({ type: "STOP_LIMIT", stop: "95", price: "95" }, { rates: null }).lines, ["0.00% from the trigger at most"]);
});
