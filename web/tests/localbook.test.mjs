import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalBook } from "../terminal/localbook.js";

const update = (U, u, b = [], a = []) => ({ U, u, b, a });
const snapshot = (lastUpdateId, bids = [["10", "1"]], asks = [["11", "1"]]) => ({ lastUpdateId, bids, asks });
const levels = (book, side) => book.top(side, 10).map(({ price, quantity }) => [price, quantity]);

test("updates before the snapshot are joined to it, older ones are dropped", () => {
  const book = new LocalBook();
  assert.equal(book.applyUpdate(update(1, 5, [["10", "9"]])), "buffered");
  assert.equal(book.applyUpdate(update(6, 8, [["9", "2"]])), "buffered");
  assert.equal(book.applyUpdate(update(9, 9, [], [["11", "0"], ["12", "3"]])), "buffered");
  assert.equal(book.applySnapshot(snapshot(7)), true);
  assert.equal(book.lastId, 9);
  assert.deepEqual(levels(book, "bids"), [["10", "1"], ["9", "2"]]);
  assert.deepEqual(levels(book, "asks"), [["12", "3"]]);
});

test("a snapshot that the buffer does not reach back to is refused, and the buffer is kept", () => {
  const book = new LocalBook();
  book.applyUpdate(update(20, 21, [["9", "2"]]));
  assert.equal(book.applySnapshot(snapshot(10)), false);
  assert.equal(book.state, "waiting");
  assert.equal(book.applySnapshot(snapshot(19)), true);
  assert.equal(book.lastId, 21);
});

test("a gap makes the book wait, and the update behind the gap is not lost", () => {
  const book = new LocalBook();
  book.applySnapshot(snapshot(10));
  assert.equal(book.applyUpdate(update(12, 13, [["9", "5"]])), "gap");
  assert.equal(book.state, "waiting");
  assert.deepEqual(levels(book, "bids"), [], "a book that may be wrong is not shown");
  assert.equal(book.applyUpdate(update(14, 14, [["8", "1"]])), "buffered");
  assert.equal(book.applySnapshot(snapshot(11)), true);
  assert.deepEqual(levels(book, "bids"), [["10", "1"], ["9", "5"], ["8", "1"]]);
});

test("a gap inside the buffer asks for another snapshot", () => {
  const book = new LocalBook();
  book.applyUpdate(update(11, 12));
  book.applyUpdate(update(15, 16));
  assert.equal(book.applySnapshot(snapshot(10)), false);
  assert.equal(book.applySnapshot(snapshot(14)), true);
  assert.equal(book.lastId, 16);
});

test("duplicates and updates out of order change nothing", () => {
  const book = new LocalBook();
  book.applySnapshot(snapshot(10));
  assert.equal(book.applyUpdate(update(11, 12, [["9", "5"]])), "applied");
  assert.equal(book.applyUpdate(update(11, 12, [["9", "7"]])), "old");
  assert.equal(book.applyUpdate(update(8, 9, [["9", "0"]])), "old");
  assert.deepEqual(levels(book, "bids"), [["10", "1"], ["9", "5"]]);
  // One that overlaps carries absolute quantities, so it may be taken whole.
  assert.equal(book.applyUpdate(update(12, 14, [["9", "6"]])), "applied");
  assert.equal(book.lastId, 14);
});

test("levels are in the order of numbers, with sums, whatever the texts look like", () => {
  const book = new LocalBook();
  book.applySnapshot(snapshot(1, [["9.5", "1"], ["100", "0.5"], ["99.00000000", "2"]], [["1000", "1"], ["200", "3"]]));
  assert.deepEqual(book.top("bids", 2).map(({ price, sum }) => [price, sum]), [["100", 50_000_000n], ["99.00000000", 250_000_000n]]);
  assert.deepEqual(levels(book, "asks"), [["200", "3"], ["1000", "1"]]);
  book.applyUpdate(update(2, 2, [["99", "0"]]));
  assert.deepEqual(levels(book, "bids"), [["100", "0.5"], ["9.5", "1"]]);
  assert.deepEqual(book.spread(), { units: 10_000_000_000n, partsPerMillion: 500_000n });
});

test("levels that come and go one by one stand where sorting all of them would put them", () => {
  // A little generator of its own, so that each run is the same.
  let state = 20261130;
  const below = (count) => (state = (state * 48271) % 2147483647) % count;
  const book = new LocalBook();
  book.applySnapshot(snapshot(1, [], []));
  const known = { bids: new Map(), asks: new Map() };
  for (let id = 2; id < 400; id += 1) {
    const side = below(2) === 0 ? "bids" : "asks";
    // Now and then so many at once that they are sorted together.
    const changes = Array.from({ length: below(10) === 0 ? 80 : 1 + below(5) }, () => [String(1 + below(120)), String(below(3))]);
    book.applyUpdate(update(id, id, ...(side === "bids" ? [changes, []] : [[], changes])));
    for (const [price, quantity] of changes) {
      if (quantity === "0") known[side].delete(price);
      else known[side].set(price, quantity);
    }
    const expected = [...known[side]].sort(([one], [other]) => (side === "bids" ? other - one : one - other));
    assert.deepEqual(book.levels(side).map(({ price, quantity }) => [price, quantity]), expected, `update ${id}`);
    assert.deepEqual(book.top(side, 1000).map(({ price, quantity }) => [price, quantity]), expected);
  }
});

test("what was handed out does not change when the book does", () => {
  const book = new LocalBook();
  book.applySnapshot(snapshot(1));
  const [before] = book.top("bids", 1);
  book.applyUpdate(update(2, 2, [["10", "7"]]));
  assert.equal(before.quantity, "1");
  assert.equal(book.top("bids", 1)[0].quantity, "7");
});
