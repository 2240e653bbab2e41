// What the account is worth: a part of its page.

import { make, setText } from "./dom.js";
import { grouped, shown, trimmed } from "./decimal.js";
import { request } from "./http.js";
import { t } from "./lang.js";
import "./langmore.js";
import { fillsOf, portfolioOf } from "./portfolio.js";
import { section, Table } from "./roomparts.js";

const amount = (text) => (text === null ? "–" : grouped(trimmed(shown(text, 8))));
/** Two decimals, and more where less than one is at stake. */
const money = (text) => (text === null ? "–" : /^-?0\.0*[1-9]/.test(text) ? amount(text) : grouped(shown(text, 2)));

/**
 * @param {{account: import("./account.js").Account, markets: () => import("./rules.js").Market[],
 *   balances: () => {asset: string, free: string, locked: string}[]}} needs
 */
export function portfolioSection({ account, markets, balances }) {
  const quotes = [...new Set(markets().map(({ quote }) => quote))];
  const choice = make("select", { "aria-label": t("Counted in"), change: () => draw() }, quotes.map((quote) => make("option", { value: quote }, [quote])));
  const sums = make("p", { role: "status" });
  const hint = make("p", { class: "hint" });
  const table = new Table({
    caption: t("Portfolio"), empty: t("Nothing is held."), key: (row) => row.asset,
    columns: [
      [t("Asset"), (row) => row.asset], [t("Held"), (row) => amount(row.held), true], [t("Price"), (row) => money(row.price), true],
      [t("Value"), (row) => money(row.value), true], [t("Average cost"), (row) => money(row.average), true], [t("Profit"), (row) => money(row.profit), true],
    ],
  });
  let fills = [];
  let prices = new Map();
  const draw = () => {
    const quote = choice.value;
    const found = portfolioOf({ balances: balances(), fills, markets: markets(), prices, quote });
    table.show(found.rows);
    const values = { value: `${money(found.value)} ${quote}`, profit: `${money(found.profit)} ${quote}`, realised: `${money(found.realised)} ${quote}` };
    setText(sums, t("Worth {value}; profit of what is held {profit}, of what was sold {realised}.", values));
  };
  return section(t("Portfolio"), [make("label", { class: "entry" }, [make("span", {}, [t("Counted in")]), choice]), sums, table.element, hint], async () => {
    prices = new Map((await request("GET", "/api/v3/ticker/price")).map(({ symbol, price }) => [symbol, price]));
    try {
      fills = fillsOf(await (await account.file(`/v1/reports/fills?from=0&to=${Date.now() + 86_400_000}`)).text());
      setText(hint, t("At last prices. The cost is the average of your purchases in this asset, with fees; deposits have none."));
    } catch (error) {
      if (error.kind !== "too-many-rows") throw error;
      setText(hint, t("At last prices. You have more fills than one report holds, so costs are not known."));
    }
    draw();
  });
}
