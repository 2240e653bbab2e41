// The exchange's clock, as far as this machine can tell: signed requests carry its time, not ours.

import { request } from "./http.js";

const ASK_AGAIN_MS = 300_000;

let offsetMs = 0;
let askedMs = -Infinity;

/**
 * Ask for the exchange's time; half of the way there and back is taken off.
 * @throws {RequestError}
 */
export async function askTime() {
  const sent = performance.now();
  const { serverTime } = await request("GET", "/api/v3/time");
  const received = performance.now();
  offsetMs = serverTime + (received - sent) / 2 - Date.now();
  askedMs = received;
}

/**
 * The exchange's time, asked for anew every five minutes; while it does not answer, by the offset known last.
 * @returns {Promise<number>} ms since 1970
 */
export async function exchangeTime() {
  if (performance.now() - askedMs > ASK_AGAIN_MS) await askTime().catch(() => {});
  return Math.round(Date.now() + offsetMs);
}
