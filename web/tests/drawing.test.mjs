import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

let frames = [];
let nowMs = 0;
globalThis.requestAnimationFrame = (run) => frames.push(run);
Object.defineProperty(globalThis, "performance", { value: { now: () => nowMs } });
const { drawnSoon } = await import("../terminal/dom.js");

/** The browser comes to its next frame. @returns {boolean} whether anybody had asked for it */
function frame() {
  const asked = frames;
  frames = [];
  nowMs += 1000;
  for (const run of asked) run();
  assert.ok(asked.length <= 1, "one for all");
  return asked.length > 0;
}

beforeEach(() => {
  while (frame());
});

test("what comes due together has a frame each, the longest waiting first", () => {
  const drawn = [];
  for (const name of ["book", "form", "tape"]) drawnSoon(() => drawn.push(name))();
  frame();
  assert.deepEqual(drawn, ["book"]);
  frame();
  frame();
  assert.deepEqual(drawn, ["book", "form", "tape"]);
  assert.equal(frame(), false);
});

test("however often it is asked for, it is drawn once", () => {
  const drawn = [];
  const ask = drawnSoon(() => drawn.push("book"));
  for (let times = 0; times < 5; times += 1) ask();
  while (frame());
  assert.deepEqual(drawn, ["book"]);
});

test("a drawing that fails does not keep the others from theirs", () => {
  const drawn = [];
  drawnSoon(() => {
    throw new Error("no market yet");
  })();
  drawnSoon(() => drawn.push("tape"))();
  assert.throws(frame, /no market yet/);
  while (frame());
  assert.deepEqual(drawn, ["tape"]);
});

test("one that asks for itself again has the next turn, not all of this one", () => {
  const drawn = [];
  const ask = drawnSoon(() => {
    drawn.push("again");
    if (drawn.length < 4) ask();
  });
  ask();
  drawnSoon(() => drawn.push("other"))();
  while (frame());
  assert.deepEqual(drawn, ["again", "other", "again", "again"]);
});
