// Requests with deadlines to the exchange's one port, and its two kinds of errors as one.

import { t } from "./lang.js";

const DEADLINE_MS = 12_000;

/**
 * An answer that is no success, or no answer. `message` is a sentence for people.
 * `status`: of HTTP, undefined without an answer. `code` and `text`: of /api/v3, e.g. -2010 and its words. `kind`: of
 * /v1, e.g. "email-taken". `members`: the whole answer.
 */
export class RequestError extends Error {
  constructor(message, { status, code, text, kind, members } = {}) {
    super(message);
    Object.assign(this, { status, code, text, kind, members });
  }
}

/**
 * @param {string} method
 * @param {string} path with its query
 * @param {{headers?: Record<string, string>, body?: object, isFile?: boolean}} options `body` is sent as JSON
 * @returns {Promise<any>} the JSON of the answer, null for an empty one; a Blob with `isFile`
 * @throws {RequestError} after 12 s too
 */
export async function request(method, path, { headers = {}, body, isFile = false } = {}) {
  let answer;
  let text;
  try {
    answer = await fetch(path, {
      method, cache: "no-store", credentials: "omit", redirect: "error",
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (isFile && answer.ok) return await answer.blob();
    text = await answer.text();
  } catch (error) {
    const isLate = error.name === "TimeoutError";
    throw new RequestError(isLate ? t("The exchange did not answer in time.") : t("The exchange cannot be reached."));
  }
  const value = parsed(text, answer.status);
  if (answer.ok) return value;
  throw await errorOf(value ?? {}, answer.status);
}

function parsed(text, status) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError(t("The exchange gave an answer that is not JSON."), { status: status >= 400 ? status : 500 });
  }
}

/** /api/v3 answers {code, msg}, /v1 RFC 9457 problems with faults by field. */
async function errorOf(value, status) {
  const failure = typeof value.code === "number"
    ? { status, code: value.code, text: value.msg }
    : { status, kind: (value.type ?? "").split(":").at(-1), errors: value.errors ?? [] };
  // Sentences come when the first is needed.
  const sentence = await import("./words.js").then(({ sentenceOf }) => sentenceOf(failure), () => t("The exchange refused it ({code}).", { code: status }));
  return new RequestError(sentence, { ...failure, members: value });
}
