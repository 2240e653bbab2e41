// Candles of one market and interval, and the arithmetic of a chart. Floats: these are pictures, not money.

/** The intervals on offer, in milliseconds. */
export const INTERVALS = { "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000 };
const KEPT_MAX = 1500;

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
 * @returns {Candle[]} the newest 1,500 at most
 */
export function merged(candles, newer) {
  const byTime = new Map([...candles, ...newer].map((candle) => [candle.time, candle]));
  return [...byTime.values()].sort((one, other) => one.time - other.time).slice(-KEPT_MAX);
}

/**
 * Fills in the times without a trade, so that the axis of time is even: flat candles at the close before.
 * @param {Candle[]} candles ascending
 * @param {number} intervalMs
 * @returns {Candle[]} the newest 1,500 at most
 */
export function withoutHoles(candles, intervalMs) {
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
 * From low to high over all candles, with some air above and below.
 * @param {Candle[]} candles
 * @returns {{low: number, high: number}} 0 to 1 when there are none
 */
export function range(candles) {
  if (candles.length === 0) return { low: 0, high: 1 };
  const low = Math.min(...candles.map((candle) => candle.low));
  const high = Math.max(...candles.map((candle) => candle.high));
  const air = (high - low) * 0.08 || high * 0.001 || 1;
  return { low: low - air, high: high + air };
}

/**
 * Round values for the lines of an axis: 1, 2 or 5 times a power of ten apart.
 * @param {number} low
 * @param {number} high more than low
 * @param {number} count about how many
 * @returns {number[]} ascending, all within
 */
export function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high; index += 1) found.push(index * step);
  return found;
}

/**
 * Which candles to mark on the axis of time: those at round times, `minimum` pixels apart at least.
 * @param {Candle[]} candles even in time
 * @param {number} intervalMs
 * @param {number} widthPx of one candle
 * @param {number} minimumPx
 * @returns {number[]} indexes
 */
export function timeMarks(candles, intervalMs, widthPx, minimumPx) {
  const minutes = [1, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 14_400, 43_200, 129_600];
  const wanted = (minimumPx / widthPx) * intervalMs;
  const step = minutes.map((minute) => minute * 60_000).find((size) => size >= wanted) ?? wanted;
  return candles.flatMap((candle, index) => (candle.time % step === 0 ? [index] : []));
}
