// The order book of one market, kept by the documented procedure: updates are buffered until a snapshot is
// there, joined to it by their ids, and a gap between two updates makes the book stale until the next snapshot.

import { fromUnits, toUnits } from "./decimal.js";

const DECIMALS = 8;
const BUFFERED_MAX = 2000;
// More new levels than this at once are sorted together, fewer are put where they belong.
const FEW = 50;

/**
 * @typedef {{price: string, units: bigint, quantity: string, lots: bigint}} Level
 * A price level; `units` and `lots` are price and quantity in 10**-8.
 */

/** Bids and asks of one market. `state`: "waiting" for a snapshot, or "live". */
export class LocalBook {
  constructor() {
    this.reset();
  }

  /** Forget everything and wait for a snapshot; updates are buffered meanwhile. */
  reset() {
    this.state = "waiting";
    this.lastId = 0;
    this._buffer = [];
    this._sides = { bids: new Map(), asks: new Map() };
    // Best first; null until they are asked for.
    this._sorted = { bids: null, asks: null };
  }

  /**
   * Take an answer of GET /api/v3/depth and the buffered updates that follow it.
   * @param {{lastUpdateId: number, bids: string[][], asks: string[][]}} snapshot
   * @returns {boolean} false when it is older than the buffer reaches back: ask for another one
   */
  applySnapshot(snapshot) {
    // The first update that is not inside the snapshot must begin at its id + 1 or before.
    const following = this._buffer.filter((update) => update.u > snapshot.lastUpdateId);
    if (following.length > 0 && following[0].U > snapshot.lastUpdateId + 1) return false;
    this.reset();
    this.state = "live";
    this.lastId = snapshot.lastUpdateId;
    this._apply("bids", snapshot.bids);
    this._apply("asks", snapshot.asks);
    return following.every((update) => this.applyUpdate(update) !== "gap");
  }

  /**
   * Take a depthUpdate event.
   * @param {{U: number, u: number, b: string[][], a: string[][]}} update
   * @returns {"buffered" | "applied" | "old" | "gap"} after "gap" the book waits for a snapshot, and has
   *   buffered the update already
   */
  applyUpdate(update) {
    if (this.state !== "live") {
      this._buffer.push(update);
      if (this._buffer.length > BUFFERED_MAX) this._buffer.shift();
      return "buffered";
    }
    if (update.u <= this.lastId) return "old";
    if (update.U > this.lastId + 1) {
      this.reset();
      this._buffer.push(update);
      return "gap";
    }
    this._apply("bids", update.b);
    this._apply("asks", update.a);
    this.lastId = update.u;
    return "applied";
  }

  _apply(side, levels) {
    const book = this._sides[side];
    if (levels.length > FEW) this._sorted[side] = null;
    for (const [price, quantity] of levels) {
      const units = toUnits(price, DECIMALS);
      const lots = toUnits(quantity, DECIMALS);
      const known = book.get(units);
      if (lots > 0n && known) Object.assign(known, { price, quantity, lots });
      else if (lots > 0n) this._add(side, { price, units, quantity, lots });
      else if (known) this._remove(side, units);
    }
  }

  _add(side, level) {
    this._sides[side].set(level.units, level);
    this._sorted[side]?.splice(this._placeOf(side, level.units), 0, level);
  }

  _remove(side, units) {
    this._sides[side].delete(units);
    this._sorted[side]?.splice(this._placeOf(side, units), 1);
  }

  /** How many sorted levels are better than this price. */
  _placeOf(side, units) {
    const sorted = this._sorted[side];
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (side === "bids" ? sorted[middle].units > units : sorted[middle].units < units) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * All levels of a side as they are kept: to be read at once, and left as they are.
   * @param {"bids" | "asks"} side
   * @returns {readonly Level[]} best first
   */
  levels(side) {
    const direction = side === "bids" ? -1 : 1;
    return (this._sorted[side] ??= [...this._sides[side].values()].sort((one, other) =>
      one.units === other.units ? 0 : one.units < other.units ? -direction : direction,
    ));
  }

  /**
   * The best levels of a side with the quantity up to and with each.
   * @param {"bids" | "asks"} side
   * @param {number} count
   * @param {bigint} [step] in 10**-8: levels within one step are one, at the price that all of them reach
   * @returns {(Level & {sum: bigint})[]} best first
   */
  top(side, count, step = 0n) {
    let sum = 0n;
    if (step > 0n) return this._grouped(side, count, step);
    return this.levels(side).slice(0, count).map((level) => ({ ...level, sum: (sum += level.lots) }));
  }

  _grouped(side, count, step) {
    const found = [];
    let sum = 0n;
    for (const level of this.levels(side)) {
      const below = level.units - (level.units % step);
      const units = side === "asks" && below !== level.units ? below + step : below;
      if (found.at(-1)?.units !== units) {
        if (found.length === count) break;
        found.push({ units, price: fromUnits(units, DECIMALS), lots: 0n });
      }
      const last = found.at(-1);
      last.lots += level.lots;
      sum += level.lots;
      Object.assign(last, { sum, quantity: fromUnits(last.lots, DECIMALS) });
    }
    return found;
  }

  /**
   * The distance between the best prices.
   * @returns {{units: bigint, partsPerMillion: bigint} | null} null while a side is empty
   */
  spread() {
    const [bid] = this.levels("bids");
    const [ask] = this.levels("asks");
    if (!bid || !ask) return null;
    const units = ask.units - bid.units;
    return { units, partsPerMillion: (units * 1_000_000n) / ask.units };
  }
}
