// The account's papers: orders, fills and ledger of a time as files, and the statement of a month.

import { make } from "./dom.js";
import { form, section } from "./roomparts.js";

const KINDS = [["orders", "Orders"], ["fills", "Fills"], ["ledger", "Ledger"]];
const DAY_MS = 86_400_000;

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

const today = (back = 0) => new Date(Date.now() - back * DAY_MS).toISOString().slice(0, 10);

/** @returns {object[]} the sections about papers */
export function paperSections({ account }) {
  const reports = form({
    fields: [
      { name: "kind", label: "What", options: () => KINDS },
      { name: "from", label: "From (UTC)", type: "date", value: today(30) },
      { name: "to", label: "To, with this day (UTC)", type: "date", value: today() },
    ],
    submit: "Download CSV",
    async work({ kind, from, to }) {
      const query = `from=${Date.parse(from)}&to=${Date.parse(to) + DAY_MS}`;
      save(await account.file(`/v1/reports/${kind}?${query}`), `${kind}-${from}-${to}.csv`);
      return "All markets are in the file.";
    },
  });
  const statement = form({
    fields: [
      { name: "month", label: "Month (UTC)", type: "month", value: today().slice(0, 7) },
      { name: "format", label: "As", options: () => [["pdf", "PDF"], ["csv", "CSV"]] },
    ],
    submit: "Download the statement",
    async work({ month, format }) {
      save(await account.file(`/v1/statements/${month}?format=${format}`), `statement-${month}.${format}`);
      return "Each asset's end is its beginning and the sum of the lines between.";
    },
  });
  return [section("Reports", [reports]), section("Monthly statement", [statement])];
}
