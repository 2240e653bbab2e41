// Candles of one market and interval. Floats: these are pictures, not money.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The intervals on offer, in milliseconds; a month has no length of its own. */
export const INTERVALS = {
  "1s": 1000, "1m": MINUTE, "3m": 3 * MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR,
  "2h": 2 * HOUR, "4h": 4 * HOUR, "6h": 6 * HOUR, "8h": 8 * HOUR, "12h": 12 * HOUR, "1d": DAY, "3d": 3 * DAY, "1w": 7 * DAY,
  "1M": 0,
};
/** So many candles are kept at most. */
export const KEPT_MAX = 6000;

/**
 * @typedef {{time: number, open: number, high: number, low: number, close: number, volume: number}} Candle
 * `time`: when it opens, ms since 1970.
 */

/**
 * A row of GET /api/v3/klines.
 * @param {Array} row
 * @returns {Candle}
 */
export function candleOfRow(row) {
  const [open, high, low, close, volume] = row.slice(1, 6).map(Number);
  return { time: row[0], open, high, low, close, volume };
}

/**
 * The `k` of a kline event.
 * @param {{t: number, o: string, h: string, l: string, c: string, v: string}} k
 * @returns {Candle}
 */
export function candleOfEvent(k) {
  return {
    time: k.t, open: Number(k.o), high: Number(k.h), low: Number(k.l), close: Number(k.c), volume: Number(k.v),
  };
}

/**
 * Candles of both lists in the order of time; of two with one time the one of `newer` is taken.
 * @param {Candle[]} candles ascending
 * @param {Candle[]} newer ascending
 * @returns {Candle[]} the newest 6,000 at most
 */
export function merged(candles, newer) {
  const byTime = new Map([...candles, ...newer].map((candle) => [candle.time, candle]));
  return [...byTime.values()].sort((one, other) => one.time - other.time).slice(-KEPT_MAX);
}

/**
 * Fills in the times without a trade, so that the axis of time is even: flat candles at the close before.
 * @param {Candle[]} candles ascending
 * @param {number} intervalMs 0: nothing is filled in
 * @returns {Candle[]} the newest 6,000 at most
 */
export function withoutHoles(candles, intervalMs) {
  if (intervalMs === 0) return candles.slice(-KEPT_MAX);
  const whole = [];
  for (const candle of candles) {
    const last = whole.at(-1);
    const missing = last ? Math.min(KEPT_MAX, Math.round((candle.time - last.time) / intervalMs) - 1) : 0;
    for (let back = missing; back > 0; back -= 1) {
      const { close } = last;
      const time = candle.time - back * intervalMs;
      whole.push({ time, open: close, high: close, low: close, close, volume: 0 });
    }
    whole.push(candle);
  }
  return whole.slice(-KEPT_MAX);
}

/**
 * With a candle of the stream, which is the newest or the one after it.
 * @param {Candle[]} candles ascending, without holes
 * @param {Candle} candle
 * @param {number} intervalMs
 * @returns {Candle[]}
 */
export function followed(candles, candle, intervalMs) {
  const last = candles.at(-1);
  if (last?.time === candle.time) return [...candles.slice(0, -1), candle];
  if (last && candle.time < last.time) return withoutHoles(merged(candles, [candle]), intervalMs);
  return [...candles.slice(0, -1), ...withoutHoles(last ? [last, candle] : [candle], intervalMs)].slice(-KEPT_MAX);
}
