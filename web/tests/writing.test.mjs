import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { grouped, plain, typed, writeAs } from "../terminal/decimal.js";
import { checkOrder, marketOf } from "../terminal/rules.js";

const ENGLISH = { group: ",", point: ".", groupedFrom: 4 };
const GERMAN = { group: ".", point: ",", groupedFrom: 4 };
const SPANISH = { group: ".", point: ",", groupedFrom: 5 };
const SWISS = { group: "’", point: ".", groupedFrom: 4 };

afterEach(() => writeAs(ENGLISH));

test("numbers are written as the reader writes them", () => {
  const written = (reader) => {
    writeAs(reader);
    return [grouped("1234.50"), grouped("-1234567.8"), grouped("12"), plain("1234.50")];
  };
  assert.deepEqual(written(ENGLISH), ["1,234.50", "-1,234,567.8", "12", "1234.50"]);
  assert.deepEqual(written(GERMAN), ["1.234,50", "-1.234.567,8", "12", "1234,50"]);
  assert.deepEqual(written(SPANISH), ["1234,50", "-1.234.567,8", "12", "1234,50"]);
  assert.deepEqual(written(SWISS), ["1’234.50", "-1’234’567.8", "12", "1234.50"]);
});

test("what the page writes it reads, in every writing", () => {
  for (const reader of [ENGLISH, GERMAN, SPANISH, SWISS]) {
    writeAs(reader);
    for (const text of ["0.5", "1234.5", "1234567.25", "12345678", "0.00001"]) {
      assert.equal(typed(grouped(text)), text, JSON.stringify(reader));
      assert.equal(typed(plain(text)), text, JSON.stringify(reader));
    }
  }
});

test("with commas before decimals a machine's point is read, and what may mean two things is asked back", () => {
  writeAs(GERMAN);
  assert.deepEqual(["0.5", "50000.25", "1.2345", "1.234.567", "0,001"].map(typed), ["0.5", "50000.25", "1.2345", "1234567", "0.001"]);
  const market = marketOf({
    symbol: "BTCUSDT", baseAsset: "BTC", quoteAsset: "USDT", status: "TRADING", orderTypes: ["LIMIT"], filters: [
      { filterType: "PRICE_FILTER", minPrice: "0.01", maxPrice: "1000000", tickSize: "0.01" },
      { filterType: "LOT_SIZE", minQty: "0.00001", maxQty: "9000", stepSize: "0.00001" },
      { filterType: "NOTIONAL", minNotional: "5", maxNotional: "9000000" },
    ],
  });
  const { problems, parameters } = checkOrder({ side: "BUY", type: "LIMIT", price: typed("50000"), quantity: typed("1.234") }, market);
  assert.equal(parameters, null);
  assert.match(problems.quantity, /Write 1234 or 1,234\./);
});

test("with points before decimals the same text is one number", () => {
  assert.equal(typed("1.234"), "1.234");
  assert.equal(typed("1,234"), "1234");
});
