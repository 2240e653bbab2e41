// Requests with deadlines to the exchange's one port, and its two kinds of errors as one.

const DEADLINE_MS = 12_000;

/**
 * An answer that is no success, or no answer. `message` can be shown to a person.
 * `status`: of HTTP, undefined without an answer. `code`: of /api/v3, e.g. -2010. `kind`: of /v1, e.g.
 * "email-taken".
 */
export class RequestError extends Error {
  constructor(message, { status, code, kind } = {}) {
    super(message);
    Object.assign(this, { status, code, kind });
  }
}

/**
 * @param {string} method
 * @param {string} path with its query
 * @param {{headers?: Record<string, string>, body?: object, keepalive?: boolean}} options `body` is sent as JSON;
 *   `keepalive`: goes out even when the page is being left
 * @returns {Promise<any>} the JSON of the answer, null for an empty one
 * @throws {RequestError} after 12 s too
 */
export async function request(method, path, { headers = {}, body, keepalive = false } = {}) {
  let answer;
  let text;
  try {
    answer = await fetch(path, {
      method, keepalive, cache: "no-store", credentials: "omit", redirect: "error",
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    text = await answer.text();
  } catch (error) {
    const isLate = error.name === "TimeoutError";
    throw new RequestError(isLate ? "The exchange did not answer in time." : "The exchange cannot be reached.");
  }
  const value = parsed(text, answer.status);
  if (answer.ok) return value;
  throw errorOf(value ?? {}, answer.status);
}

function parsed(text, status) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError("The exchange gave an answer that is not JSON.", { status: status >= 400 ? status : 500 });
  }
}

/** /api/v3 answers {code, msg}, /v1 RFC 9457 problems with faults by field. */
function errorOf(value, status) {
  if (typeof value.code === "number") {
    return new RequestError(`${value.msg} (${value.code})`, { status, code: value.code });
  }
  const faults = (value.errors ?? []).map((fault) => {
    const name = (fault.pointer ?? fault.parameter ?? "").replace(/^#\//, "");
    return name ? `${name}: ${fault.detail}` : fault.detail;
  });
  const detail = faults.length > 0 ? faults.join("; ") : value.detail;
  const words = [value.title, detail].filter(Boolean).join(": ") || `The exchange answered with status ${status}.`;
  return new RequestError(words, { status, kind: (value.type ?? "").split(":").at(-1) });
}
