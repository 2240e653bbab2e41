// What is asked for when the market is changed at an awkward moment.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

const opened = [];

class FakeSocket {
  static OPEN = 1;

  constructor(url) {
    Object.assign(this, { url, readyState: 0, sent: [], _listeners: {} });
    opened.push(this);
  }

  addEventListener(name, listener) {
    this._listeners[name] = listener;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  accept() {
    this.readyState = FakeSocket.OPEN;
    this._listeners.open();
  }
}

let feed;

beforeEach(async () => {
  opened.length = 0;
  const noAnswer = () => new Promise(() => {});
  Object.assign(globalThis, {
    WebSocket: FakeSocket, location: { origin: "http://here" }, addEventListener() {}, removeEventListener() {},
    fetch: noAnswer,
  });
  const { MarketFeed } = await import("../terminal/marketfeed.js");
  const ignore = () => {};
  feed = new MarketFeed({ state: ignore, ticker: ignore, candles: ignore, book: ignore, trades: ignore });
});

afterEach(() => feed._socket.close());

const streamsOf = (socket) => new URL(socket.url).searchParams.get("streams").split("/");

test("a market that is changed while the connection opens is asked for once it is open", () => {
  feed.follow("BTCUSDT", "1m");
  feed.follow("ETHUSDT", "5m");
  const [socket] = opened;
  assert.ok(streamsOf(socket).includes("btcusdt@trade"));
  assert.deepEqual(socket.sent, []);
  socket.accept();
  const [given, asked] = socket.sent;
  assert.deepEqual([given.method, given.params], ["UNSUBSCRIBE", streamsOf(socket)]);
  assert.equal(asked.method, "SUBSCRIBE");
  assert.deepEqual(asked.params, ["ethusdt@depth@100ms", "ethusdt@trade", "ethusdt@ticker", "ethusdt@kline_5m"]);
});

test("another interval changes one stream, and the same market none", () => {
  feed.follow("BTCUSDT", "1m");
  const [socket] = opened;
  socket.accept();
  assert.deepEqual(socket.sent, []);
  feed.follow("BTCUSDT", "1h");
  assert.deepEqual(socket.sent.map(({ method, params }) => [method, params]), [
    ["UNSUBSCRIBE", ["btcusdt@kline_1m"]], ["SUBSCRIBE", ["btcusdt@kline_1h"]],
  ]);
  feed.follow("BTCUSDT", "1h");
  assert.equal(socket.sent.length, 2);
});
