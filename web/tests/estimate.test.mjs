import assert from "node:assert/strict";
import { test } from "node:test";
import { broughtIn, estimateOf, feeText, ratesOf } from "../terminal/estimate.js";

const level = (price, quantity) => ({ units: BigInt(price) * 10n ** 8n, lots: BigInt(quantity) * 10n ** 8n });
const asks = [level(100, 1), level(101, 2), level(110, 5)];
const bids = [level(99, 1), level(90, 4)];
const order = (change) => ({ side: "BUY", type: "MARKET", price: "", quantity: "3", ...change });
const whole = (units) => Number(units) / 1e8;

test("a market order goes through the levels to its quantity", () => {
  const found = estimateOf(order({}), asks);
  assert.equal(whole(found.filled), 3);
  assert.equal(whole(found.quote), 302);
  assert.equal(found.average, 10_066_666_666n);
  assert.equal(found.slippagePpm, 6666n);
  assert.equal(found.isShort, false);
});

test("by total it buys what the total pays", () => {
  const found = estimateOf(order({ byQuote: true, quantity: "201" }), asks);
  assert.equal(whole(found.filled), 2);
  assert.equal(whole(found.quote), 201);
});

test("a book that has less says so, a limit's rest does not", () => {
  assert.equal(estimateOf(order({ quantity: "9" }), asks).isShort, true);
  assert.equal(estimateOf(order({ quantity: "8" }), asks).isShort, false);
  const limit = estimateOf(order({ type: "LIMIT", price: "101", quantity: "9" }), asks);
  assert.equal(limit.isShort, false);
  assert.equal(whole(limit.filled), 3);
});

test("how much worse a limit is than the best price, on either side", () => {
  assert.equal(estimateOf(order({ type: "LIMIT", price: "110" }), asks).farPpm, 100_000n);
  assert.equal(estimateOf(order({ type: "LIMIT", price: "50" }), asks).farPpm, 0n);
  const sale = estimateOf(order({ side: "SELL", type: "LIMIT", price: "49.5", quantity: "1" }), bids);
  assert.equal(sale.farPpm, 500_000n);
  assert.equal(whole(sale.quote), 99);
});

test("without a quantity, a price or a book there is nothing to say", () => {
  assert.equal(estimateOf(order({ quantity: "" }), asks), null);
  assert.equal(estimateOf(order({ quantity: "x" }), asks), null);
  assert.equal(estimateOf(order({ type: "LIMIT", price: "" }), asks), null);
  assert.equal(estimateOf(order({}), []), null);
});

test("the fee is of what comes in: taker's now, maker's for the rest", () => {
  const rates = { maker: "0.00100000", taker: "0.00200000", paidIn: "" };
  const names = { base: "BTC", quote: "USDT" };
  const fee = (placed, levels, paid = rates) => {
    const { taken, made } = broughtIn(placed, estimateOf(placed, levels));
    return feeText(taken, made, placed.side, names, paid);
  };
  assert.equal(fee(order({}), asks), "fee ≈ 0.006 BTC");
  assert.equal(fee(order({ type: "LIMIT", price: "100", quantity: "3" }), asks), "fee ≈ 0.004 BTC");
  const sale = order({ side: "SELL", type: "LIMIT", price: "99", quantity: "2" });
  assert.equal(fee(sale, bids), "fee ≈ 0.297 USDT");
  assert.equal(fee(sale, bids, { ...rates, paidIn: "BNB" }), "fee ≈ 0.297 USDT → BNB");
  assert.equal(fee(sale, bids, { ...rates, maker: "0", taker: "0" }), "");
  // An estimate has no more digits than tell something.
  assert.equal(feeText(136_501_340_000n, 0n, "SELL", names, { ...rates, taker: "0.001" }), "fee ≈ 1.365 USDT");
  assert.equal(feeText(12_345_678n, 0n, "BUY", names, { ...rates, taker: "0.001" }), "fee ≈ 0.00012345 BTC");
  assert.equal(feeText(123_456_789_012_345n, 0n, "SELL", names, { ...rates, taker: "0.001" }), "fee ≈ 1234.56 USDT");
  assert.equal(fee(sale, bids, null), "");
});

test("rates are the account's in the market, less the discount where it is paid", () => {
  const standardCommission = { maker: "0.00100000", taker: "0.00200000", buyer: "0.00000000", seller: "0.00000000" };
  const discount = { enabledForAccount: true, enabledForSymbol: true, discountAsset: "ETH", discount: "0.75000000" };
  assert.deepEqual(ratesOf({ standardCommission, discount }), { maker: "0.00075000", taker: "0.00150000", paidIn: "ETH" });
  for (const off of [{ enabledForAccount: false }, { enabledForSymbol: false }]) {
    const rates = ratesOf({ standardCommission, discount: { ...discount, ...off } });
    assert.deepEqual(rates, { maker: "0.00100000", taker: "0.00200000", paidIn: "" });
  }
});
