import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOrder, marketOf, shareOfBalance, steppedPrice, total } from "../terminal/rules.js";

const market = marketOf({
  symbol: "BTCUSDT", baseAsset: "BTC", quoteAsset: "USDT", status: "TRADING", orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET"],
  filters: [
    { filterType: "PRICE_FILTER", minPrice: "0.01000000", maxPrice: "1000000.00000000", tickSize: "0.01000000" },
    { filterType: "LOT_SIZE", minQty: "0.00001000", maxQty: "9000.00000000", stepSize: "0.00001000" },
    { filterType: "MARKET_LOT_SIZE", minQty: "0.00001000", maxQty: "100.00000000", stepSize: "0.00001000" },
    { filterType: "NOTIONAL", minNotional: "5.00000000", maxNotional: "9000000.00000000" },
  ],
});
const order = (change = {}) => ({ side: "BUY", type: "LIMIT", price: "65000", quantity: "0.01", ...change });
const problems = (change) => checkOrder(order(change), market).problems;

test("a good order becomes the parameters of its type", () => {
  assert.deepEqual(checkOrder(order({ price: "65000.10", quantity: "0.01000" }), market).parameters, {
    symbol: "BTCUSDT", side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: "0.01", price: "65000.1",
  });
  assert.deepEqual(checkOrder(order({ type: "LIMIT_MAKER", timeInForce: "IOC" }), market).parameters, {
    symbol: "BTCUSDT", side: "BUY", type: "LIMIT_MAKER", quantity: "0.01", price: "65000",
  });
  assert.deepEqual(checkOrder(order({ type: "MARKET", price: "nonsense" }), market).parameters, {
    symbol: "BTCUSDT", side: "BUY", type: "MARKET", quantity: "0.01",
  });
  assert.deepEqual(checkOrder(order({ type: "MARKET", byQuote: true, quantity: "5.5" }), market).parameters, {
    symbol: "BTCUSDT", side: "BUY", type: "MARKET", quoteOrderQty: "5.5",
  });
});

test("each filter says what it wants, at the field that it concerns", () => {
  assert.match(problems({ price: "65000.001" }).price, /steps of 0\.01 USDT/);
  assert.match(problems({ price: "0" }).price, /at least 0\.01 USDT/);
  assert.match(problems({ price: "1000000.01" }).price, /at most 1000000 USDT/);
  assert.match(problems({ quantity: "0.000011" }).quantity, /steps of 0\.00001 BTC/);
  assert.match(problems({ quantity: "9000.1", price: "1" }).quantity, /at most 9000 BTC/);
  assert.match(problems({ quantity: "100.1", type: "MARKET" }).quantity, /at most 100 BTC/);
  assert.match(problems({ quantity: "0.00007" }).quantity, /Total: at least 5 USDT/);
  assert.match(problems({ quantity: "9000" }).quantity, /Total: at most 9000000 USDT/);
  assert.match(problems({ quantity: "", price: "1e5" }).price, /not a number/);
  assert.match(problems({ quantity: "" }).quantity, /Quantity: enter a number/);
  assert.equal(checkOrder(order({ quantity: "-1" }), market).parameters, null);
});

test("the smallest total is met exactly", () => {
  assert.deepEqual(problems({ price: "50000", quantity: "0.0001" }), {});
  assert.match(problems({ price: "49999.99", quantity: "0.0001" }).quantity, /at least 5/);
});

test("a share of the balance never costs more than there is", () => {
  const free = { base: "0.12345678", quote: "1000" };
  assert.equal(shareOfBalance(order({ price: "3" }), free, 100, market), "333.33333");
  assert.equal(shareOfBalance(order({ side: "SELL" }), free, 100, market), "0.12345");
  assert.equal(shareOfBalance(order({ side: "SELL" }), free, 25, market), "0.03086");
  assert.equal(shareOfBalance(order({ type: "MARKET", byQuote: true }), free, 50, market), "500");
  assert.equal(shareOfBalance(order({ price: "" }), free, 50, market), "");
  assert.equal(shareOfBalance(order({ price: "0" }), free, 50, market), "");
});

test("totals and steps of the price are exact", () => {
  assert.equal(total("0.1", "0.2", market), "0.02");
  assert.equal(total("64999.99", "1.00001", market), "65000.63");
  assert.equal(total("x", "1", market), "");
  assert.equal(steppedPrice("65000.10", 1n, market), "65000.11");
  assert.equal(steppedPrice("0.01", -1n, market), "0.01");
  assert.equal(steppedPrice("", 1n, market), "");
});
