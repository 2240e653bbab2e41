// A WebSocket that comes back: pauses that grow, and a look at whether anything still arrives.

import { pauseMs } from "./patience.js";

const CONNECT_DEADLINE_MS = 10_000;
// A connection that ends sooner counts as one more failed try.
const STEADY_AFTER_MS = 10_000;

/**
 * Keeps a connection to `path` of this origin until `close`.
 *
 * `onState` gets "connecting", "open", "late" (open, and nothing comes), "waiting" (for the next try) or "offline"
 * (the browser has no network: said at once, whatever the connection believes). `onOpen` and `onMessage` (parsed JSON)
 * are only called for the connection that is current.
 */
export class Socket {
  /**
   * @param {() => string} path asked at each try, e.g. "/stream?streams=btcusdt@trade"
   * @param {{onState: Function, onOpen?: Function, onMessage: Function, silenceMs?: number, lateMs?: number}} handlers
   *   `lateMs`: longer without a message, and what is known counts as old; `silenceMs`: and the connection is taken
   *   for dead; 0: never
   */
  constructor(path, { onState, onOpen = () => {}, onMessage, silenceMs = 0, lateMs = 0 }) {
    Object.assign(this, { _path: path, _onState: onState, _onOpen: onOpen, _onMessage: onMessage });
    Object.assign(this, { _silenceMs: silenceMs, _lateMs: lateMs, _isLate: false });
    this._attempt = 0;
    this._openedMs = Infinity;
    this._isClosed = false;
    this._hurry = () => this._retryNow();
    this._cut = () => this._offline();
    addEventListener("online", this._hurry);
    addEventListener("offline", this._cut);
    if (isOffline()) this._offline();
    else this._connect();
  }

  _connect() {
    clearTimeout(this._retry);
    this._retry = undefined;
    this._onState("connecting");
    const socket = new WebSocket(location.origin.replace(/^http/, "ws") + this._path());
    this._socket = socket;
    this._watch(CONNECT_DEADLINE_MS);
    socket.addEventListener("open", () => {
      if (socket !== this._socket) return;
      this._openedMs = performance.now();
      this._watch(this._silenceMs);
      this._expect();
      this._onState("open");
      this._onOpen();
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this._socket) return;
      this._watch(this._silenceMs);
      if (this._isLate) this._onState("open");
      this._expect();
      this._onMessage(JSON.parse(data));
    });
    socket.addEventListener("close", () => this._lost(socket));
  }

  _watch(limitMs) {
    clearTimeout(this._watching);
    if (limitMs > 0) this._watching = setTimeout(() => this.reconnect(), limitMs);
  }

  _expect() {
    clearTimeout(this._expecting);
    this._isLate = false;
    if (this._lateMs === 0) return;
    this._expecting = setTimeout(() => {
      this._isLate = true;
      this._onState("late");
    }, this._lateMs);
  }

  /** No network: what still arrives is not waited for, and nothing is tried before the browser says otherwise. */
  _offline() {
    if (this._isClosed) return;
    const socket = this._socket;
    this._socket = null;
    for (const timer of [this._watching, this._expecting, this._retry]) clearTimeout(timer);
    this._retry = null;
    this._onState("offline");
    socket?.close();
  }

  _lost(socket) {
    if (socket !== this._socket || this._isClosed) return;
    clearTimeout(this._watching);
    clearTimeout(this._expecting);
    this._socket = null;
    if (performance.now() - this._openedMs > STEADY_AFTER_MS) this._attempt = 0;
    this._openedMs = Infinity;
    this._onState("waiting");
    this._retry = setTimeout(() => this._connect(), pauseMs(this._attempt));
    this._attempt += 1;
  }

  _retryNow() {
    if (!this._isClosed && this._retry !== undefined) this._connect();
  }

  /** Give this connection up and try again after a pause. */
  reconnect() {
    const socket = this._socket;
    if (!socket) return;
    socket.close();
    this._lost(socket);
  }

  /** Whether a message would be sent. */
  get isOpen() {
    return this._socket?.readyState === WebSocket.OPEN;
  }

  /**
   * Send a message if the connection is open; a new connection begins with `onOpen` anyway.
   * @param {object} message
   */
  send(message) {
    if (this.isOpen) this._socket.send(JSON.stringify(message));
  }

  /** End it for good. */
  close() {
    this._isClosed = true;
    removeEventListener("online", this._hurry);
    removeEventListener("offline", this._cut);
    clearTimeout(this._watching);
    clearTimeout(this._expecting);
    clearTimeout(this._retry);
    this._retry = undefined;
    this._socket?.close();
    this._socket = null;
  }
}

/** Whether the browser knows that it has no network. */
export function isOffline() {
  return globalThis.navigator?.onLine === false;
}
