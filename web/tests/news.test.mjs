import { test } from "node:test";
import assert from "node:assert/strict";
import { feesOf, OrderNews, outcomeOf } from "../terminal/news.js";

const market = { symbol: "BTCUSDT", base: "BTC", quote: "USDT", priceDecimals: 2, quantityDecimals: 5, limits: { step: 1000n } };
const order = {
  side: "BUY", type: "MARKET", timeInForce: "GTC", status: "FILLED", quantity: "0.00400000", executed: "0.00400000",
  quoteExecuted: "202.00000000", quoteQuantity: "0.00000000",
};

test("a filled order tells average price, total and fee", () => {
  const fees = feesOf([
    { commission: "0.00000100", commissionAsset: "BTC" }, { commission: "0.00000300", commissionAsset: "BTC" },
  ]);
  assert.deepEqual(outcomeOf({ ...order, fees }, market), {
    text: "Bought 0.004 BTC at 50,500.00 USDT on average: total 202 USDT, fee 0.000004 BTC.", kind: "good",
  });
});

test("a market order by total that empties the book is not called filled, whatever its status", () => {
  for (const status of ["FILLED", "EXPIRED"]) {
    const { text, kind } = outcomeOf({ ...order, status, quoteQuantity: "1000.00000000" }, market);
    assert.equal(kind, "bad");
    assert.match(text, /Only 202 of 1,000 USDT: the book had no more\.$/);
    assert.doesNotMatch(text, /[Ff]illed/);
  }
  // What is left buys less than a step: that is all there was to buy.
  const whole = outcomeOf({ ...order, quoteQuantity: "202.40000000" }, market);
  assert.equal(whole.kind, "good");
});

test("an end before the last fill tells its reason", () => {
  const ioc = { ...order, type: "LIMIT", timeInForce: "IOC", status: "EXPIRED", quantity: "0.01000000" };
  assert.match(outcomeOf(ioc, market).text, /^Bought 0\.004 BTC .* The rest, 0\.006 BTC, expired, because the book had no more at your price/);
  const none = { ...ioc, executed: "0.00000000", quoteExecuted: "0.00000000" };
  assert.match(outcomeOf(none, market).text, /^Buy order of 0\.01 BTC expired, because .* Nothing was filled\.$/);
  const cancelled = outcomeOf({ ...none, status: "CANCELED" }, market);
  assert.deepEqual(cancelled, { text: "Buy order of 0.01 BTC was cancelled. Nothing was filled.", kind: "plain" });
});

function report(id, changes) {
  return {
    i: id, c: `bot-${id}`, C: "", s: "BTCUSDT", S: "BUY", o: "LIMIT", f: "GTC", q: "1.00000000", p: "50000.00000000",
    x: "NEW", X: "NEW", z: "0.00000000", Z: "0.00000000", n: "0", N: null, Q: "0.00000000", ...changes,
  };
}

test("fills of one order are one notice", () => {
  const news = new OrderNews(() => market);
  news.take(report(1, {}));
  for (let fill = 1; fill <= 5; fill += 1) {
    news.take(report(1, {
      x: "TRADE", X: fill === 5 ? "FILLED" : "PARTIALLY_FILLED", z: `0.${2 * fill}0000000`.replace("0.10", "1.0"),
      Z: `${fill * 10_000}.00000000`, n: "0.00010000", N: "BTC", q: "1.00000000",
    }));
  }
  const told = news.drain();
  assert.equal(told.length, 1);
  assert.match(told[0].text, /fee 0\.0005 BTC\.$/);
  assert.deepEqual(news.drain(), []);
});

test("orders cancelled together are one notice", () => {
  const news = new OrderNews(() => market);
  for (let id = 1; id <= 7; id += 1) news.take(report(id, { x: "CANCELED", X: "CANCELED" }));
  assert.deepEqual(news.drain().map(({ text }) => text), ["7 orders cancelled."]);
});

test("what the form has told is not told again, and the rest is", () => {
  const news = new OrderNews(() => market);
  news.hold("bot-1");
  news.take(report(1, { x: "TRADE", X: "PARTIALLY_FILLED", z: "0.40000000", Z: "20000.00000000" }));
  assert.deepEqual(news.drain(), []);
  news.release("bot-1", { id: 1, executed: "0.40000000", status: "PARTIALLY_FILLED" });
  assert.deepEqual(news.drain(), []);
  news.take(report(1, { x: "TRADE", X: "FILLED", z: "1.00000000", Z: "50000.00000000" }));
  assert.equal(news.drain().length, 1);
  // An immediate-or-cancel order: the answer, the expiry and its fills are one thing.
  news.hold("bot-2");
  news.release("bot-2", { id: 2, executed: "0.00000000", status: "EXPIRED" });
  news.take(report(2, { x: "EXPIRED", X: "EXPIRED", f: "IOC" }));
  assert.deepEqual(news.drain(), []);
});

test("without an answer the reports tell", () => {
  const news = new OrderNews(() => market);
  news.hold("bot-3");
  news.take(report(3, { x: "TRADE", X: "FILLED", z: "1.00000000", Z: "50000.00000000" }));
  news.release("bot-3", null);
  assert.equal(news.drain().length, 1);
});
