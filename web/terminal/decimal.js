// Money as text and BigInt: exact, never a float. A number is a text of digits with at most one point.

const NUMBER = /^([0-9]{1,30})(?:\.([0-9]{1,18}))?$/;

let writing = { group: ",", point: ".", groupedFrom: 4 };

/**
 * How numbers are written for the reader from now on, and read from what is typed.
 * @param {{group: string, point: string, groupedFrom: number}} reader `groupedFrom`: digits before the point from
 *   which on thousands stand apart
 */
export function writeAs(reader) {
  writing = reader;
}

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
 * Where a comma stands before decimals, a point alone is taken for one, too, as machines write it; but "1.234", which
 * may mean either, is no number: a thousandfold order is worse than a question.
 * @param {string} text "1,234.56", "1 234.56"; "1.234,56" where that is how numbers are written
 * @returns {string} "1234.56"; what is not grouped in threes stays as it is
 */
export function typed(text) {
  let bare = text.trim();
  if (writing.point === ",") {
    if (/^[0-9]{1,3}\.[0-9]{3}$/.test(bare)) return `${bare}?`;
    if (/^[0-9]+(\.[0-9]{3})*,[0-9]*$/.test(bare) || /^[0-9]{1,3}(\.[0-9]{3}){2,}$/.test(bare)) {
      bare = bare.replaceAll(".", "");
    }
    bare = bare.replace(",", ".");
  }
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
 * As the reader writes numbers, thousands apart; for reading only.
 * @param {string} text
 * @returns {string}
 */
export function grouped(text) {
  const [whole, fraction] = text.split(".");
  const isLong = whole.replace("-", "").length >= writing.groupedFrom;
  const readable = isLong ? whole.replace(/\B(?=(\d{3})+(?!\d))/g, writing.group) : whole;
  return fraction === undefined ? readable : readable + writing.point + fraction;
}

/**
 * As the reader writes numbers, in one piece: for columns and fields.
 * @param {string} text
 * @returns {string}
 */
export const plain = (text) => (writing.point === "." ? text : text.replace(".", writing.point));
