// The reader's language: words by their English text, loaded before anything is drawn, and how numbers and times are
// written. Every module that imports this one waits for it.

import { writeAs } from "./decimal.js";

const WORDS = { de: () => import("./words-de.js"), es: () => import("./words-es.js"), zh: () => import("./words-zh.js") };
/** What can be chosen. */
export const LANGUAGES = [["en", "English"], ["de", "Deutsch"], ["es", "Español"], ["zh", "中文"]];

const wanted = globalThis.navigator?.languages ?? [];
/** What one word of English says twice has a name of its own here. */
let words = { "Market order": "Market" };

function chosen() {
  const names = [globalThis.localStorage?.getItem("exchange.language"), ...wanted.map((name) => name.slice(0, 2))];
  return names.find((name) => LANGUAGES.some(([code]) => code === name)) ?? "en";
}

/** "en", "de", "es" or "zh". */
export const language = globalThis.document ? chosen() : "en";
/** The reader's own kind of that language, such as de-CH. */
const locale = wanted.find((name) => name.startsWith(language)) ?? language;

/** More words of the language. Without them the terminal is English, and works. @param {() => Promise<object>} loading */
export async function learn(loading) {
  words = { ...words, ...(await loading().then((module) => module.default, () => ({}))) };
}

if (language in WORDS) await learn(WORDS[language]);
if (globalThis.document) {
  const part = (number, type) => new Intl.NumberFormat(locale).formatToParts(number).find((one) => one.type === type)?.value;
  writeAs({ group: part(12345, "group") ?? "", point: part(1.5, "decimal"), groupedFrom: part(1234, "group") ? 4 : 5 });
  document.documentElement.lang = language;
  translate(document.body);
}

/**
 * A text in the reader's language.
 * @param {string} english as it stands in the words; itself where they lack it
 * @param {Record<string, string | number>} [values] for its {names}
 * @returns {string}
 */
export function t(english, values = {}) {
  return (words[english] ?? english).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** The texts and names that stand in the page itself. */
function translate(root) {
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const found = words[node.data.trim().replace(/\s+/g, " ")];
    if (found) node.data = found;
  }
  for (const element of root.querySelectorAll("[aria-label]")) {
    element.setAttribute("aria-label", t(element.getAttribute("aria-label")));
  }
}

/** Another language, for this browser; the page is loaded anew. @param {string} code */
export function speak(code) {
  localStorage.setItem("exchange.language", code);
  location.reload();
}

const times = {};
/** A formatter of times, made once. @param {string} name @param {object} options of Intl.DateTimeFormat */
const timesAs = (name, options) => (times[name] ??= new Intl.DateTimeFormat(locale, { ...options, hourCycle: "h23" }));

/**
 * The time of day, by the reader's own clock.
 * @param {number} ms since 1970
 * @returns {string} 23:59:59
 */
export function timeOfDay(ms) {
  return timesAs("time", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/**
 * Day and time of day, by the reader's own clock.
 * @param {number} ms since 1970
 * @returns {string} Dec 31 23:59:59
 */
export function dayAndTime(ms) {
  return `${timesAs("day", { month: "short", day: "numeric" }).format(ms)} ${timeOfDay(ms)}`;
}

/** A whole date. @param {number} ms since 1970 @returns {string} Dec 31, 2026 23:59:59 */
export function dateAndTime(ms) {
  return `${timesAs("date", { year: "numeric", month: "short", day: "numeric" }).format(ms)} ${timeOfDay(ms)}`;
}
