import { test } from "node:test";
import assert from "node:assert/strict";
import { typed } from "../terminal/decimal.js";
import { strength } from "../terminal/passwords.js";

test("passwords that are guessed first are told so, others get a word", () => {
  for (const bad of ["        ", "short", "aaaaaaaaaa", "abababab"]) assert.notEqual(strength(bad).problem, "", bad);
  assert.deepEqual(strength(""), { problem: "", word: "" });
  assert.equal(strength("abcdefgh").word, "weak");
  assert.equal(strength("correct horse battery").word, "strong");
});

test("a field takes the numbers that the page itself writes", () => {
  assert.equal(typed("64,900.10"), "64900.10");
  assert.equal(typed(" 1,234,567 "), "1234567");
  assert.equal(typed("1\u202f234.5"), "1234.5");
  for (const other of ["1,5", "1,2345", "12,34.5", "1.5", "", "1,234,56"]) assert.equal(typed(other), other);
});
