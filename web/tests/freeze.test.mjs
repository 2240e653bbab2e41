import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { offerFreeze } from "../terminal/freeze.js";

const TOKEN = "A".repeat(43);
let page;

/** As much of a page as the dialog needs. */
function open(hash) {
  const elements = Object.fromEntries(["freeze", "freeze-form", "freeze-submit", "freeze-answer", "close"].map((id) => [id, {
    listeners: {}, textContent: "", hidden: false, disabled: false, isOpen: false,
    addEventListener(name, run) { this.listeners[name] = run; },
    querySelector: () => elements.close,
    showModal() { this.isOpen = true; },
    close() { this.isOpen = false; },
  }]));
  page = { elements, requests: [], answer: { status: 201, body: '{"frozenAt":1}' }, address: `/${hash}` };
  globalThis.location = { hash, pathname: "/", search: "" };
  globalThis.history = { replaceState: (state, title, url) => (page.address = url) };
  globalThis.document = { getElementById: (id) => elements[id] };
  globalThis.fetch = async (path, options) => {
    page.requests.push({ path, method: options.method, body: JSON.parse(options.body) });
    const { status, body } = page.answer;
    return { ok: status < 300, status, text: async () => body };
  };
  offerFreeze();
}

const press = () => page.elements["freeze-form"].listeners.submit({ preventDefault() {} });

beforeEach(() => (page = undefined));

test("a page that is opened by the link shows a button and asks for nothing", () => {
  open(`#freeze=${TOKEN}`);
  assert.equal(page.elements.freeze.isOpen, true);
  assert.equal(page.address, "/");
  assert.deepEqual(page.requests, []);
});

test("the button sends the token once, by POST, and says that it is done", async () => {
  open(`#freeze=${TOKEN}`);
  await press();
  assert.deepEqual(page.requests, [{ path: "/v1/withdrawal-freezes", method: "POST", body: { token: TOKEN } }]);
  assert.match(page.elements["freeze-answer"].textContent, /^Frozen/);
  assert.equal(page.elements["freeze-submit"].hidden, true);
  await press();
  assert.equal(page.requests.length, 1);
});

test("a refusal is told, and can be tried again", async () => {
  open(`#freeze=${TOKEN}`);
  page.answer = { status: 403, body: '{"type":"urn:exchange:problem:freeze-token-refused","title":"The link is not valid"}' };
  await press();
  assert.equal(page.elements["freeze-answer"].textContent, "The link is too old, or was used already. Use the link of a newer notice.");
  await press();
  assert.equal(page.requests.length, 2);
});

for (const hash of ["", "#BTCUSDT", "#freeze=", `#freeze=${TOKEN}x`, `#freeze=${"é".repeat(43)}`, `#a&freeze=${TOKEN}`]) {
  test(`${hash || "no hash"} opens nothing`, () => {
    open(hash);
    assert.equal(page.elements.freeze.isOpen, false);
    assert.equal(page.address, `/${hash}`);
  });
}
