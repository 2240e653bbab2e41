// Money as text and BigInt: exact, never a float. A number is a text of digits with at most one point.

const NUMBER = /^([0-9]{1,30})(?:\.([0-9]{1,18}))?$/;

/** A text that is no number, or one that is too fine. `message` can be shown to a person. */
export class DecimalError extends Error {}

/**
 * Decimals of a step as the exchange writes it, zeros at the end not counted: "0.01000000" has 2.
 * @param {string} text
 * @returns {number}
 * @throws {DecimalError}
 */
export function decimalsOf(text) {
  const found = NUMBER.exec(text);
  if (!found) throw new DecimalError("not a number");
  return (found[2] ?? "").replace(/0+$/, "").length;
}

/**
 * A number as people type or paste it: spaces around, and what the page itself puts between thousands.
 * @param {string} text "1,234.56", "1 234.56"
 * @returns {string} "1234.56"; what is not grouped in threes stays as it is
 */
export function typed(text) {
  const bare = text.trim();
  const isGrouped = /^[0-9]{1,3}([,'’\u00a0\u202f\u2009 ])[0-9]{3}(\1[0-9]{3})*(\.[0-9]*)?$/.test(bare);
  return isGrouped ? bare.replace(/[^0-9.]/g, "") : bare;
}

/**
 * The text in units of 10**-decimals, exactly.
 * @param {string} text digits with at most one point: no sign, no exponent, no spaces
 * @param {number} decimals 0 to 18
 * @returns {bigint}
 * @throws {DecimalError} for what is no number, or has digits beyond the decimals
 */
export function toUnits(text, decimals) {
  const found = NUMBER.exec(text);
  if (!found) throw new DecimalError("not a number");
  const fraction = (found[2] ?? "").replace(/0+$/, "");
  if (fraction.length > decimals) throw new DecimalError(`at most ${decimals} decimals`);
  return BigInt(found[1] + fraction.padEnd(decimals, "0"));
}

/**
 * Units of 10**-decimals as text with exactly that many decimals.
 * @param {bigint} units may be negative
 * @param {number} decimals
 * @returns {string}
 */
export function fromUnits(units, decimals) {
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0");
  if (decimals === 0) return sign + digits;
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/**
 * The largest multiple of `step` that is not above `units`; both in the same units, not negative.
 * @param {bigint} units
 * @param {bigint} step more than 0
 * @returns {bigint}
 */
export function floorTo(units, step) {
  return units - (units % step);
}

/**
 * Shows a number of the exchange with a fixed number of decimals; what is finer is cut off, not rounded.
 * @param {string} text as the exchange sends it, a sign is allowed
 * @param {number} decimals
 * @returns {string} the text itself when it is no number
 */
export function shown(text, decimals) {
  const sign = text.startsWith("-") ? "-" : "";
  const found = NUMBER.exec(sign ? text.slice(1) : text);
  if (!found) return text;
  if (decimals === 0) return sign + found[1];
  return `${sign}${found[1]}.${(found[2] ?? "").slice(0, decimals).padEnd(decimals, "0")}`;
}

/**
 * Without zeros at the end: "1.50000000" is "1.5", "2.00" is "2".
 * @param {string} text
 * @returns {string}
 */
export function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/**
 * With commas between thousands, for reading only.
 * @param {string} text
 * @returns {string}
 */
export function grouped(text) {
  const [whole, fraction] = text.split(".");
  const readable = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return fraction === undefined ? readable : `${readable}.${fraction}`;
}
