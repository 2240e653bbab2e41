// What the front page does where there are scripts: on to the terminal for links and for who is logged in, and the
// language that was chosen before. Without scripts the page is whole, too.

import { Vault } from "./vault.js";

const LANGUAGES = ["de", "es", "zh"];

async function start() {
  // Links of mails and bookmarks are older than this page: /#freeze=…, /#BTCUSDT.
  if (location.hash.length > 1 && document.getElementById(location.hash.slice(1)) === null) {
    location.replace(`/terminal/${location.hash}`);
    return;
  }
  const chosen = localStorage.getItem("exchange.language");
  if (location.search === "" && LANGUAGES.includes(chosen)) {
    location.replace(`/?lang=${chosen}`);
    return;
  }
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", () => localStorage.setItem("exchange.language", link.lang));
  }
  if (location.search === "" && (await new Vault(() => {}).read()) !== null) location.replace("/terminal/");
}

addEventListener("hashchange", () => start());
start();
