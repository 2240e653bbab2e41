import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { queryText, signature, signingKey, sortedText } from "../terminal/signing.js";

// The example of Binance's own documentation.
const SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const path = process.env.TERMINAL_VECTORS;
const vectors = path ? JSON.parse(readFileSync(path, "utf8")) : null;

test("a request of REST is signed as the documentation signs it", async () => {
  const text = queryText({
    symbol: "LTCBTC", side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: "1", price: "0.1", stopPrice: undefined,
    recvWindow: 5000, timestamp: 1499827319559,
  });
  assert.equal(await signature(await signingKey(SECRET), text), "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
});

test("a request of the WebSocket API is signed sorted by name", async () => {
  const text = sortedText({
    symbol: "BTCUSDT", side: "SELL", type: "LIMIT", timeInForce: "GTC", quantity: "0.01000000", price: "52000.00",
    apiKey: "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", recvWindow: 100,
    timestamp: 1645423376532, signature: "not part of it",
  });
  assert.equal(await signature(await signingKey(SECRET), text), "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24");
});

test("signatures agree with Python's hmac, whatever the bytes", { skip: !vectors && "without TERMINAL_VECTORS" }, async () => {
  for (const { secret, payload, digest } of vectors.signatures) {
    assert.equal(await signature(await signingKey(secret), payload), digest);
  }
});

test("a secret cannot be read out of its key", async () => {
  const key = await signingKey(SECRET);
  assert.equal(key.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("raw", key));
});

test("parameters are encoded as they are signed", () => {
  assert.equal(queryText({ a: "x y&z", b: true, c: 0 }), "a=x%20y%26z&b=true&c=0");
});
