import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { askPermission, keepChoice, permission, tellOutside } from "../terminal/outside.js";

let shown;
let kept;

beforeEach(() => {
  shown = [];
  kept = new Map();
  globalThis.document = { hidden: true };
  globalThis.localStorage = {
    getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value), removeItem: (name) => kept.delete(name),
  };
  globalThis.Notification = class {
    static permission = "granted";
    static async requestPermission() {
      this.permission = "granted";
    }
    constructor(title, { body, tag }) {
      shown.push([title, body, tag]);
    }
  };
});

test("a notice is shown while nobody looks, and its successor takes its place", () => {
  assert.equal(tellOutside("Bought.", "order-1"), true);
  assert.deepEqual(shown, [["Exchange", "Bought.", "order-1"]]);
});

test("nothing is shown in view, without leave, where it cannot be, or where it is not wanted", () => {
  document.hidden = false;
  assert.equal(tellOutside("Bought.", "order-1"), false);
  document.hidden = true;
  Notification.permission = "denied";
  assert.equal(tellOutside("Bought.", "order-1"), false);
  Notification.permission = "granted";
  keepChoice(false);
  assert.equal(tellOutside("Bought.", "order-1"), false);
  keepChoice(true);
  assert.equal(tellOutside("Bought.", "order-1"), true);
  delete globalThis.Notification;
  assert.equal(permission(), "none");
  assert.equal(tellOutside("Bought.", "order-1"), false);
  assert.equal(shown.length, 1);
});

test("leave is asked for once", async () => {
  Notification.permission = "default";
  assert.equal(await askPermission(), "granted");
  Notification.permission = "denied";
  assert.equal(await askPermission(), "denied");
});
