import { test, mock } from "node:test";
import assert from "node:assert/strict";

/** A browser's window and sockets, as far as a connection knows them. */
function browser() {
  const listeners = new Map();
  const sockets = [];
  class FakeSocket extends EventTarget {
    static OPEN = 1;
    constructor() {
      super();
      this.readyState = 0;
      sockets.push(this);
    }
    open() {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
    }
    say(value) {
      this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(value) }));
    }
    close() {
      // A cut network says nothing: the close event comes when it comes.
      this.readyState = 2;
    }
  }
  Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true, writable: true });
  Object.assign(globalThis, {
    WebSocket: FakeSocket, location: { origin: "http://127.0.0.1" },
    addEventListener: (name, heard) => listeners.set(name, heard), removeEventListener: (name) => listeners.delete(name),
  });
  return { sockets, tell: (name) => listeners.get(name)() };
}

const { Socket } = await import("../terminal/socket.js");

test("a network that is cut is said at once, and tried again when it is back", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets, tell } = browser();
  const states = [];
  const socket = new Socket(() => "/x", { onState: (state) => states.push(state), onMessage: () => {}, lateMs: 3000 });
  sockets[0].open();
  tell("offline");
  assert.equal(states.at(-1), "offline");
  mock.timers.tick(600_000);
  assert.equal(sockets.length, 1);
  tell("online");
  assert.equal(states.at(-1), "connecting");
  sockets[1].open();
  assert.equal(states.at(-1), "open");
  socket.close();
  mock.timers.reset();
});

test("a connection on which nothing comes is not called live", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets } = browser();
  const states = [];
  const options = { onState: (state) => states.push(state), onMessage: () => {}, lateMs: 3000, silenceMs: 10_000 };
  const socket = new Socket(() => "/x", options);
  sockets[0].open();
  sockets[0].say({});
  mock.timers.tick(2999);
  assert.equal(states.at(-1), "open");
  mock.timers.tick(1);
  assert.equal(states.at(-1), "late");
  sockets[0].say({});
  assert.equal(states.at(-1), "open");
  mock.timers.tick(10_000);
  assert.equal(states.at(-1), "waiting");
  socket.close();
  mock.timers.reset();
});
