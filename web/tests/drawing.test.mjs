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

const taking = (name, ms, drawn) => () => {
  nowMs += ms;
  drawn.push(name);
};

test("what comes due together is spread over frames, the longest waiting first", () => {
  const drawn = [];
  for (const name of ["book", "form", "tape"]) drawnSoon(taking(name, 5, drawn))();
  frame();
  assert.deepEqual(drawn, ["book"]);
  frame();
  frame();
  assert.deepEqual(drawn, ["book", "form", "tape"]);
  assert.equal(frame(), false);
});

test("what is quick shares a frame", () => {
  const drawn = [];
  for (const name of ["one", "two", "three"]) drawnSoon(taking(name, 1, drawn))();
  frame();
  assert.deepEqual(drawn, ["one", "two", "three"]);
  assert.equal(frame(), false);
});

test("however often it is asked for, it is drawn once", () => {
  const drawn = [];
  const ask = drawnSoon(taking("book", 1, drawn));
  for (let times = 0; times < 5; times += 1) ask();
  while (frame());
  assert.deepEqual(drawn, ["book"]);
});

test("a drawing that fails does not keep the others from theirs", () => {
  const drawn = [];
  drawnSoon(() => {
    throw new Error("no market yet");
  })();
  drawnSoon(taking("tape", 1, drawn))();
  assert.throws(frame, /no market yet/);
  while (frame());
  assert.deepEqual(drawn, ["tape"]);
});

test("one that asks for itself again has the next turn, not all of this one", () => {
  const drawn = [];
  const ask = drawnSoon(() => {
    taking("again", 5, drawn)();
    if (drawn.length < 4) ask();
  });
  ask();
  drawnSoon(taking("other", 1, drawn))();
  while (frame());
  assert.deepEqual(drawn, ["again", "other", "again", "again"]);
});
