import assert from "node:assert/strict";
import { test } from "node:test";
import { checkConditional, hasPrice } from "../terminal/conditional.js";
import { marketOf } from "../terminal/rules.js";

const FILTERS = [
  { filterType: "PRICE_FILTER", minPrice: "0.01000000", maxPrice: "1000000.00000000", tickSize: "0.01000000" },
  { filterType: "LOT_SIZE", minQty: "0.00001000", maxQty: "9000.00000000", stepSize: "0.00001000" },
  { filterType: "NOTIONAL", minNotional: "5.00000000", maxNotional: "9000000.00000000" },
  { filterType: "TRAILING_DELTA", minTrailingAboveDelta: 20, maxTrailingAboveDelta: 1000, minTrailingBelowDelta: 30, maxTrailingBelowDelta: 900 },
];
const listed = {
  symbol: "BTCUSDT", baseAsset: "BTC", quoteAsset: "USDT", status: "TRADING", filters: FILTERS,
  orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"],
  icebergAllowed: true, ocoAllowed: true, allowTrailingStop: true,
};
const market = marketOf(listed);
const LAST = "50000.00000000";
const order = (change) => ({
  side: "SELL", type: "STOP_LIMIT", timeInForce: "GTC", price: "48900", quantity: "0.1", stop: "49000", stopLimit: "", trail: "",
  iceberg: "", ...change,
});
const check = (change, last = LAST) => checkConditional(order(change), market, last);

test("a market offers what it says, and no more", () => {
  assert.deepEqual(market.kinds, ["LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LIMIT", "STOP_MARKET", "TRAILING", "OCO", "ICEBERG"]);
  const bare = { ...listed, orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET"] };
  assert.deepEqual(marketOf({ ...bare, icebergAllowed: false }).kinds, ["LIMIT", "MARKET", "LIMIT_MAKER"]);
  assert.deepEqual(marketOf({ ...listed, ocoAllowed: false, allowTrailingStop: false, icebergAllowed: false }).kinds.slice(3), ["STOP_LIMIT", "STOP_MARKET"]);
  assert.deepEqual(marketOf({ ...bare, ocoAllowed: true, allowTrailingStop: true }).kinds.slice(3), ["ICEBERG"]);
});

test("side and trigger tell the type: what gets worse is a stop loss, what gets better a take profit", () => {
  const types = [["SELL", "49000"], ["SELL", "51000"], ["BUY", "51000"], ["BUY", "49000"]].map(([side, stop]) =>
    check({ side, stop, type: "STOP_MARKET" }).parameters.type);
  assert.deepEqual(types, ["STOP_LOSS", "TAKE_PROFIT", "STOP_LOSS", "TAKE_PROFIT"]);
});

test("each kind becomes the parameters of its type", () => {
  const base = { symbol: "BTCUSDT", side: "SELL", quantity: "0.1" };
  assert.deepEqual(check({}).parameters, { ...base, type: "STOP_LOSS_LIMIT", stopPrice: "49000", price: "48900", timeInForce: "GTC" });
  assert.deepEqual(check({ type: "STOP_MARKET" }).parameters, { ...base, type: "STOP_LOSS", stopPrice: "49000" });
  assert.deepEqual(check({ type: "TRAILING", stop: "", trail: "1.5" }).parameters, { ...base, type: "STOP_LOSS", trailingDelta: "150" });
  assert.deepEqual(check({ type: "TRAILING", trail: "1" }).parameters, { ...base, type: "STOP_LOSS", trailingDelta: "100", stopPrice: "49000" });
  assert.deepEqual(check({ type: "ICEBERG", price: "51000", iceberg: "0.01", timeInForce: "IOC" }).parameters, {
    ...base, type: "LIMIT", price: "51000", timeInForce: "GTC", icebergQty: "0.01",
  });
});

test("a pair has its limit where it gets better and its stop where it gets worse", () => {
  const pair = check({ type: "OCO", price: "52000", stop: "48000", stopLimit: "47900" });
  assert.equal(pair.list, "oco");
  assert.deepEqual(pair.parameters, {
    symbol: "BTCUSDT", side: "SELL", quantity: "0.1", aboveType: "LIMIT_MAKER", abovePrice: "52000", belowType: "STOP_LOSS_LIMIT",
    belowStopPrice: "48000", belowPrice: "47900", belowTimeInForce: "GTC",
  });
  assert.deepEqual(check({ type: "OCO", side: "BUY", price: "48000", stop: "52000" }).parameters, {
    symbol: "BTCUSDT", side: "BUY", quantity: "0.1", belowType: "LIMIT_MAKER", belowPrice: "48000", aboveType: "STOP_LOSS", aboveStopPrice: "52000",
  });
  assert.match(check({ type: "OCO", price: "52000", stop: "53000" }).problems.stop, /below the market \(50000\.00\)/);
  assert.match(check({ type: "OCO", price: "49000", stop: "48000" }).problems.price, /above the market/);
  assert.match(check({ type: "OCO", side: "BUY", price: "51000", stop: "52000" }).problems.price, /below the market/);
});

test("what is missing or out of bounds is said at its field", () => {
  assert.match(check({ stop: "" }).problems.stop, /Trigger: enter a number/);
  assert.match(check({ stop: "49000.001" }).problems.stop, /steps of 0\.01/);
  assert.match(check({ type: "TRAILING", stop: "", trail: "0.2" }).problems.trail, /from 0\.3% to 9%/);
  assert.match(check({ type: "TRAILING", side: "BUY", stop: "", trail: "11" }).problems.trail, /from 0\.2% to 10%/);
  assert.match(check({ type: "TRAILING", stop: "", trail: "1e3" }).problems.trail, /from 0\.3%/);
  assert.match(check({ type: "ICEBERG", iceberg: "0.1" }).problems.iceberg, /at most 0\.09999999/);
  assert.match(check({ type: "ICEBERG", iceberg: "" }).problems.iceberg, /enter a number/);
  assert.match(check({ quantity: "0.0001" }).problems.quantity, /Total: at least 5 USDT/);
  assert.equal(check({ quantity: "0.0001" }).parameters, null);
});

test("which kinds have the form's own price", () => {
  assert.deepEqual(["STOP_LIMIT", "STOP_MARKET", "TRAILING", "OCO", "ICEBERG"].map(hasPrice), [true, false, false, true, true]);
});
