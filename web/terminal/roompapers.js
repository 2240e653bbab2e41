// The account's papers: orders, fills and ledger of a time as files, and the statement of a month.

import { make } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";
import { form, section } from "./roomparts.js";

const KINDS = [["orders", t("Orders")], ["fills", t("Fills")], ["ledger", t("Ledger")]];
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
      { name: "kind", label: t("What"), options: () => KINDS },
      { name: "from", label: t("From (UTC)"), type: "date", value: today(30) },
      { name: "to", label: t("To, with this day (UTC)"), type: "date", value: today() },
    ],
    submit: t("Download CSV"),
    async work({ kind, from, to }) {
      const query = `from=${Date.parse(from)}&to=${Date.parse(to) + DAY_MS}`;
      save(await account.file(`/v1/reports/${kind}?${query}`), `${kind}-${from}-${to}.csv`);
      return t("All markets are in the file.");
    },
  });
  const statement = form({
    fields: [
      { name: "month", label: t("Month (UTC)"), type: "month", value: today().slice(0, 7) },
      { name: "format", label: t("As"), options: () => [["pdf", "PDF"], ["csv", "CSV"]] },
    ],
    submit: t("Download the statement"),
    async work({ month, format }) {
      save(await account.file(`/v1/statements/${month}?format=${format}`), `statement-${month}.${format}`);
      return t("Each asset's end is its beginning and the sum of the lines between.");
    },
  });
  return [section(t("Reports"), [reports]), section(t("Monthly statement"), [statement])];
}
