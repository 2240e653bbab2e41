import assert from "node:assert/strict";
import { test } from "node:test";
import { checkConditional, hasPrice } from "../terminal/conditional.js";
import { marketOf } from "../terminal/rules.js";

const FILTERS = [
  { filterType: "PRICE_FILTER", minPrice: "0.01000000", maxPrice: "1000000.00000000", tickSize: "0.01000000" },
  { filterType: "LOT_SIZE", minQty: "0.00001000", maxQty: "9000.00000000", stepSize: "0.00001000" },
  { filterType: "NOTIONAL", minNotional: "5.00000000", maxNotional: "9000000.00000000" },
];
const listed = {
  symbol: "BTCUSDT", baseAsset: "BTC", quoteAsset: "USDT", status: "TRADING", filters: FILTERS,
  orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"],
  ocoAllowed: true, otoAllowed: true, opoAllowed: true, pegInstructionsAllowed: true,
  allowedSelfTradePreventionModes: ["NONE", "EXPIRE_MAKER"], defaultSelfTradePreventionMode: "EXPIRE_MAKER",
};
const market = marketOf(listed);
const check = (change) => checkConditional({
  side: "BUY", timeInForce: "GTC", price: "49000", quantity: "0.1", stop: "", stopLimit: "", trail: "", iceberg: "", peg: "PRIMARY_PEG",
  level: "", thenSide: "OTHER", thenPrice: "", thenStop: "", thenLimit: "", thenQuantity: "", ...change,
}, market, "50000");
const working = {
  symbol: "BTCUSDT", workingType: "LIMIT", workingSide: "BUY", workingPrice: "49000", workingQuantity: "0.1", workingTimeInForce: "GTC",
};

test("lists and pegs are offered where the market takes them", () => {
  assert.deepEqual(market.kinds.slice(5), ["OCO", "PEGGED", "OTO", "OTOCO", "OPO", "OPOCO"]);
  assert.deepEqual(marketOf({ ...listed, ocoAllowed: false }).kinds.slice(5), ["PEGGED", "OTO", "OPO"]);
  assert.deepEqual(marketOf({ ...listed, otoAllowed: false, opoAllowed: false, pegInstructionsAllowed: false }).kinds.slice(5), ["OCO"]);
  assert.deepEqual([market.selfTrade.modes, market.selfTrade.usual], [["NONE", "EXPIRE_MAKER"], "EXPIRE_MAKER"]);
  assert.deepEqual(["OTO", "OTOCO", "OPO", "OPOCO", "PEGGED"].map(hasPrice), [true, true, true, true, false]);
});

test("an order that waits for another has a price, a trigger, or both", () => {
  const then = { pendingSide: "SELL", pendingQuantity: "0.1" };
  const one = check({ type: "OTO", thenPrice: "52000" });
  assert.equal(one.list, "oto");
  assert.deepEqual(one.parameters, { ...working, ...then, pendingType: "LIMIT", pendingPrice: "52000", pendingTimeInForce: "GTC" });
  assert.deepEqual(check({ type: "OTO", thenStop: "48000" }).parameters, { ...working, ...then, pendingType: "STOP_LOSS", pendingStopPrice: "48000" });
  assert.deepEqual(check({ type: "OTO", thenStop: "51000", thenPrice: "50900" }).parameters, {
    ...working, ...then, pendingType: "TAKE_PROFIT_LIMIT", pendingStopPrice: "51000", pendingPrice: "50900", pendingTimeInForce: "GTC",
  });
  const same = check({ type: "OTO", thenSide: "SAME", thenPrice: "48000", thenQuantity: "0.2" }).parameters;
  assert.deepEqual([same.pendingSide, same.pendingQuantity], ["BUY", "0.2"]);
  assert.match(check({ type: "OTO" }).problems.thenPrice, /a price, a trigger, or both/);
  assert.match(check({ type: "OTO", thenPrice: "52000.001" }).problems.thenPrice, /steps of 0\.01/);
});

test("a pair that waits has its limit and its stop on both sides of the first price", () => {
  const found = check({ type: "OTOCO", thenPrice: "52000", thenStop: "48000", thenLimit: "47900" });
  assert.equal(found.list, "otoco");
  assert.deepEqual(found.parameters, {
    ...working, pendingSide: "SELL", pendingQuantity: "0.1", pendingAboveType: "LIMIT_MAKER", pendingAbovePrice: "52000",
    pendingBelowType: "STOP_LOSS_LIMIT", pendingBelowStopPrice: "48000", pendingBelowPrice: "47900", pendingBelowTimeInForce: "GTC",
  });
  const sale = check({ type: "OTOCO", side: "SELL", price: "51000", thenPrice: "49000", thenStop: "52000" }).parameters;
  assert.deepEqual([sale.pendingSide, sale.pendingBelowPrice, sale.pendingAboveType, sale.pendingAboveStopPrice], ["BUY", "49000", "STOP_LOSS", "52000"]);
  assert.match(check({ type: "OTOCO", thenPrice: "52000", thenStop: "49500" }).problems.thenStop, /below the first order's price \(49000\.00\)/);
  assert.match(check({ type: "OTOCO", thenPrice: "48500", thenStop: "48000" }).problems.thenPrice, /above the first order's price/);
  assert.match(check({ type: "OTOCO", thenStop: "48000" }).problems.thenPrice, /enter a number/);
});

test("what sells what was bought names no quantity of its own, and begins with a purchase", () => {
  const one = check({ type: "OPO", thenPrice: "52000" });
  assert.equal(one.list, "opo");
  assert.deepEqual(one.parameters, { ...working, pendingSide: "SELL", pendingType: "LIMIT", pendingPrice: "52000", pendingTimeInForce: "GTC" });
  const pair = check({ type: "OPOCO", thenPrice: "52000", thenStop: "48000" });
  assert.equal(pair.list, "opoco");
  assert.deepEqual(pair.parameters, {
    ...working, pendingSide: "SELL", pendingAboveType: "LIMIT_MAKER", pendingAbovePrice: "52000", pendingBelowType: "STOP_LOSS",
    pendingBelowStopPrice: "48000",
  });
  assert.match(check({ type: "OPO", side: "SELL", thenPrice: "52000" }).problems.quantity, /begins with a purchase/);
});

test("a pegged order names no price but where it takes it from", () => {
  const base = { symbol: "BTCUSDT", side: "BUY", quantity: "0.1", type: "LIMIT", timeInForce: "GTC" };
  assert.deepEqual(check({ type: "PEGGED" }).parameters, { ...base, pegPriceType: "PRIMARY_PEG" });
  assert.deepEqual(check({ type: "PEGGED", peg: "MARKET_PEG", level: "3" }).parameters, {
    ...base, pegPriceType: "MARKET_PEG", pegOffsetType: "PRICE_LEVEL", pegOffsetValue: "3",
  });
  for (const level of ["0", "101", "1.5", "x"]) assert.match(check({ type: "PEGGED", level }).problems.level, /from 1 to 100/);
});

test("the smallest total holds for what waits, too", () => {
  assert.match(check({ type: "OTO", quantity: "0.1", thenPrice: "52000", thenQuantity: "0.00001" }).problems.thenQuantity, /Total: at least 5 USDT/);
});
