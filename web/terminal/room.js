// The account's own page: what protects it, what opens it, money in and out, and its papers. Loaded when it is asked
// for, so that a first visit does not pay for it.

import { byId, make, toast } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";
import { fundingSections } from "./roomfunding.js";
import { noticeSection } from "./roomnotices.js";
import { paperSections } from "./roompapers.js";
import { portfolioSection } from "./roomportfolio.js";
import { button, day, form, section, Table } from "./roomparts.js";
import { strength } from "./passwords.js";

const ACTS = {
  "sign-up": t("Account opened"), "log-in": t("Logged in"), "log-in-failed": t("Log-in refused: wrong password"),
  "log-out": t("Logged out"), "session-ended": t("A session was ended"), "sessions-ended": t("Other sessions were ended"),
  "key-made": t("API key made"), "session-key-made": t("Terminal's key made"), "key-revoked": t("API key revoked"),
  "address-added": t("Withdrawal address added"), "address-removed": t("Withdrawal address removed"),
  "password-changed": t("Password changed"), "password-failed": t("Wrong password"), "password-reset": t("Password set by a link"),
  "password-reset-asked": t("A link for a new password was asked for"), "second-factor-on": t("Second factor switched on"),
  "second-factor-off": t("Second factor switched off"), "second-factor-failed": t("Wrong code"),
  "withdrawals-frozen": t("Withdrawals frozen"), "withdrawals-unfreeze-asked": t("End of the freeze asked for"),
  "notices-changed": t("Notices chosen anew"), "webhook-set": t("Webhook set"), "webhook-removed": t("Webhook removed"),
  "notice-mail-asked": t("A link for mail was asked for"), "notice-mail-confirmed": t("Mail said yes to"), "notice-mail-ended": t("Mail ended"),
  "withdrawals-unfrozen": t("Freeze ended by the exchange"), "withdrawals-unfreeze-failed": t("Wrong password at a freeze"),
};
const MAY = { READ: t("Read"), TRADE: t("Trade"), WITHDRAW: t("Withdraw") };
const actWord = (act) => ACTS[act] ?? act.replaceAll("-", " ");

function passwordSection(account) {
  return section(t("Password"), [form({
    fields: [
      { name: "currentPassword", label: t("Password now"), type: "password", autocomplete: "current-password" },
      { name: "newPassword", label: t("New password"), type: "password", autocomplete: "new-password" },
      { name: "totp", label: t("Code, where you have a second factor"), isOptional: true, autocomplete: "one-time-code" },
    ],
    submit: t("Change the password"),
    async work(values) {
      const { problem } = strength(values.newPassword);
      if (problem) throw new Error(t("New password: {problem}", { problem }));
      await account.ask("PUT", "/v1/password", values);
      return t("Changed. All other sessions were ended, with their keys.");
    },
  })]);
}

function factorSection(account) {
  const box = make("div");
  const show = async () => {
    const { isOn } = await account.ask("GET", "/v1/second-factor");
    box.replaceChildren(...(isOn ? factorOn(account, show) : factorOff(account, box, show)));
  };
  return section(t("Second factor"), [
    make("p", { class: "hint" }, [t("Six digits of an authenticator on your phone. Once it is on, log-ins, API keys, withdrawals and new addresses need them.")]),
    box,
  ], show);
}

function factorOn(account, show) {
  return [make("p", {}, [t("It is on.")]), form({
    fields: [
      { name: "password", label: t("Password"), type: "password", autocomplete: "current-password" },
      { name: "totp", label: t("Code"), autocomplete: "one-time-code", inputmode: "numeric" },
    ],
    submit: t("Switch it off"),
    async work(values) {
      await account.ask("POST", "/v1/second-factor/removals", values);
      await show();
      return t("Off.");
    },
  })];
}

function factorOff(account, box, show) {
  return [make("p", {}, [t("It is off.")]), button(t("Set it up"), async () => {
    const { secret, uri } = await account.ask("POST", "/v1/second-factor");
    box.replaceChildren(
      make("p", {}, [t("Add this key to your authenticator, by hand or by the link. It is shown this once.")]),
      make("p", {}, [make("code", { class: "copied" }, [secret])]),
      make("p", {}, [make("a", { href: uri }, [t("Open in an authenticator on this device")])]),
      form({
        fields: [{ name: "totp", label: t("The code that it shows"), autocomplete: "one-time-code", inputmode: "numeric" }],
        submit: t("Switch it on"),
        async work(values) {
          await account.ask("POST", "/v1/second-factor/confirmations", values);
          await show();
          return t("On.");
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
      source === "OWNER" ? t("Frozen by you since {time}.", { time: day(frozenAt) }) : t("Frozen by the exchange since {time}.", { time: day(frozenAt) }),
      endsAt ? ` ${t("It ends {time}.", { time: day(endsAt) })}` : "",
    ]));
    const isMine = withdrawalFreezes.some(({ source, endsAt }) => source === "OWNER" && endsAt === null);
    box.replaceChildren(...(lines.length > 0 ? lines : [make("p", {}, [t("Withdrawals are free.")])]), isMine ? form({
      fields: [
        { name: "password", label: t("Password"), type: "password", autocomplete: "current-password" },
        { name: "totp", label: t("Code, where you have a second factor"), isOptional: true, autocomplete: "one-time-code" },
      ],
      submit: t("End the freeze"),
      async work(values) {
        const { endsAt } = await account.ask("POST", "/v1/withdrawal-unfreezes", values);
        await show();
        return t("It ends {time}.", { time: day(endsAt) });
      },
    }) : button(t("Freeze withdrawals"), async () => {
      await account.ask("POST", "/v1/withdrawal-freezes/own");
      await show();
    }));
  };
  return section(t("Freeze"), [
    make("p", { class: "hint" }, [t("Nothing leaves your account while it is frozen; trading goes on. Your password ends a freeze, a day later.")]),
    box,
  ], show);
}

function keySection(account) {
  const made = make("div", { "aria-live": "polite" });
  const table = new Table({
    caption: t("API keys"), empty: t("No keys."), key: (row) => row.apiKey,
    columns: [
      [t("Name"), (row) => row.label], [t("Key"), (row) => `${row.apiKey.slice(0, 8)}…`], [t("May"), (row) => row.permissions.map((one) => MAY[one] ?? one).join(", ")],
      [t("From"), (row) => row.ipAllowList.join(", ") || t("anywhere")], [t("Made"), (row) => day(row.createdAt)],
      [t("Last used"), (row) => (row.lastUsedAt ? day(row.lastUsedAt) : t("never"))],
      [t("Ends"), (row) => (row.sessionId ? t("with its session") : t("when revoked"))],
    ],
    action: {
      label: t("Revoke"), describe: (row) => t("Revoke the key {name}", { name: row.label }),
      run: async (row) => {
        await account.ask("DELETE", `/v1/api-keys/${row.apiKey}`);
        await show();
      },
    },
  });
  const show = async () => table.show((await account.ask("GET", "/v1/api-keys")).apiKeys);
  return section(t("API keys"), [table.element, made, form({
    fields: [
      { name: "label", label: t("Name") },
      { name: "permissions", label: t("What it may do"), choices: Object.entries(MAY) },
      { name: "ipAllowList", label: t("From these addresses or networks alone, divided by spaces"), isOptional: true },
      { name: "publicKey", label: t("Your own Ed25519 public key (PEM), in place of a secret"), isOptional: true, isLong: true },
      { name: "totp", label: t("Code, where you have a second factor"), isOptional: true, autocomplete: "one-time-code" },
    ],
    submit: t("Make a key"),
    async work({ ipAllowList, ...values }) {
      const body = { ...values, ipAllowList: (ipAllowList ?? "").split(/[\s,;]+/).filter(Boolean) };
      const { apiKey, secretKey } = await account.ask("POST", "/v1/api-keys", body);
      made.replaceChildren(make("dl", { class: "made" }, [
        make("dt", {}, [t("Key")]), make("dd", {}, [make("code", { class: "copied" }, [apiKey])]),
        ...(secretKey ? [make("dt", {}, [t("Secret")]), make("dd", {}, [make("code", { class: "copied" }, [secretKey])])] : []),
      ]));
      await show();
      return secretKey ? t("Made. Copy the secret now: it is shown this once.") : t("Made.");
    },
  })], show);
}

function sessionSection(account) {
  const table = new Table({
    caption: t("Sessions"), empty: t("No sessions."), key: (row) => String(row.sessionId),
    columns: [
      [t("Since"), (row) => day(row.begunAt)], [t("From"), (row) => row.ip], [t("With"), (row) => row.agent || "?"],
      [t("Which"), (row) => (row.isCurrent ? t("this one") : t("another"))],
    ],
    action: {
      label: t("End"), describe: (row) => t("End the session of {ip} since {time}", { ip: row.ip, time: day(row.begunAt) }),
      run: async (row) => {
        await account.ask("DELETE", `/v1/sessions/${row.sessionId}`);
        if (!row.isCurrent) await show();
      },
    },
  });
  const show = async () => table.show((await account.ask("GET", "/v1/sessions")).sessions);
  return section(t("Sessions"), [table.element, button(t("End all others"), async () => {
    const { ended } = await account.ask("DELETE", "/v1/sessions");
    toast(ended === 1 ? t("1 session was ended.") : t("{count} sessions were ended.", { count: ended }), "good");
    await show();
  })], show);
}

function eventSection(account) {
  const table = new Table({
    caption: t("What happened"), empty: t("Nothing yet."), key: (row) => String(row.eventId),
    columns: [[t("Time"), (row) => day(row.time)], [t("What"), (row) => actWord(row.act)], [t("From"), (row) => row.ip]],
  });
  let rows = [];
  const more = button(t("Older"), async () => {
    const before = rows.length > 0 ? `?beforeId=${rows.at(-1).eventId}` : "";
    const { events } = await account.ask("GET", `/v1/security-events${before}`);
    rows = [...rows, ...events];
    more.hidden = events.length === 0;
    table.show(rows);
  });
  return section(t("What happened"), [table.element, more], async () => {
    rows = (await account.ask("GET", "/v1/security-events")).events;
    table.show(rows);
  });
}

/**
 * Show the page of this account in the place of the market.
 * @param {{account: import("./account.js").Account, assets: () => string[], markets: () => import("./rules.js").Market[],
 *   balances: () => {asset: string, free: string, locked: string}[], onClose: () => void}} needs
 */
export function openRoom(needs) {
  // Its style comes with it.
  if (!document.querySelector('link[href="/terminal/room.css"]')) {
    document.head.append(make("link", { rel: "stylesheet", href: "/terminal/room.css" }));
  }
  const { account } = needs;
  const sections = [
    portfolioSection(needs), ...fundingSections(needs), ...paperSections(needs), keySection(account), sessionSection(account), factorSection(account),
    passwordSection(account), freezeSection(account), noticeSection(account), eventSection(account),
  ];
  const links = sections.map(({ element, title }) => button(title, () => {
    element.scrollIntoView();
    element.querySelector("h3").focus();
  }));
  const title = make("h2", { tabindex: "-1" }, [t("Account of {email}", { email: account.email })]);
  byId("room").replaceChildren(
    make("div", { class: "roomhead" }, [title, button(t("Back to the market"), needs.onClose)]),
    make("nav", { "aria-label": t("Parts of the account page") }, links),
    make("div", { class: "parts" }, sections.map(({ element }) => element)),
  );
  title.focus();
  for (const { load } of sections) load();
}
