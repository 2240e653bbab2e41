import { test } from "node:test";
import assert from "node:assert/strict";
import { sentenceOf, statusWord } from "../terminal/words.js";

const MACHINES = /\^|\{[0-9]|Filter failure|Authorization|Bearer|_[A-Z]|legal range|undefined/;

test("refusals of /api/v3 are sentences with what to do, without a code", () => {
  const cases = [
    { code: -2010, text: "Account has insufficient balance for requested action." },
    { code: -1013, text: "Filter failure: PERCENT_PRICE_BY_SIDE" },
    { code: -1013, text: "Filter failure: NOTIONAL" },
    { code: -1100, text: "Illegal characters found in parameter 'price'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'." },
    { code: -1003, text: "Too many requests; current limit is 6000 request weight per 1 MINUTE." },
    { code: -9999, text: "Something_NEW" },
  ];
  for (const failure of cases) {
    const words = sentenceOf({ ...failure, status: 400 });
    assert.doesNotMatch(words, MACHINES);
    assert.match(words, /^[A-Z].*\.$/);
  }
  assert.match(sentenceOf(cases[0]), /not enough available/);
  assert.match(sentenceOf(cases[1]), /too far from the market/);
});

test("problems of /v1 are sentences, faults stand with the name of their field", () => {
  assert.equal(sentenceOf({ status: 401, kind: "not-signed-in" }), "Your session is over. Log in again.");
  const errors = [
    { pointer: "#/amount", detail: "an amount is digits with at most one point, such as 100.25" },
    { pointer: "#/password", detail: "at least 8 characters" },
    { pointer: "#/asset", detail: "String should match pattern '^[A-Z0-9]{1,20}$'" },
  ];
  const words = sentenceOf({ status: 422, kind: "invalid-request", errors });
  assert.match(words, /^Amount: an amount is digits.*Password: at least 8 characters\. Asset: not in the form/);
  assert.doesNotMatch(words, MACHINES);
  assert.doesNotMatch(sentenceOf({ status: 500, kind: "blank" }), MACHINES);
});

test("an order that was cancelled is spelt one way", () => {
  assert.equal(statusWord("CANCELED"), "Cancelled");
  assert.equal(statusWord("PENDING_CANCEL"), "Being cancelled");
});
