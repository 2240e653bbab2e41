// How long a password would stand up to guessing, in a word. The exchange refuses what is guessed first.

import { t } from "./lang.js";

const LETTERS_MIN = 5;
export const LENGTH_MIN = 8;

/**
 * @param {string} password
 * @returns {{problem: string, word: "" | "weak" | "fair" | "strong"}} `problem`: why it is not taken
 */
export function strength(password) {
  if (password === "") return { problem: "", word: "" };
  if (password.trim() === "") return { problem: t("Not only spaces."), word: "weak" };
  if ([...password].length < LENGTH_MIN) return { problem: t("At least {count} characters.", { count: LENGTH_MIN }), word: "weak" };
  const letters = new Set(password.toLowerCase());
  if (letters.size < LETTERS_MIN) return { problem: t("At least {count} different characters.", { count: LETTERS_MIN }), word: "weak" };
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((kind) => kind.test(password)).length;
  // A rough count of bits: what is long beats what is strange.
  const bits = Math.min([...password].length, letters.size * 2) * (2 + kinds);
  const word = bits >= 64 ? "strong" : bits >= 40 ? "fair" : "weak";
  return { problem: "", word };
}
