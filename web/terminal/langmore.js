// The words of the account's page and of refusals, in the reader's language: whoever imports this module waits for them.

import { language, learn } from "./lang.js";

const WORDS = {
  de: () => import("./words-de-more.js"), es: () => import("./words-es-more.js"), zh: () => import("./words-zh-more.js"),
};

if (language in WORDS) await learn(WORDS[language]);
