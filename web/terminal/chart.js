// The chart, drawn by lightweight-charts: candles and volume, indicators, the account's own orders and fills.

import { plain, trimmed } from "./decimal.js";
import { drawnSoon, make } from "./dom.js";
import { dayAndTime, t, timeOfDay } from "./lang.js";
import { band, convergence, exponentialAverage, relativeStrength, simpleAverage } from "./indicators.js";
import {
  CandlestickSeries, createChart, createSeriesMarkers, CrosshairMode, HistogramSeries, LineSeries, LineStyle, PriceScaleMode,
} from "./lightweight-charts.js";

/** Names of what can be switched on. */
export const EXTRAS = ["MA", "EMA", "BOLL", "RSI", "MACD", "Log"];
// So near to the oldest candle, older ones are asked for.
const OLDER_WITHIN = 40;
const FEW = 10;
const LAST_EVERY_MS = 200;
// Candles' room at the right, in which the names of own orders' lines stand; else they hide the newest candles and fills.
const ROOM = 11;
// So near to a line a pointer takes it.
const NEAR_PX = 6;
const LINES_MAX = 40;
const KEY_STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };

/** What each indicator draws: on which pane, and its lines as functions of the closing prices. */
const INDICATORS = {
  MA: { pane: 0, lines: [["#7db4ff", (closes) => simpleAverage(closes, 7)], ["#f2b84b", (closes) => simpleAverage(closes, 25)], ["#c58af9", (closes) => simpleAverage(closes, 99)]] },
  EMA: { pane: 0, lines: [["#4dd0e1", (closes) => exponentialAverage(closes, 12)], ["#ff8a65", (closes) => exponentialAverage(closes, 26)]] },
  BOLL: { pane: 0, lines: [["#90a4ae", (closes) => band(closes, 2)], ["#b0bec5", (closes) => simpleAverage(closes, 20)], ["#90a4ae", (closes) => band(closes, -2)]] },
  RSI: { pane: 1, lines: [["#c58af9", (closes) => relativeStrength(closes)]] },
  MACD: { pane: 1, lines: [["#7db4ff", (closes) => convergence(closes).line], ["#f2b84b", (closes) => convergence(closes).signal]] },
};

/** An order that waits for its trigger has its line there. */
const lineOf = ({ isWorking, price, stopPrice }) => (!isWorking && Number(stopPrice) > 0 ? stopPrice : price);
const seconds = (ms) => Math.floor(ms / 1000);
const barOf = ({ time, open, high, low, close }) => ({ time: seconds(time), open, high, low, close });

/** Draws into `box`; the candle under the crosshair, or the newest one, is written into `legend`. */
export class Chart {
  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} legend
   * @param {() => void} onOlder called when older candles are wanted
   */
  constructor(box, legend, onOlder) {
    Object.assign(this, { _box: box, _legend: legend, _candles: [], _interval: "", _symbol: "", _decimals: 2, _quantityDecimals: 4 });
    Object.assign(this, { _lines: [], _extras: new Set(), _drawn: [], _selected: null, _orders: [], _fills: [], _lined: [], _moved: null });
    Object.assign(this, { _last: null, _lastShown: null, _hasMarks: false });
    // Each look of the line is a picture of the whole chart, and a busy market has a hundred trades a second.
    this._showLastSoon = drawnSoon(() => this._drawLast(), LAST_EVERY_MS);
    /** Called when lines of own orders were drawn. */
    this.onOwn = () => {};
    this._chart = createChart(box, {
      // Its logo would bring a style of its own, which the policy refuses; the page names its makers below the chart.
      autoSize: true, layout: { attributionLogo: false }, crosshair: { mode: CrosshairMode.Normal }, timeScale: { timeVisible: true, rightOffset: ROOM },
      localization: {
        locale: document.documentElement.lang, timeFormatter: (time) => dayAndTime(time * 1000),
        priceFormatter: (price) => plain(price.toFixed(this._decimals)),
      },
    });
    this._bars = this._chart.addSeries(CandlestickSeries, { lastValueVisible: false, priceLineVisible: false });
    this._volume = this._chart.addSeries(HistogramSeries, { priceScaleId: "volume", lastValueVisible: false, priceLineVisible: false });
    this._chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this._markers = createSeriesMarkers(this._bars, []);
    this._colour();
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => {
      this._colour();
      this.redrawOwn();
      this._showLastSoon();
    });
    this._chart.subscribeCrosshairMove(({ time }) => this._writeLegend(this._candles.find((candle) => seconds(candle.time) === time)));
    this._chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < OLDER_WITHIN && this._candles.length > 0) onOlder();
    });
    box.addEventListener("keydown", (event) => this._key(event));
    box.addEventListener("blur", () => this._select(null));
  }

  /** Colours as the style sheet has them, of the theme that the reader has chosen. */
  _colour() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this._colours = { up: colour("up"), down: colour("down"), dim: colour("dim"), accent: colour("accent") };
    const { up, down, dim } = this._colours;
    const line = { color: colour("grid") };
    this._chart.applyOptions({
      layout: { background: { color: colour("panel") }, textColor: dim, fontSize: 11, panes: { separatorColor: colour("edge") } },
      grid: { vertLines: line, horzLines: line }, timeScale: { borderColor: colour("edge") }, rightPriceScale: { borderColor: colour("edge") },
    });
    this._bars.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    if (this._candles.length > 0) this._setAll();
  }

  /**
   * @param {import("./candles.js").Candle[]} candles ascending
   * @param {string} interval
   * @param {import("./rules.js").Market} market
   */
  show(candles, interval, market) {
    const isOtherMarket = market.symbol !== this._symbol;
    const isOther = interval !== this._interval || isOtherMarket;
    const before = this._candles;
    Object.assign(this, { _candles: candles, _interval: interval, _symbol: market.symbol, _decimals: market.priceDecimals });
    this._quantityDecimals = Math.min(5, market.quantityDecimals);
    if (isOther) {
      const minMove = 10 ** -market.priceDecimals;
      this._bars.applyOptions({ priceFormat: { type: "price", precision: market.priceDecimals, minMove } });
      this._chart.applyOptions({ timeScale: { secondsVisible: interval === "1s" } });
      this._dropLines();
      this._last = null;
      if (isOtherMarket) this._lastShown = null;
      this._showLastSoon();
    }
    const isNext = !isOther && before.length > 0 && candles[0]?.time === before[0].time &&
      (candles.length === before.length || candles.length === before.length + 1);
    if (isNext) this._setLast(candles.length - before.length + 1);
    // A candle of the stream may be quicker than all those before it: then nobody has chosen what is in view yet.
    else this._setAll(before.length < FEW || isOther, before[0]?.time);
    this._drawOwn();
    if (this._selected === null) this._writeLegend();
  }

  /** @param {boolean} [isFresh] nothing of it was there before @param {number} [firstMs] time of what was the oldest candle */
  _setAll(isFresh = false, firstMs = this._candles[0]?.time) {
    const range = this._chart.timeScale().getVisibleLogicalRange();
    this._bars.setData(this._candles.map(barOf));
    this._volume.setData(this._candles.map((candle) => this._volumeOf(candle)));
    this._drawExtras();
    if (isFresh) this._fit();
    // What was in view stays there when older candles come in front; without candles there is nothing to see.
    else if (range && this._candles.length > 0) {
      const before = Math.max(0, this._candles.findIndex(({ time }) => time === firstMs));
      this._chart.timeScale().setVisibleLogicalRange({ from: range.from + before, to: range.to + before });
    }
  }

  /** The newest candles in a width that can be read; few of them stand at the right, where the next ones come. */
  _fit() {
    const shown = Math.max(60, Math.round(this._box.clientWidth / 8));
    this._chart.timeScale().setVisibleLogicalRange({ from: this._candles.length - shown, to: this._candles.length + ROOM });
  }

  _setLast(count) {
    for (const candle of this._candles.slice(-count)) {
      this._bars.update(barOf(candle));
      this._volume.update(this._volumeOf(candle));
    }
    for (const { series, of } of this._drawn) {
      const values = of(this._candles.map(({ close }) => close));
      for (let back = count; back > 0; back -= 1) {
        const [candle, value] = [this._candles.at(-back), values.at(-back)];
        if (value !== null && candle) series.update({ time: seconds(candle.time), value });
      }
    }
  }

  _volumeOf({ time, open, close, volume }) {
    return { time: seconds(time), value: volume, color: `${close >= open ? this._colours.up : this._colours.down}47` };
  }

  /** @param {Set<string>} extras which of EXTRAS are on */
  setExtras(extras) {
    this._extras = extras;
    this._chart.priceScale("right").applyOptions({ mode: extras.has("Log") ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal });
    this._drawExtras();
  }

  _drawExtras() {
    for (const { series } of this._drawn) this._chart.removeSeries(series);
    const closes = this._candles.map(({ close }) => close);
    let pane = 0;
    this._drawn = Object.entries(INDICATORS).filter(([name]) => this._extras.has(name)).flatMap(([, indicator]) => {
      pane += indicator.pane;
      return indicator.lines.map(([color, of]) => {
        const options = { color, lineWidth: 1, lastValueVisible: indicator.pane > 0, priceLineVisible: false };
        const series = this._chart.addSeries(LineSeries, options, indicator.pane && pane);
        const points = of(closes).flatMap((value, index) => (value === null ? [] : [{ time: seconds(this._candles[index].time), value }]));
        series.setData(points);
        return { series, of };
      });
    });
  }

  /**
   * The last price as the header shows it, in its colour.
   * @param {string} price
   * @param {"up" | "down" | ""} look
   */
  showLast(price, look) {
    if (this._lastShown?.price === price && this._lastShown.look === look) return;
    this._lastShown = { price, look };
    this._showLastSoon();
  }

  _drawLast() {
    if (this._lastShown === null) return;
    const { price, look } = this._lastShown;
    const options = {
      price: Number(price), color: this._colours[look || "dim"], lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: true, title: "",
    };
    if (this._last) this._last.applyOptions(options);
    else this._last = this._bars.createPriceLine(options);
  }

  /**
   * The account's open orders as lines, and its fills as marks.
   * @param {import("./orders.js").Order[]} orders of the market on show
   * @param {{time: number, side: string, price: string, quantity: string}[]} fills of it
   */
  mark(orders, fills) {
    Object.assign(this, { _orders: orders, _fills: fills });
    this._dropLines(false);
    this._drawOwn();
  }

  _dropLines(isAll = true) {
    for (const line of this._lines) this._bars.removePriceLine(line);
    this._lines = [];
    if (isAll && this._last) this._bars.removePriceLine(this._last);
  }

  _drawOwn() {
    const colour = (side) => (side === "BUY" ? this._colours.up : this._colours.down);
    if (this._lines.length === 0) {
      this._lined = this._orders.map((order) => ({ ...order, price: lineOf(order) })).filter(({ price }) => Number(price) > 0).slice(0, LINES_MAX);
      this._lines = this._lined.map(({ id, side, price, quantity, isWorking }) =>
        this._bars.createPriceLine({
          price: Number(this._moved?.id === id ? this._moved.price : price), color: colour(side), lineWidth: 1, axisLabelVisible: true,
          lineStyle: isWorking ? LineStyle.Dashed : LineStyle.SparseDotted, title: `${side === "BUY" ? t("Buy") : t("Sell")} ${plain(trimmed(quantity))}`,
        }));
    }
    const first = this._candles[0]?.time ?? Infinity;
    const marks = this._fills.filter(({ time }) => time >= first).sort((one, other) => one.time - other.time).map(({ time, side }) => ({
      time: seconds(this._candles.findLast((candle) => candle.time <= time).time), color: colour(side),
      position: side === "BUY" ? "belowBar" : "aboveBar", shape: side === "BUY" ? "arrowUp" : "arrowDown", size: 1,
    }));
    // Nobody's marks are not drawn anew with each candle.
    if (marks.length > 0 || this._hasMarks) this._markers.setMarkers(marks);
    this._hasMarks = marks.length > 0;
    this.onOwn();
  }

  /** @returns {import("./orders.js").Order | undefined} whose line is at this height of the chart */
  ownAt(y) {
    return this._lined.find(({ price }) => Math.abs((this.heightOf(price) ?? Infinity) - y) <= NEAR_PX);
  }

  /** @param {string} price @returns {number | null} how far below the chart's upper edge it is */
  heightOf(price) {
    return this._bars.priceToCoordinate(Number(price));
  }

  /** @returns {number | null} the price at this height */
  priceAt(y) {
    return this._bars.coordinateToPrice(y);
  }

  /** Show an own order's line at another price, until its order has that price, or `redrawOwn`. */
  dragOwn(order, price) {
    this._moved = { id: order.id, price };
    this._lines[this._lined.findIndex(({ id }) => id === order.id)]?.applyOptions({ price: Number(price) });
  }

  /** Own lines where their orders are. */
  redrawOwn() {
    this._moved = null;
    this._dropLines(false);
    this._drawOwn();
  }

  _key(event) {
    const { key } = event;
    if (key in KEY_STEPS) {
      const newest = this._candles.length - 1;
      this._select(Math.max(0, Math.min(newest, (this._selected ?? newest) + KEY_STEPS[key])));
    } else if (key === "+" || key === "-") {
      const scale = this._chart.timeScale();
      scale.applyOptions({ barSpacing: Math.max(1, Math.min(60, scale.options().barSpacing * (key === "+" ? 1.3 : 0.77))) });
    } else if (key === "Escape") this._select(null);
    else return;
    event.preventDefault();
  }

  _select(index) {
    this._selected = index;
    const candle = index === null ? null : this._candles[index];
    if (candle) {
      this._chart.setCrosshairPosition(candle.close, seconds(candle.time), this._bars);
      const scale = this._chart.timeScale();
      const range = scale.getVisibleLogicalRange();
      const outside = range && (index < range.from ? index - range.from - 5 : index > range.to ? index - range.to + 5 : 0);
      if (outside) scale.setVisibleLogicalRange({ from: range.from + outside, to: range.to + outside });
    } else this._chart.clearCrosshairPosition();
    this._writeLegend(candle);
  }

  _writeLegend(candle = this._selected === null ? this._candles.at(-1) : this._candles[this._selected]) {
    if (!candle) {
      this._legend.replaceChildren(t("No trades yet"));
      return;
    }
    const { open, high, low, close, volume } = candle;
    const color = close >= open ? "up" : "down";
    const change = open > 0 ? ((close - open) / open) * 100 : 0;
    const parts = [["O", open], ["H", high], ["L", low], ["C", close]].map(([name, value]) =>
      make("span", {}, [name, make("b", { class: color }, [plain(value.toFixed(this._decimals))])]));
    parts.push(make("span", {}, [make("b", { class: color }, [`${change >= 0 ? "+" : ""}${plain(change.toFixed(2))}%`])]));
    parts.push(make("span", {}, ["V", make("b", {}, [plain(volume.toFixed(this._quantityDecimals))])]));
    if (this._selected !== null) parts.unshift(make("span", {}, [this._interval === "1s" ? timeOfDay(candle.time) : dayAndTime(candle.time)]));
    this._legend.replaceChildren(...parts);
  }
}
