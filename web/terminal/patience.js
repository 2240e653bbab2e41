// How long to wait before the next try, and what an answer says about an order.

const FIRST_MS = 500;
const LONGEST_MS = 20_000;

/**
 * The pause before try number `attempt` (0 for the first repetition): doubled each time, up to 20 s, of which
 * a random part between a half and the whole is taken, so that clients do not come back all at once.
 * @param {number} attempt
 * @param {number} chance 0 to 1
 * @returns {number} ms
 */
export function pauseMs(attempt, chance = Math.random()) {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(whole * (0.5 + chance / 2));
}

/**
 * What a failed request to place an order says of the order.
 * -1001, -1008 and -1021 say that nothing was sent to the engine; -1006, -1007 and -1000, other answers of 500
 * and more, and no answer at all leave it open.
 * @param {{status?: number, code?: number}} failure no status: no answer
 * @returns {"refused" | "unknown"}
 */
export function outcomeOf({ status, code }) {
  if (code === -1001 || code === -1008) return "refused";
  if (status === undefined || status >= 500) return "unknown";
  return [-1000, -1006, -1007].includes(code ?? 0) ? "unknown" : "refused";
}
