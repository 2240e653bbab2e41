// Signatures as Binance wants them: HMAC-SHA256 in hexadecimal digits over the bytes that are sent.

const encoder = new TextEncoder();

/**
 * Check, before anything is asked for, that keys can be used here.
 * @throws {Error} outside a secure context (https, or localhost), where browsers have no `crypto.subtle`
 */
export function needSigning() {
  if (!globalThis.crypto?.subtle) throw new Error("Trading needs https, or localhost: this page has no WebCrypto.");
}

/**
 * A secret as a key that can sign and never be read again.
 * @param {string} secret
 * @returns {Promise<CryptoKey>}
 * @throws {Error} as `needSigning`
 */
export async function signingKey(secret) {
  needSigning();
  return crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/**
 * @param {CryptoKey} key
 * @param {string} payload
 * @returns {Promise<string>} 64 hexadecimal digits
 */
export async function signature(key, payload) {
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(payload)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Parameters as REST signs and sends them, in their order; undefined ones are left out.
 * @param {Record<string, string | number | boolean | undefined>} parameters
 * @returns {string}
 */
export function queryText(parameters) {
  return Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join("&");
}

/**
 * Parameters as the WebSocket API signs them: sorted by name, nothing encoded, without `signature`.
 * @param {Record<string, string | number | boolean>} parameters
 * @returns {string}
 */
export function sortedText(parameters) {
  return Object.keys(parameters)
    .filter((name) => name !== "signature")
    .sort()
    .map((name) => `${name}=${parameters[name]}`)
    .join("&");
}
