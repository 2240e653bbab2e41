import { test } from "node:test";
import assert from "node:assert/strict";
import { followed, INTERVALS, withoutHoles } from "../terminal/candles.js";
import { band, convergence, exponentialAverage, relativeStrength, simpleAverage } from "../terminal/indicators.js";
import { LocalBook } from "../terminal/localbook.js";

const candle = (minute, close) => ({ time: minute * 60_000, open: close, high: close, low: close, close, volume: 1 });

test("a candle of the stream takes the newest one's place, follows it, or closes a hole", () => {
  const candles = [candle(1, 10), candle(2, 20)];
  assert.deepEqual(followed(candles, candle(2, 21), 60_000).map(({ close }) => close), [10, 21]);
  assert.deepEqual(followed(candles, candle(5, 50), 60_000).map(({ close }) => close), [10, 20, 20, 20, 50]);
  assert.deepEqual(followed([], candle(1, 1), 60_000).length, 1);
  assert.deepEqual(followed(candles, candle(1, 11), 60_000).map(({ close }) => close), [11, 20]);
  assert.equal(withoutHoles([candle(1, 1), candle(99, 2)], INTERVALS["1M"]).length, 2);
});

test("indicators are what their definitions say", () => {
  assert.deepEqual(simpleAverage([1, 2, 3, 4], 2), [null, 1.5, 2.5, 3.5]);
  assert.deepEqual(exponentialAverage([null, 2, 4, 6], 2), [null, null, 3, 5]);
  assert.deepEqual(relativeStrength([1, 2, 3, 4], 2), [null, null, 100, 100]);
  assert.deepEqual(relativeStrength([5, 5, 5], 2), [null, null, 50]);
  // Wilder's own example rises and falls by turns: half and half is 50.
  assert.equal(relativeStrength([1, 2, 1], 2)[2], 50);
  const rising = Array.from({ length: 60 }, (_, index) => index);
  const { line, signal } = convergence(rising);
  assert.equal(line.findIndex((value) => value !== null), 25);
  assert.equal(signal.findIndex((value) => value !== null), 33);
  assert.ok(Math.abs(line[59] - 7) < 1e-9);
});

test("levels within a step are one, at a price that all of them reach", () => {
  const book = new LocalBook();
  const level = (price, quantity) => [`${price}.00000000`, `${quantity}.00000000`];
  book.applySnapshot({ lastUpdateId: 1, asks: [level(101, 1), level(105, 2), level(110, 3), level(111, 4)], bids: [level(99, 1), level(95, 2), level(90, 3), level(89, 4)] });
  const step = 10n * 10n ** 8n;
  const shown = (side) => book.top(side, 2, step).map(({ price, quantity, sum }) => [Number(price), Number(quantity), Number(sum) / 1e8]);
  assert.deepEqual(shown("asks"), [[110, 6, 6], [120, 4, 10]]);
  assert.deepEqual(shown("bids"), [[90, 6, 6], [80, 4, 10]]);
});

test("bands stand so many deviations beside the average, and on it where nothing moves", () => {
  const values = [2, 4, 4, 4, 5, 5, 7, 9];
  assert.deepEqual(band(values, 2, 8), [...Array(7).fill(null), 9]);
  assert.deepEqual(band(values, -2, 8), [...Array(7).fill(null), 1]);
  assert.deepEqual(band([3, 3, 3], 2, 2), [null, 3, 3]);
  assert.deepEqual(band([1], 2), [null]);
});
