// The account's own page: what protects it, what opens it, money in and out, and its papers. Loaded when it is asked
// for, so that a first visit does not pay for it.

import { byId, make, toast } from "./dom.js";
import { fundingSections } from "./roomfunding.js";
import { paperSections } from "./roompapers.js";
import { button, day, form, section, Table } from "./roomparts.js";
import { strength } from "./passwords.js";

const ACTS = {
  "sign-up": "Account opened", "log-in": "Logged in", "log-in-failed": "Log-in refused: wrong password",
  "log-out": "Logged out", "session-ended": "A session was ended", "sessions-ended": "Other sessions were ended",
  "key-made": "API key made", "session-key-made": "Terminal's key made", "key-revoked": "API key revoked",
  "address-added": "Withdrawal address added", "address-removed": "Withdrawal address removed",
  "password-changed": "Password changed", "password-failed": "Wrong password", "password-reset": "Password set by a link",
  "password-reset-asked": "A link for a new password was asked for", "second-factor-on": "Second factor switched on",
  "second-factor-off": "Second factor switched off", "second-factor-failed": "Wrong code",
  "withdrawals-frozen": "Withdrawals frozen", "withdrawals-unfreeze-asked": "End of the freeze asked for",
  "withdrawals-unfrozen": "Freeze ended by the exchange", "withdrawals-unfreeze-failed": "Wrong password at a freeze",
};
const actWord = (act) => ACTS[act] ?? act.replaceAll("-", " ");

function passwordSection(account) {
  return section("Password", [form({
    fields: [
      { name: "currentPassword", label: "Password now", type: "password", autocomplete: "current-password" },
      { name: "newPassword", label: "New password", type: "password", autocomplete: "new-password" },
      { name: "totp", label: "Code, where you have a second factor", isOptional: true, autocomplete: "one-time-code" },
    ],
    submit: "Change the password",
    async work(values) {
      const { problem } = strength(values.newPassword);
      if (problem) throw new Error(`New password: ${problem}`);
      await account.ask("PUT", "/v1/password", values);
      return "Changed. All other sessions were ended, with their keys.";
    },
  })]);
}

function factorSection(account) {
  const box = make("div");
  const show = async () => {
    const { isOn } = await account.ask("GET", "/v1/second-factor");
    box.replaceChildren(...(isOn ? factorOn(account, show) : factorOff(account, box, show)));
  };
  return section("Second factor", [
    make("p", { class: "hint" }, ["Six digits of an authenticator on your phone. Once it is on, log-ins, API keys, withdrawals and new addresses need them."]),
    box,
  ], show);
}

function factorOn(account, show) {
  return [make("p", {}, ["It is on."]), form({
    fields: [
      { name: "password", label: "Password", type: "password", autocomplete: "current-password" },
      { name: "totp", label: "Code", autocomplete: "one-time-code", inputmode: "numeric" },
    ],
    submit: "Switch it off",
    async work(values) {
      await account.ask("POST", "/v1/second-factor/removals", values);
      await show();
      return "Off.";
    },
  })];
}

function factorOff(account, box, show) {
  return [make("p", {}, ["It is off."]), button("Set it up", async () => {
    const { secret, uri } = await account.ask("POST", "/v1/second-factor");
    box.replaceChildren(
      make("p", {}, ["Add this key to your authenticator, by hand or by the link. It is shown this once."]),
      make("p", {}, [make("code", { class: "copied" }, [secret])]),
      make("p", {}, [make("a", { href: uri }, ["Open in an authenticator on this device"])]),
      form({
        fields: [{ name: "totp", label: "The code that it shows", autocomplete: "one-time-code", inputmode: "numeric" }],
        submit: "Switch it on",
        async work(values) {
          await account.ask("POST", "/v1/second-factor/confirmations", values);
          await show();
          return "On.";
        },
      }),
    );
  })];
}

function freezeSection(account) {
  const box = make("div");
  const show = async () => {
    const { withdrawalFreezes } = await account.ask("GET", "/v1/withdrawal-freezes");
    const lines = withdrawalFreezes.map(({ source, frozenAt, endsAt }) => make("p", {}, [
      `Frozen by ${source === "OWNER" ? "you" : "the exchange"} since ${day(frozenAt)}${endsAt ? `, until ${day(endsAt)}` : ""}.`,
    ]));
    const isMine = withdrawalFreezes.some(({ source, endsAt }) => source === "OWNER" && endsAt === null);
    box.replaceChildren(...(lines.length > 0 ? lines : [make("p", {}, ["Withdrawals are free."])]), isMine ? form({
      fields: [
        { name: "password", label: "Password", type: "password", autocomplete: "current-password" },
        { name: "totp", label: "Code, where you have a second factor", isOptional: true, autocomplete: "one-time-code" },
      ],
      submit: "End the freeze",
      async work(values) {
        const { endsAt } = await account.ask("POST", "/v1/withdrawal-unfreezes", values);
        await show();
        return `It ends ${day(endsAt)}.`;
      },
    }) : button("Freeze withdrawals", async () => {
      await account.ask("POST", "/v1/withdrawal-freezes/own");
      await show();
    }));
  };
  return section("Freeze", [
    make("p", { class: "hint" }, ["Nothing leaves your account while it is frozen; trading goes on. Your password ends a freeze, a day later."]),
    box,
  ], show);
}

function keySection(account) {
  const made = make("div", { "aria-live": "polite" });
  const table = new Table({
    caption: "API keys", empty: "No keys.", key: (row) => row.apiKey,
    columns: [
      ["Name", (row) => row.label], ["Key", (row) => `${row.apiKey.slice(0, 8)}…`], ["May", (row) => row.permissions.join(", ").toLowerCase()],
      ["From", (row) => row.ipAllowList.join(", ") || "anywhere"], ["Made", (row) => day(row.createdAt)],
      ["Last used", (row) => (row.lastUsedAt ? day(row.lastUsedAt) : "never")],
      ["Ends", (row) => (row.sessionId ? "with its session" : "when revoked")],
    ],
    action: {
      label: "Revoke", describe: (row) => `Revoke the key ${row.label}`,
      run: async (row) => {
        await account.ask("DELETE", `/v1/api-keys/${row.apiKey}`);
        await show();
      },
    },
  });
  const show = async () => table.show((await account.ask("GET", "/v1/api-keys")).apiKeys);
  return section("API keys", [table.element, made, form({
    fields: [
      { name: "label", label: "Name" },
      { name: "permissions", label: "What it may do", choices: [["READ", "Read"], ["TRADE", "Trade"], ["WITHDRAW", "Withdraw"]] },
      { name: "ipAllowList", label: "From these addresses or networks alone, divided by spaces", isOptional: true },
      { name: "publicKey", label: "Your own Ed25519 public key (PEM), in place of a secret", isOptional: true, isLong: true },
      { name: "totp", label: "Code, where you have a second factor", isOptional: true, autocomplete: "one-time-code" },
    ],
    submit: "Make a key",
    async work({ ipAllowList, ...values }) {
      const body = { ...values, ipAllowList: (ipAllowList ?? "").split(/[\s,;]+/).filter(Boolean) };
      const { apiKey, secretKey } = await account.ask("POST", "/v1/api-keys", body);
      made.replaceChildren(make("dl", { class: "made" }, [
        make("dt", {}, ["Key"]), make("dd", {}, [make("code", { class: "copied" }, [apiKey])]),
        ...(secretKey ? [make("dt", {}, ["Secret"]), make("dd", {}, [make("code", { class: "copied" }, [secretKey])])] : []),
      ]));
      await show();
      return secretKey ? "Made. Copy the secret now: it is shown this once." : "Made.";
    },
  })], show);
}

function sessionSection(account) {
  const table = new Table({
    caption: "Sessions", empty: "No sessions.", key: (row) => String(row.sessionId),
    columns: [
      ["Since", (row) => day(row.begunAt)], ["From", (row) => row.ip], ["With", (row) => row.agent || "?"],
      ["Which", (row) => (row.isCurrent ? "this one" : "another")],
    ],
    action: {
      label: "End", describe: (row) => `End the session of ${row.ip} since ${day(row.begunAt)}`,
      run: async (row) => {
        await account.ask("DELETE", `/v1/sessions/${row.sessionId}`);
        if (!row.isCurrent) await show();
      },
    },
  });
  const show = async () => table.show((await account.ask("GET", "/v1/sessions")).sessions);
  return section("Sessions", [table.element, button("End all others", async () => {
    const { ended } = await account.ask("DELETE", "/v1/sessions");
    toast(ended === 1 ? "1 session ended." : `${ended} sessions ended.`, "good");
    await show();
  })], show);
}

function eventSection(account) {
  const table = new Table({
    caption: "What happened", empty: "Nothing yet.", key: (row) => String(row.eventId),
    columns: [["Time", (row) => day(row.time)], ["What", (row) => actWord(row.act)], ["From", (row) => row.ip]],
  });
  let rows = [];
  const more = button("Older", async () => {
    const before = rows.length > 0 ? `?beforeId=${rows.at(-1).eventId}` : "";
    const { events } = await account.ask("GET", `/v1/security-events${before}`);
    rows = [...rows, ...events];
    more.hidden = events.length === 0;
    table.show(rows);
  });
  return section("What happened", [table.element, more], async () => {
    rows = (await account.ask("GET", "/v1/security-events")).events;
    table.show(rows);
  });
}

/**
 * Show the page of this account in the place of the market.
 * @param {{account: import("./account.js").Account, assets: () => string[],
 *   onClose: () => void}} needs
 */
export function openRoom(needs) {
  const { account } = needs;
  const sections = [
    ...fundingSections(needs), ...paperSections(needs), keySection(account), sessionSection(account), factorSection(account),
    passwordSection(account), freezeSection(account), eventSection(account),
  ];
  const links = sections.map(({ element, title }) => button(title, () => {
    element.scrollIntoView();
    element.querySelector("h3").focus();
  }));
  const title = make("h2", { tabindex: "-1" }, [`Account of ${account.email}`]);
  byId("room").replaceChildren(
    make("div", { class: "roomhead" }, [title, button("Back to the market", needs.onClose)]),
    make("nav", { "aria-label": "Parts of the account page" }, links),
    ...sections.map(({ element }) => element),
  );
  title.focus();
  for (const { load } of sections) load();
}
