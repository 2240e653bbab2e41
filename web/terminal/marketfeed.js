// Live data of one market: streams over one socket, the histories that they continue, the local order book.

import { candleOfEvent, candleOfRow, followed, INTERVALS, KEPT_MAX, merged, withoutHoles } from "./candles.js";
import { request, RequestError } from "./http.js";
import { LocalBook } from "./localbook.js";
import { pauseMs } from "./patience.js";
import { Socket } from "./socket.js";

const DEPTH = 1000;
const CANDLES = 500;
const OLDER = 1000;
const TRADES = 60;
const ALL = "!miniTicker@arr";
// The ticker comes every second, whether anything is traded or not.
const LATE_MS = 3_000;
const SILENCE_MS = 10_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Again until it succeeds, or something else has made it needless. `work` returns false for "once more". */
async function retried(isCurrent, work) {
  for (let attempt = 0; isCurrent(); attempt += 1) {
    try {
      if ((await work()) !== false) return;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
    }
    await sleep(pauseMs(attempt));
  }
}

/**
 * Follows one market at a time.
 * `on.state(word)`, `on.ticker(object)`, `on.book(LocalBook)`, `on.trades(newest first)`,
 * `on.candles(Candle[])`, `on.all(rows)`: called whenever that has changed.
 */
export class MarketFeed {
  constructor(on) {
    this._on = on;
    this.book = new LocalBook();
    this._symbol = "";
    this._interval = "1m";
    this._trades = [];
    this._candles = [];
    this._requests = 0;
    // Counts starts: an answer that belongs to an earlier one is dropped.
    this._start = 0;
    this._candlesStart = 0;
    this._socket = null;
    this._isAll = false;
    // What the connection has been asked for, which is an earlier market's while it opens.
    this._asked = [];
  }

  /**
   * Follow this market from now on, and no other.
   * @param {string} symbol
   * @param {string} interval of candles, one of INTERVALS
   */
  follow(symbol, interval) {
    const isOtherMarket = symbol !== this._symbol;
    Object.assign(this, { _symbol: symbol, _interval: interval });
    if (!this._socket) {
      this._socket = new Socket(() => this._path(), {
        onState: this._on.state, onOpen: () => this._opened(),
        onMessage: (message) => this._take(message), silenceMs: SILENCE_MS,
        lateMs: LATE_MS,
      });
      return;
    }
    if (this._socket.isOpen) this._ask();
    this._load(isOtherMarket);
  }

  /**
   * Whether what each market did in the last day is wanted: `on.all(rows)` gets rows of GET /api/v3/ticker/24hr?type=MINI
   * once, and from then on those that changed.
   * @param {boolean} isWanted
   */
  async watchAll(isWanted) {
    this._isAll = isWanted;
    if (this._socket?.isOpen) this._ask();
    await retried(() => this._isAll, async () => {
      this._on.all(await request("GET", "/api/v3/ticker/24hr?type=MINI"));
    });
  }

  _path() {
    this._asked = this._streams();
    return `/stream?streams=${this._asked.join("/")}`;
  }

  _opened() {
    this._ask();
    this._load(true);
  }

  _streams() {
    const symbol = this._symbol.toLowerCase();
    const kinds = ["depth@100ms", "trade", "ticker", `kline_${this._interval}`];
    return [...kinds.map((kind) => `${symbol}@${kind}`), ...(this._isAll ? [ALL] : [])];
  }

  /** Give the streams up that are not wanted any more, and ask for those that are missing. */
  _ask() {
    const [before, now] = [this._asked, this._streams()];
    this._control("UNSUBSCRIBE", before.filter((name) => !now.includes(name)));
    this._control("SUBSCRIBE", now.filter((name) => !before.includes(name)));
    this._asked = now;
  }

  _control(method, params) {
    if (params.length > 0) this._socket.send({ method, params, id: (this._requests += 1) });
  }

  _load(isAll) {
    this._loadCandles();
    if (!isAll) return;
    const start = (this._start += 1);
    const isCurrent = () => start === this._start;
    this.book.reset();
    this._trades = [];
    this._on.book(this.book);
    this._on.trades([]);
    retried(isCurrent, () => this._loadBook(isCurrent));
    retried(isCurrent, () => this._loadTrades(isCurrent));
    retried(isCurrent, () => this._loadTicker(isCurrent));
  }

  _loadCandles() {
    const start = (this._candlesStart += 1);
    const isCurrent = () => start === this._candlesStart;
    Object.assign(this, { _candles: [], _isOlderAsked: false, _isOldest: false });
    this._on.candles([]);
    retried(isCurrent, async () => {
      const query = `symbol=${this._symbol}&interval=${this._interval}&limit=${CANDLES}`;
      const rows = await request("GET", `/api/v3/klines?${query}`);
      // What the stream brought meanwhile is newer.
      if (isCurrent()) this._showCandles(merged(rows.map(candleOfRow), this._candles));
    });
  }

  /** Candles before those that are there, once at a time, until there are none or enough. */
  async older() {
    const [first] = this._candles;
    if (!first || this._isOlderAsked || this._isOldest || this._candles.length >= KEPT_MAX) return;
    this._isOlderAsked = true;
    const start = this._candlesStart;
    try {
      const query = `symbol=${this._symbol}&interval=${this._interval}&limit=${OLDER}&endTime=${first.time - 1}`;
      const rows = await request("GET", `/api/v3/klines?${query}`);
      if (start !== this._candlesStart) return;
      this._isOldest = rows.length === 0;
      if (rows.length > 0) this._showCandles(merged(rows.map(candleOfRow), this._candles));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
    } finally {
      if (start === this._candlesStart) this._isOlderAsked = false;
    }
  }

  async _loadBook(isCurrent) {
    const snapshot = await request("GET", `/api/v3/depth?symbol=${this._symbol}&limit=${DEPTH}`);
    // Another snapshot, or another market, was quicker.
    if (!isCurrent() || this.book.state === "live") return true;
    const isJoined = this.book.applySnapshot(snapshot);
    if (isJoined) this._on.book(this.book);
    return isJoined;
  }

  async _loadTrades(isCurrent) {
    const rows = await request("GET", `/api/v3/trades?symbol=${this._symbol}&limit=${TRADES}`);
    if (!isCurrent()) return;
    const trades = rows.map((row) => ({
      id: row.id, price: row.price, quantity: row.qty, time: row.time, isSell: row.isBuyerMaker,
    }));
    this._addTrades(trades.reverse());
  }

  async _loadTicker(isCurrent) {
    const row = await request("GET", `/api/v3/ticker/24hr?symbol=${this._symbol}`);
    if (!isCurrent()) return;
    this._on.ticker({
      last: row.lastPrice, change: row.priceChange, percent: row.priceChangePercent, high: row.highPrice,
      low: row.lowPrice, volume: row.volume, quoteVolume: row.quoteVolume,
    });
  }

  _showCandles(candles) {
    this._candles = withoutHoles(candles, INTERVALS[this._interval]);
    this._on.candles(this._candles);
  }

  _addTrades(trades) {
    const known = new Set(this._trades.map((trade) => trade.id));
    const fresh = trades.filter((trade) => !known.has(trade.id));
    if (fresh.length === 0) return;
    this._trades = [...fresh, ...this._trades].sort((one, other) => other.id - one.id).slice(0, TRADES);
    this._on.trades(this._trades);
  }

  _take({ data }) {
    if (Array.isArray(data)) {
      this._on.all(data.map(({ s, o, c, q }) => ({ symbol: s, openPrice: o, lastPrice: c, quoteVolume: q })));
      return;
    }
    // Answers to SUBSCRIBE have no data, and late messages of the market before are not ours any more.
    if (!data || data.s !== this._symbol) return;
    if (data.e === "depthUpdate") this._takeDepth(data);
    else if (data.e === "trade") {
      this._addTrades([{ id: data.t, price: data.p, quantity: data.q, time: data.T, isSell: data.m }]);
    } else if (data.e === "24hrTicker") {
      this._on.ticker({
        last: data.c, change: data.p, percent: data.P, high: data.h, low: data.l, volume: data.v,
        quoteVolume: data.q,
      });
    } else if (data.e === "kline" && data.k.i === this._interval) {
      this._candles = followed(this._candles, candleOfEvent(data.k), INTERVALS[this._interval]);
      this._on.candles(this._candles);
    }
  }

  _takeDepth(update) {
    const outcome = this.book.applyUpdate(update);
    if (outcome === "applied") this._on.book(this.book);
    if (outcome !== "gap") return;
    this._on.book(this.book);
    const start = this._start;
    const isCurrent = () => start === this._start;
    retried(isCurrent, () => this._loadBook(isCurrent));
  }
}
