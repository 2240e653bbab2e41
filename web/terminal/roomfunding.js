// Money in and out: play money, withdrawals, the address book, and what became of each.

import { make } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";
import { grouped, trimmed, typed } from "./decimal.js";
import { day, form, section, Table } from "./roomparts.js";

const STATUSES = { RESERVED: t("on its way"), SETTLED: t("paid"), RELEASED: t("given back"), CREDITED: t("credited") };
const PAGE = 500;
const PAGES_MAX = 20;

/** The newest rows of a list whose pages ascend by id; of very long ones the oldest 10,000. */
async function newest(account, path, name, idName) {
  let rows = [];
  let fromId = 0;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const found = (await account.ask("GET", `${path}?fromId=${fromId}&limit=${PAGE}`))[name];
    rows = [...rows, ...found].slice(-PAGE);
    if (found.length < PAGE) break;
    fromId = found.at(-1)[idName] + 1;
  }
  return rows.reverse();
}

function transferTable(caption, idName, more, action) {
  return new Table({
    caption, empty: t("None yet."), key: (row) => String(row[idName]),
    columns: [
      [t("Time"), (row) => day(row.time)], [t("Asset"), (row) => row.asset], [t("Amount"), (row) => grouped(trimmed(row.amount)), true],
      ...more, [t("Status"), (row) => STATUSES[row.status] ?? row.status],
    ],
    action,
  });
}

function depositSection({ account, assets }) {
  const table = transferTable(t("Deposits"), "depositId", []);
  const show = async () => table.show(await newest(account, "/v1/deposits", "deposits", "depositId"));
  return section(t("Deposits"), [form({
    fields: [
      { name: "asset", label: t("Asset"), options: () => assets().map((asset) => [asset, asset]) },
      { name: "amount", label: t("Amount"), inputmode: "decimal" },
    ],
    submit: t("Take play money"),
    async work({ asset, amount }) {
      await account.deposit(asset, typed(amount));
      await show();
      return t("{amount} credited.", { amount: `${grouped(typed(amount))} ${asset}` });
    },
  }), table.element], show);
}

function withdrawalSection({ account, assets }, book) {
  const table = transferTable(t("Withdrawals"), "withdrawalId", [[t("To"), (row) => row.address]], {
    label: t("Take back"), describe: (row) => t("Take back the withdrawal of {amount}", { amount: `${grouped(trimmed(row.amount))} ${row.asset}` }),
    run: async (row) => {
      await account.ask("DELETE", `/v1/withdrawals/${row.withdrawalId}`);
      await show();
    },
    isFor: (row) => row.status === "RESERVED",
  });
  const show = async () => table.show(await newest(account, "/v1/withdrawals", "withdrawals", "withdrawalId"));
  const entry = form({
    fields: [
      { name: "asset", label: t("Asset"), options: () => assets().map((asset) => [asset, asset]) },
      { name: "amount", label: t("Amount"), inputmode: "decimal" },
      { name: "listed", label: t("To an address of your book"), isOptional: true, options: () => [["", "–"], ...book.usable()] },
      { name: "address", label: t("or to another one, where the exchange allows it"), isOptional: true },
      { name: "totp", label: t("Code, where you have a second factor"), isOptional: true, autocomplete: "one-time-code", inputmode: "numeric" },
    ],
    submit: t("Withdraw"),
    async work({ listed, address, amount, ...values }) {
      const to = listed ?? address;
      if (!to) throw new Error(t("Choose or enter an address."));
      await account.ask("POST", "/v1/withdrawals", { ...values, amount: typed(amount), address: to });
      await show();
      return t("On its way. Until it is paid you can take it back below.");
    },
  });
  book.onChange = () => entry.refill();
  return section(t("Withdrawals"), [entry, table.element], show);
}

function addressSection({ account, assets }, book) {
  const table = new Table({
    caption: t("Address book"), empty: t("No addresses yet."), key: (row) => String(row.addressId),
    columns: [
      [t("Name"), (row) => row.label], [t("Asset"), (row) => row.asset], [t("Address"), (row) => row.address],
      [t("Usable"), (row) => (row.usableAt <= Date.now() ? t("now") : t("from {time}", { time: day(row.usableAt) }))],
    ],
    action: {
      label: t("Remove"), describe: (row) => t("Remove {name} from the address book", { name: row.label }),
      run: async (row) => {
        await account.ask("DELETE", `/v1/withdrawal-addresses/${row.addressId}`);
        await show();
      },
    },
  });
  const show = async () => {
    book.rows = (await account.ask("GET", "/v1/withdrawal-addresses")).withdrawalAddresses;
    table.show(book.rows);
    book.onChange();
  };
  return section(t("Address book"), [
    make("p", { class: "hint" }, [t("A new address can be used after its delay only: time for you to notice one that you did not add.")]),
    table.element, form({
      fields: [
        { name: "label", label: t("Name") }, { name: "asset", label: t("Asset"), options: () => assets().map((asset) => [asset, asset]) },
        { name: "address", label: t("Address") },
        { name: "totp", label: t("Code, where you have a second factor"), isOptional: true, autocomplete: "one-time-code", inputmode: "numeric" },
      ],
      submit: t("Add"),
      async work(values) {
        const { usableAt } = await account.ask("POST", "/v1/withdrawal-addresses", values);
        await show();
        return t("Added; usable from {time}.", { time: day(usableAt) });
      },
    }),
  ], show);
}

/** @returns {object[]} the sections about money */
export function fundingSections(needs) {
  const book = {
    rows: [], onChange: () => {},
    usable: () => book.rows.filter((row) => row.usableAt <= Date.now()).map((row) => [row.address, `${row.label} (${row.asset})`]),
  };
  return [depositSection(needs), withdrawalSection(needs, book), addressSection(needs, book)];
}
