// How much the book holds up to each price: two areas, to be read by pointer and by arrow keys. Loaded when asked for.

import { drawnSoon, make, setText } from "./dom.js";
import { fromUnits, grouped, shown, trimmed } from "./decimal.js";
import { t } from "./lang.js";

const LEVELS = 1000;
const SVG = "http://www.w3.org/2000/svg";
// The picture's own units; it is stretched to its box.
const WIDTH = 1000;
const HEIGHT = 300;
// Of what is shown on each side, by far the most lies near the middle; the rest would press it flat.
const SHARE_SHOWN = 0.9;

/**
 * What both sides of a book hold up to each price, as far out on either side.
 * @param {import("./localbook.js").Level[]} bids best first, with sums
 * @param {import("./localbook.js").Level[]} asks best first, with sums
 * @returns {{low: number, high: number, most: number, bids: object[], asks: object[]} | null} null while a side is empty
 */
export function depthOf(bids, asks) {
  if (bids.length === 0 || asks.length === 0) return null;
  const price = (level) => Number(level.units);
  const middle = (price(bids[0]) + price(asks[0])) / 2;
  const reach = (levels) => {
    const whole = levels.at(-1).sum;
    const edge = levels.find((level) => Number(level.sum) >= Number(whole) * SHARE_SHOWN);
    return Math.abs(price(edge) - middle);
  };
  const span = Math.max(reach(bids), reach(asks), 1);
  const within = (levels) => levels.filter((level) => Math.abs(price(level) - middle) <= span);
  const shownSides = { bids: within(bids), asks: within(asks) };
  const sums = [...shownSides.bids, ...shownSides.asks].map((level) => Number(level.sum));
  return { low: middle - span, high: middle + span, most: Math.max(...sums, 1), ...shownSides };
}

/** Steps from the middle outwards, down to the ground at both ends. */
function pathOf(levels, depth, edge) {
  const x = (units) => ((Number(units) - depth.low) / (depth.high - depth.low)) * WIDTH;
  const y = (sum) => HEIGHT - (Number(sum) / depth.most) * (HEIGHT - 10);
  if (levels.length === 0) return "";
  const parts = [`M${x(levels[0].units).toFixed(1)},${HEIGHT}`];
  for (const { units, sum } of levels) parts.push(`H${x(units).toFixed(1)}V${y(sum).toFixed(1)}`);
  return `${parts.join("")}H${edge}V${HEIGHT}Z`;
}

const svg = (tag, attributes) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

/** Draws into `box` until it is closed. */
export class DepthChart {
  /** @param {HTMLElement} box @param {number} everyMs no more often than this */
  constructor(box, everyMs) {
    Object.assign(this, { _box: box, _depth: null, _at: null });
    this.show = drawnSoon(() => this._draw(), everyMs);
    this._sides = { bids: svg("path", { class: "depth-bids" }), asks: svg("path", { class: "depth-asks" }) };
    this._line = svg("line", { class: "depth-line", y1: 0, y2: HEIGHT, visibility: "hidden" });
    const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    picture.append(this._sides.bids, this._sides.asks, this._line);
    this._ends = [make("span"), make("span"), make("span")];
    this._text = make("p", { class: "legend", role: "status" });
    box.replaceChildren(this._text, picture, make("p", { class: "depth-ends" }, this._ends));
    this._listening = new AbortController();
    const { signal } = this._listening;
    picture.addEventListener("pointermove", ({ offsetX }) => this._point(offsetX / picture.clientWidth), { signal });
    picture.addEventListener("pointerleave", () => this._point(null), { signal });
    box.addEventListener("keydown", (event) => this._key(event), { signal });
  }

  /** @param {import("./rules.js").Market} market @param {import("./localbook.js").LocalBook} book */
  use(market, book) {
    Object.assign(this, { _market: market, _book: book, _at: null });
    this.show();
  }

  _draw() {
    if (this._listening.signal.aborted) return;
    const depth = (this._depth = depthOf(this._book.top("bids", LEVELS), this._book.top("asks", LEVELS)));
    this._sides.bids.setAttribute("d", depth ? pathOf(depth.bids, depth, 0) : "");
    this._sides.asks.setAttribute("d", depth ? pathOf(depth.asks, depth, WIDTH) : "");
    const ends = depth ? [depth.low, (depth.low + depth.high) / 2, depth.high] : [];
    this._ends.forEach((end, index) => setText(end, depth ? this._price(ends[index]) : ""));
    this._tell();
  }

  _price(units) {
    return grouped(shown(fromUnits(BigInt(Math.max(0, Math.round(units))), 8), this._market.priceDecimals));
  }

  _point(share) {
    this._at = share;
    this._tell();
  }

  _key(event) {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this._point(Math.max(0, Math.min(1, (this._at ?? 0.5) + step)));
  }

  /** What it takes, or brings, to go from the middle to where one points. */
  _tell() {
    const depth = this._depth;
    this._line.setAttribute("visibility", depth && this._at !== null ? "visible" : "hidden");
    if (!depth || this._at === null) {
      setText(this._text, depth ? t("Point at a price to see how much lies before it.") : t("Loading …"));
      return;
    }
    const units = depth.low + this._at * (depth.high - depth.low);
    for (const end of ["x1", "x2"]) this._line.setAttribute(end, String(this._at * WIDTH));
    const isBid = this._at < 0.5;
    const level = (isBid ? depth.bids : depth.asks).findLast((one) => (isBid ? Number(one.units) >= units : Number(one.units) <= units));
    const quantity = trimmed(shown(fromUnits(level?.sum ?? 0n, 8), Math.min(5, this._market.quantityDecimals)));
    const names = { price: `${this._price(units)} ${this._market.quote}`, quantity: `${grouped(quantity)} ${this._market.base}` };
    setText(this._text, isBid ? t("Bids down to {price}: {quantity}", names) : t("Asks up to {price}: {quantity}", names));
  }

  /** Draw no more. */
  close() {
    this._listening.abort();
    this._box.replaceChildren();
  }
}
