// Money in and out: play money, withdrawals, the address book, and what became of each.

import { make } from "./dom.js";
import { grouped, trimmed, typed } from "./decimal.js";
import { day, form, section, Table } from "./roomparts.js";

const STATUSES = { RESERVED: "on its way", SETTLED: "paid", RELEASED: "given back", CREDITED: "credited" };
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
    caption, empty: "None yet.", key: (row) => String(row[idName]),
    columns: [
      ["Time", (row) => day(row.time)], ["Asset", (row) => row.asset], ["Amount", (row) => grouped(trimmed(row.amount)), true],
      ...more, ["Status", (row) => STATUSES[row.status] ?? row.status],
    ],
    action,
  });
}

function depositSection({ account, assets }) {
  const table = transferTable("Deposits", "depositId", []);
  const show = async () => table.show(await newest(account, "/v1/deposits", "deposits", "depositId"));
  return section("Deposits", [form({
    fields: [
      { name: "asset", label: "Asset", options: () => assets().map((asset) => [asset, asset]) },
      { name: "amount", label: "Amount", inputmode: "decimal" },
    ],
    submit: "Take play money",
    async work({ asset, amount }) {
      await account.deposit(asset, typed(amount));
      await show();
      return `${grouped(typed(amount))} ${asset} credited.`;
    },
  }), table.element], show);
}

function withdrawalSection({ account, assets }, book) {
  const table = transferTable("Withdrawals", "withdrawalId", [["To", (row) => row.address]], {
    label: "Take back", describe: (row) => `Take back the withdrawal of ${trimmed(row.amount)} ${row.asset}`,
    run: async (row) => {
      await account.ask("DELETE", `/v1/withdrawals/${row.withdrawalId}`);
      await show();
    },
    isFor: (row) => row.status === "RESERVED",
  });
  const show = async () => table.show(await newest(account, "/v1/withdrawals", "withdrawals", "withdrawalId"));
  const entry = form({
    fields: [
      { name: "asset", label: "Asset", options: () => assets().map((asset) => [asset, asset]) },
      { name: "amount", label: "Amount", inputmode: "decimal" },
      { name: "listed", label: "To an address of your book", isOptional: true, options: () => [["", "–"], ...book.usable()] },
      { name: "address", label: "or to another one, where the exchange allows it", isOptional: true },
      { name: "totp", label: "Code, where you have a second factor", isOptional: true, autocomplete: "one-time-code", inputmode: "numeric" },
    ],
    submit: "Withdraw",
    async work({ listed, address, amount, ...values }) {
      const to = listed ?? address;
      if (!to) throw new Error("Choose or enter an address.");
      await account.ask("POST", "/v1/withdrawals", { ...values, amount: typed(amount), address: to });
      await show();
      return "On its way. Until it is paid you can take it back below.";
    },
  });
  book.onChange = () => entry.refill();
  return section("Withdrawals", [entry, table.element], show);
}

function addressSection({ account, assets }, book) {
  const table = new Table({
    caption: "Address book", empty: "No addresses yet.", key: (row) => String(row.addressId),
    columns: [
      ["Name", (row) => row.label], ["Asset", (row) => row.asset], ["Address", (row) => row.address],
      ["Usable", (row) => (row.usableAt <= Date.now() ? "now" : `from ${day(row.usableAt)}`)],
    ],
    action: {
      label: "Remove", describe: (row) => `Remove ${row.label} from the address book`,
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
  return section("Address book", [
    make("p", { class: "hint" }, ["A new address can be used after its delay only: time for you to notice one that you did not add."]),
    table.element, form({
      fields: [
        { name: "label", label: "Name" }, { name: "asset", label: "Asset", options: () => assets().map((asset) => [asset, asset]) },
        { name: "address", label: "Address" },
        { name: "totp", label: "Code, where you have a second factor", isOptional: true, autocomplete: "one-time-code", inputmode: "numeric" },
      ],
      submit: "Add",
      async work(values) {
        const { usableAt } = await account.ask("POST", "/v1/withdrawal-addresses", values);
        await show();
        return `Added; usable from ${day(usableAt)}.`;
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
