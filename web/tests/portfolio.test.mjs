import assert from "node:assert/strict";
import { test } from "node:test";
import { costsOf, fillsOf, portfolioOf, priceIn } from "../terminal/portfolio.js";

const MARKETS = [
  { symbol: "BTCUSDT", base: "BTC", quote: "USDT" }, { symbol: "ETHBTC", base: "ETH", quote: "BTC" }, { symbol: "XRPEUR", base: "XRP", quote: "EUR" },
];
const PRICES = new Map([["BTCUSDT", "60000.00"], ["ETHBTC", "0.05"], ["XRPEUR", "1"]]);
const fill = (side, quantity, total, fee = "0", feeAsset = "USDT", market = "BTCUSDT") => ({ market, side, quantity, total, fee, feeAsset });
const whole = (amount) => Number(amount) / 1e8;

test("a report's lines are fills by the names of its head", () => {
  const csv = "time,market,tradeId,orderId,side,role,price,quantity,total,fee,feeAsset\r\n2026,BTCUSDT,1,2,BUY,TAKER,5,1.5,7.5,0.001,BTC\r\n";
  const [one] = fillsOf(csv);
  assert.deepEqual([one.market, one.side, one.quantity, one.total, one.fee, one.feeAsset], ["BTCUSDT", "BUY", "1.5", "7.5", "0.001", "BTC"]);
  assert.deepEqual(fillsOf("time,market\r\n"), []);
});

test("purchases are averaged, a fee in what is bought makes it dearer, one in what is paid too", () => {
  const { quantity, cost } = costsOf([fill("BUY", "1", "50000", "0.1", "BTC"), fill("BUY", "1", "60000", "100", "USDT")], MARKETS, "USDT").get("BTC");
  assert.equal(whole(quantity), 1.9);
  assert.equal(whole(cost), 110100);
});

test("a sale takes its share of the cost, and what was never bought has none", () => {
  const fills = [fill("BUY", "2", "100000"), fill("SELL", "1", "60000", "60"), fill("SELL", "3", "180000")];
  const { quantity, cost, realised } = costsOf(fills, MARKETS, "USDT").get("BTC");
  assert.equal(whole(quantity), 0);
  assert.equal(whole(cost), 0);
  // 60,000 - 60 - 50,000, then a third of 180,000 less the other 50,000.
  assert.equal(whole(realised), 9940 + 10000);
  assert.equal(costsOf([fill("SELL", "1", "60000")], MARKETS, "USDT").get("BTC").realised, 0n);
});

test("what was paid in another asset has no cost here", () => {
  assert.equal(costsOf([fill("BUY", "1", "0.05", "0", "ETH", "ETHBTC")], MARKETS, "USDT").size, 0);
  assert.equal(whole(costsOf([fill("BUY", "1", "0.05", "0", "ETH", "ETHBTC")], MARKETS, "BTC").get("ETH").cost), 0.05);
});

test("a price comes straight, the other way round, or by way of a third asset; or not at all", () => {
  assert.equal(whole(priceIn("BTC", "USDT", MARKETS, PRICES)), 60000);
  assert.equal(whole(priceIn("USDT", "BTC", MARKETS, PRICES)), 0.00001666);
  assert.equal(whole(priceIn("ETH", "USDT", MARKETS, PRICES)), 3000);
  assert.equal(whole(priceIn("USDT", "USDT", MARKETS, PRICES)), 1);
  assert.equal(priceIn("XRP", "USDT", MARKETS, PRICES), null);
  assert.equal(priceIn("BTC", "USDT", MARKETS, new Map()), null);
});

test("the portfolio is what is held at the last price, and profit is of what has a cost", () => {
  const balances = [
    { asset: "BTC", free: "1.00000000", locked: "0.50000000" }, { asset: "USDT", free: "1000", locked: "0" }, { asset: "XRP", free: "5", locked: "0" },
    { asset: "ETH", free: "0", locked: "0" },
  ];
  const found = portfolioOf({ balances, fills: [fill("BUY", "1", "50000")], markets: MARKETS, prices: PRICES, quote: "USDT" });
  assert.deepEqual(found.rows.map(({ asset }) => asset), ["BTC", "USDT", "XRP"]);
  const [btc, usdt, xrp] = found.rows;
  assert.deepEqual([btc.held, btc.value, btc.average, btc.profit], ["1.50000000", "90000.00000000", "50000.00000000", "10000.00000000"]);
  assert.deepEqual([usdt.value, usdt.profit], ["1000.00000000", null]);
  assert.deepEqual([xrp.value, xrp.price], [null, null]);
  assert.deepEqual([found.value, found.profit], ["91000.00000000", "10000.00000000"]);
});

test("what has left the account took its cost along", () => {
  const balances = [{ asset: "BTC", free: "0.5", locked: "0" }];
  const { rows } = portfolioOf({ balances, fills: [fill("BUY", "2", "100000")], markets: MARKETS, prices: PRICES, quote: "USDT" });
  assert.equal(rows[0].profit, "5000.00000000");
});
