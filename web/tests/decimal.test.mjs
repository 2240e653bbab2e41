// Money as text and BigInt. `TERMINAL_VECTORS` names a file of Python's own results (tests/unit/test_terminal.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DecimalError, decimalsOf, floorTo, fromUnits, grouped, shown, toUnits, trimmed } from "../terminal/decimal.js";
import { total } from "../terminal/rules.js";

const path = process.env.TERMINAL_VECTORS;
const vectors = path ? JSON.parse(readFileSync(path, "utf8")) : null;

test("arithmetic agrees with Python's Decimal", { skip: !vectors && "without TERMINAL_VECTORS" }, () => {
  for (const { one, other, product, floored, step, units } of vectors.decimals) {
    assert.equal(toUnits(one, 8), BigInt(units));
    assert.equal(total(one, other, { priceDecimals: 8 }), product, `${one} * ${other}`);
    assert.equal(fromUnits(floorTo(toUnits(one, 8), toUnits(step, 8)), 8), floored, `${one} in steps of ${step}`);
  }
});

test("a text becomes units and back without a loss", () => {
  for (const text of ["0.00000001", "92233720368.54775807", "1.00000000", "0.00000000", "30000.10000000"]) {
    assert.equal(fromUnits(toUnits(text, 8), 8), text);
  }
  assert.equal(fromUnits(-150n, 2), "-1.50");
  assert.equal(fromUnits(7n, 0), "7");
});

test("what is no plain number is refused", () => {
  for (const text of ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "0x1", "NaN", "1.2.3", "١", "9".repeat(31)]) {
    assert.throws(() => toUnits(text, 8), DecimalError, text);
  }
  assert.throws(() => toUnits("0.000000001", 8), DecimalError);
  assert.equal(toUnits("0.100000000000", 8), 10_000_000n, "zeros beyond the decimals are no digits");
});

test("numbers are cut, grouped and trimmed for reading, never rounded", () => {
  assert.equal(shown("64999.99999999", 2), "64999.99");
  assert.equal(shown("-0.057", 2), "-0.05");
  assert.equal(shown("5", 2), "5.00");
  assert.equal(shown("n/a", 2), "n/a");
  assert.equal(grouped("1234567.1234"), "1,234,567.1234");
  assert.equal(trimmed("100.00"), "100");
  assert.equal(trimmed("100"), "100");
  assert.equal(decimalsOf("0.00001000"), 5);
  assert.equal(decimalsOf("1.00000000"), 0);
});
