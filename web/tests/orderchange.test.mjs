import assert from "node:assert/strict";
import { test } from "node:test";
import { changeOf } from "../terminal/orderchange.js";
import { marketOf } from "../terminal/rules.js";

const market = marketOf({
  symbol: "BTCUSDT", baseAsset: "BTC", quoteAsset: "USDT", status: "TRADING", orderTypes: ["LIMIT"], filters: [
    { filterType: "PRICE_FILTER", minPrice: "0.01", maxPrice: "1000000", tickSize: "0.01" },
    { filterType: "LOT_SIZE", minQty: "0.001", maxQty: "9000", stepSize: "0.001" },
    { filterType: "NOTIONAL", minNotional: "5", maxNotional: "9000000" },
  ],
});
const order = { symbol: "BTCUSDT", side: "BUY", type: "LIMIT", timeInForce: "GTC", price: "100.00000000", quantity: "2.000", executed: "0.500" };
const change = (price, quantity) => changeOf(order, { price, quantity }, market);

test("less keeps its place, with what is filled; another price or more goes anew with what is open", () => {
  assert.deepEqual(change("100", "1"), { problems: {}, change: "less", price: "100", quantity: "1.5" });
  assert.deepEqual(change("100.01", "1"), { problems: {}, change: "anew", price: "100.01", quantity: "1" });
  assert.deepEqual(change("100.00", "1.6"), { problems: {}, change: "anew", price: "100", quantity: "1.6" });
  assert.equal(change("100", "1.500").change, "none");
});

test("the market's rules are those of a new order", () => {
  assert.match(change("100.001", "1").problems.price, /steps of 0\.01/);
  assert.match(change("100", "0.01").problems.quantity, /Total: at least 5 USDT/);
  assert.equal(change("", "1").change, null);
});
