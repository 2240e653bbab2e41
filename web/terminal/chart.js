// The candle chart: two layers of drawing on one canvas, candles with volume below, and the crosshair.

import { INTERVALS, range, ticks, timeMarks } from "./candles.js";
import { drawnSoon, make } from "./dom.js";

const RIGHT_PX = 74;
const BOTTOM_PX = 22;
const TOP_PX = 8;
const VOLUME_SHARE = 0.18;
const WIDTHS_PX = [3, 4, 6, 8, 11, 15, 20, 28];
// Few candles are drawn wider at first, up to the last of these.
const FIRST_WIDTHS = [5, 4, 3];
const COLORS = {
  up: "#26c281", down: "#f0525f", upVolume: "rgba(38,194,129,.28)", downVolume: "rgba(240,82,95,.28)",
  line: "rgba(139,149,167,.10)", text: "#8b95a7", cross: "rgba(200,208,222,.55)", tag: "#2a3342", white: "#e8ecf3",
};
const FONT = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

const two = (number) => String(number).padStart(2, "0");

/** Draws on `canvas`; the candle under the crosshair, or the newest one, is written into `legend`. */
export class Chart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} legend
   */
  constructor(canvas, legend) {
    Object.assign(this, { _canvas: canvas, _legend: legend, _candles: [], _interval: "1m", _decimals: 2 });
    Object.assign(this, { _width: 3, _shift: 0, _pointer: null, _selected: null, _quantityDecimals: 4 });
    this.draw = drawnSoon(() => this._draw());
    new ResizeObserver(this.draw).observe(canvas);
    this._listen();
  }

  /**
   * @param {import("./candles.js").Candle[]} candles even in time, ascending
   * @param {string} interval one of INTERVALS
   * @param {import("./rules.js").Market} market
   */
  show(candles, interval, market) {
    const isOther = interval !== this._interval || market.symbol !== this._symbol;
    if (isOther) Object.assign(this, { _shift: 0, _selected: null, _isZoomed: false });
    Object.assign(this, { _candles: candles, _interval: interval, _symbol: market.symbol });
    Object.assign(this, { _decimals: market.priceDecimals, _quantityDecimals: Math.min(5, market.quantityDecimals) });
    if (!this._isZoomed && candles.length > 0) {
      const room = this._canvas.clientWidth - RIGHT_PX;
      this._width = FIRST_WIDTHS.find((width) => candles.length * WIDTHS_PX[width] <= room) ?? 3;
    }
    this.draw();
  }

  /**
   * The last price as the header shows it, in its colour.
   * @param {string} price
   * @param {"up" | "down" | ""} look
   */
  showLast(price, look) {
    this._last = { price: Number(price), look };
    this.draw();
  }

  _listen() {
    const canvas = this._canvas;
    let dragged = null;
    canvas.addEventListener("pointermove", (event) => {
      this._pointer = { x: event.offsetX, y: event.offsetY };
      this._selected = null;
      if (dragged) this._shiftTo(dragged.shift + Math.round((event.offsetX - dragged.x) / WIDTHS_PX[this._width]));
      this.draw();
    });
    canvas.addEventListener("pointerdown", (event) => {
      dragged = { x: event.offsetX, shift: this._shift };
      canvas.setPointerCapture(event.pointerId);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (dragged = null));
    canvas.addEventListener("pointerleave", () => {
      this._pointer = null;
      this.draw();
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this._zoom(event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this._key(event));
    canvas.addEventListener("blur", () => {
      this._selected = null;
      this.draw();
    });
  }

  _key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };
    if (event.key in steps) {
      const last = this._candles.length - 1;
      this._selected = Math.max(0, Math.min(last, (this._selected ?? last) + steps[event.key]));
      this._shiftTo(Math.max(this._shift, last - this._selected - this._count() + 2));
      if (last - this._selected < this._shift) this._shiftTo(last - this._selected);
    } else if (event.key === "+" || event.key === "-") this._zoom(event.key === "+" ? 1 : -1);
    else if (event.key === "Escape") this._selected = null;
    else return;
    event.preventDefault();
    this.draw();
  }

  _zoom(step) {
    this._isZoomed = true;
    this._width = Math.max(0, Math.min(WIDTHS_PX.length - 1, this._width + step));
    this._shiftTo(this._shift);
    this.draw();
  }

  _shiftTo(shift) {
    this._shift = Math.max(0, Math.min(this._candles.length - 5, shift));
  }

  _count() {
    return Math.max(1, Math.floor((this._canvas.clientWidth - RIGHT_PX) / WIDTHS_PX[this._width]));
  }

  _draw() {
    const { clientWidth: width, clientHeight: height } = this._canvas;
    if (width < RIGHT_PX + 40 || height < 80) return;
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this._canvas.width !== wide || this._canvas.height !== high) Object.assign(this._canvas, { width: wide, height: high });
    const paint = this._canvas.getContext("2d");
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, width, height);
    paint.font = FONT;
    paint.textBaseline = "middle";
    const place = this._place(width, height);
    if (place.candles.length === 0) {
      paint.fillStyle = COLORS.text;
      paint.fillText("No trades yet", (width - RIGHT_PX) / 2 - 40, height / 2);
      this._writeLegend(undefined);
      return;
    }
    this._drawGrid(paint, place);
    this._drawCandles(paint, place);
    this._drawLast(paint, place);
    this._drawCross(paint, place);
  }

  /** What is in view, and the functions from price and index to pixels. */
  _place(width, height) {
    const step = WIDTHS_PX[this._width];
    const right = width - RIGHT_PX;
    const end = this._candles.length - this._shift;
    const first = Math.max(0, end - this._count());
    const candles = this._candles.slice(first, end);
    const { low, high } = range(candles);
    const floor = height - BOTTOM_PX;
    const share = (floor - TOP_PX) * VOLUME_SHARE;
    const bottom = floor - share - 6;
    return {
      candles, first, low, high, width, height, right, floor, step, bottom,
      x: (index) => right - (candles.length - index) * step + step / 2 - 4,
      y: (price) => TOP_PX + ((high - price) / (high - low)) * (bottom - TOP_PX),
      volume: share / (Math.max(...candles.map((candle) => candle.volume)) || 1),
    };
  }

  _drawGrid(paint, place) {
    const { right, floor, x, y } = place;
    paint.strokeStyle = COLORS.line;
    paint.fillStyle = COLORS.text;
    paint.lineWidth = 1;
    paint.beginPath();
    paint.textAlign = "left";
    for (const price of ticks(place.low, place.high, Math.max(2, (place.bottom - TOP_PX) / 56))) {
      const at = Math.round(y(price)) + 0.5;
      paint.moveTo(0, at);
      paint.lineTo(right, at);
      paint.fillText(price.toFixed(this._decimals), right + 8, at);
    }
    paint.textAlign = "center";
    for (const index of timeMarks(place.candles, INTERVALS[this._interval], place.step, 84)) {
      const at = Math.round(x(index)) + 0.5;
      paint.moveTo(at, 0);
      paint.lineTo(at, floor);
      if (at > 24 && at < right - 24) paint.fillText(this._timeText(place.candles[index].time, false), at, floor + 12);
    }
    paint.stroke();
  }

  _drawCandles(paint, { candles, x, y, step, floor, volume }) {
    const body = Math.max(1, step - (step > 4 ? 2 : 1));
    candles.forEach((candle, index) => {
      const isUp = candle.close >= candle.open;
      const left = Math.round(x(index) - body / 2);
      if (candle.volume > 0) {
        paint.fillStyle = isUp ? COLORS.upVolume : COLORS.downVolume;
        const tall = Math.max(1, candle.volume * volume);
        paint.fillRect(left, floor - tall, body, tall);
      }
      paint.fillStyle = isUp ? COLORS.up : COLORS.down;
      const middle = left + Math.floor(body / 2);
      paint.fillRect(middle, y(candle.high), 1, Math.max(1, y(candle.low) - y(candle.high)));
      const top = y(Math.max(candle.open, candle.close));
      paint.fillRect(left, top, body, Math.max(1, y(Math.min(candle.open, candle.close)) - top));
    });
  }

  _drawLast(paint, { right, y, bottom }) {
    if (!this._last) return;
    const { price, look } = this._last;
    const at = Math.round(y(price)) + 0.5;
    if (at < 0 || at > bottom + 6) return;
    const color = COLORS[look || "text"];
    paint.strokeStyle = color;
    paint.setLineDash([2, 3]);
    line(paint, 0, at, right, at);
    paint.setLineDash([]);
    this._tag(paint, price.toFixed(this._decimals), right, at, color, "#0b0e13");
  }

  _tag(paint, text, right, at, back, front) {
    paint.fillStyle = back;
    paint.fillRect(right, at - 9, RIGHT_PX, 18);
    paint.fillStyle = front;
    paint.textAlign = "left";
    paint.fillText(text, right + 8, at + 0.5);
  }

  _drawCross(paint, place) {
    const { candles, x, y, right, floor, step, bottom } = place;
    const pointed = this._pointer && this._pointer.x < right;
    let index = pointed ? Math.floor((this._pointer.x + 4 - (right - candles.length * step)) / step) : null;
    if (this._selected !== null) index = this._selected - place.first;
    const candle = index === null ? undefined : candles[index];
    this._writeLegend(candle ?? this._candles.at(-1));
    if (index === null || (this._selected !== null && !candle)) return;
    const across = this._selected !== null ? y(candle.close) : this._pointer.y;
    paint.strokeStyle = COLORS.cross;
    paint.setLineDash([4, 4]);
    if (candle) line(paint, Math.round(x(index)) + 0.5, 0, Math.round(x(index)) + 0.5, floor);
    if (across < floor) line(paint, 0, Math.round(across) + 0.5, right, Math.round(across) + 0.5);
    paint.setLineDash([]);
    if (across < bottom) {
      const price = place.high - ((across - TOP_PX) / (bottom - TOP_PX)) * (place.high - place.low);
      this._tag(paint, price.toFixed(this._decimals), right, across, COLORS.tag, COLORS.white);
    }
    if (!candle) return;
    const text = this._timeText(candle.time, true);
    const half = paint.measureText(text).width / 2 + 8;
    const middle = Math.max(half, Math.min(right - half, x(index)));
    paint.fillStyle = COLORS.tag;
    paint.fillRect(middle - half, floor + 2, 2 * half, 19);
    paint.fillStyle = COLORS.white;
    paint.textAlign = "center";
    paint.fillText(text, middle, floor + 12);
  }

  _timeText(time, isLong) {
    const date = new Date(time);
    const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
    if (this._interval === "1d") return isLong ? `${date.getFullYear()}-${day}` : day;
    if (isLong) return `${date.getFullYear()}-${day} ${clock}`;
    return clock === "00:00" ? day : clock;
  }

  _writeLegend(candle) {
    if (!candle) {
      this._legend.replaceChildren();
      return;
    }
    const { open, high, low, close, volume } = candle;
    const color = close >= open ? "up" : "down";
    const change = open > 0 ? ((close - open) / open) * 100 : 0;
    const parts = [["O", open], ["H", high], ["L", low], ["C", close]].map(([name, value]) =>
      make("span", {}, [name, make("b", { class: color }, [value.toFixed(this._decimals)])]));
    parts.push(make("span", {}, [make("b", { class: color }, [`${change >= 0 ? "+" : ""}${change.toFixed(2)}%`])]));
    parts.push(make("span", {}, ["V", make("b", {}, [volume.toFixed(this._quantityDecimals)])]));
    this._legend.replaceChildren(...parts);
  }
}

function line(paint, fromX, fromY, toX, toY) {
  paint.beginPath();
  paint.moveTo(fromX, fromY);
  paint.lineTo(toX, toY);
  paint.stroke();
}
