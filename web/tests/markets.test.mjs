import assert from "node:assert/strict";
import { test } from "node:test";
import { depthOf } from "../terminal/depthchart.js";
import { foundIn } from "../terminal/markets.js";

const row = (symbol, last, percent, turnover) => ({
  symbol, name: symbol, last, percent, turnover, market: { quote: symbol.endsWith("USDT") ? "USDT" : "BTC" },
});
const rows = [row("BTCUSDT", 50_000, 1, 900), row("ETHUSDT", 3000, -2, 500), row("ETHBTC", 0.06, 3, 500)];
const wanted = { search: "", isFavourites: false, favourites: new Set(["ETHBTC"]), sort: "turnover", isDown: true };
const symbols = (change) => foundIn(rows, { ...wanted, ...change }).map(({ symbol }) => symbol);

test("markets are found by parts of their names, in any case, with or without a slash", () => {
  assert.deepEqual(symbols({ search: "eth" }), ["ETHBTC", "ETHUSDT"]);
  assert.deepEqual(symbols({ search: "eth btc" }), ["ETHBTC"]);
  assert.deepEqual(symbols({ search: "BTC/USDT" }), ["BTCUSDT"]);
  assert.deepEqual(symbols({ search: "doge" }), []);
  assert.deepEqual(symbols({ isFavourites: true }), ["ETHBTC"]);
  assert.deepEqual(symbols({ quote: "USDT" }), ["BTCUSDT", "ETHUSDT"]);
  assert.deepEqual(symbols({ quote: "USDT", isFavourites: true }), []);
});

test("they are sorted by what was chosen, equal ones by name", () => {
  assert.deepEqual(symbols({}), ["BTCUSDT", "ETHBTC", "ETHUSDT"]);
  assert.deepEqual(symbols({ sort: "change" }), ["ETHBTC", "BTCUSDT", "ETHUSDT"]);
  assert.deepEqual(symbols({ sort: "change", isDown: false }), ["ETHUSDT", "BTCUSDT", "ETHBTC"]);
  assert.deepEqual(symbols({ sort: "name", isDown: false }), ["BTCUSDT", "ETHBTC", "ETHUSDT"]);
});

test("the depth reaches as far on both sides, to where most of the book lies", () => {
  const level = (price, sum) => ({ units: BigInt(price), sum: BigInt(sum) });
  const bids = [level(99, 10), level(90, 95), level(1, 100)];
  const asks = [level(101, 5), level(105, 90), level(900, 100)];
  const depth = depthOf(bids, asks);
  assert.deepEqual([depth.low, depth.high, depth.most], [90, 110, 95]);
  assert.deepEqual([depth.bids.length, depth.asks.length], [2, 2]);
  assert.equal(depthOf([], asks), null);
});
