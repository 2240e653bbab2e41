// What the account's owner is told, and by which ways: a part of the account's page.

import { make, setText } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";
import { askPermission, keepChoice, permission } from "./outside.js";
import { button, day, form, section } from "./roomparts.js";

const TOPICS = {
  FILLS: t("Fills"), DEPOSITS: t("Deposits"), WITHDRAWALS: t("Withdrawals"), LOGINS: t("Log-ins"), KEYS: t("New API keys"),
};
const WAYS = [["mail", t("Mail")], ["webhook", t("Webhook")], ["browser", t("Browser")]];

/** A table of boxes; each change is kept at once. */
function choicesOf(account, choices, answer) {
  const rows = choices.map((choice) => make("tr", {}, [
    make("th", { scope: "row" }, [TOPICS[choice.topic] ?? choice.topic]),
    ...WAYS.map(([way, label]) => make("td", {}, [make("input", {
      type: "checkbox", "aria-label": `${TOPICS[choice.topic]}: ${label}`, checked: choice[way], change: async ({ target }) => {
        const wanted = { ...choice, [way]: target.checked };
        target.disabled = true;
        try {
          await account.ask("PUT", "/v1/notices/choices", { choices: [wanted] });
          choice[way] = target.checked;
          if (choice.topic === "FILLS" && way === "browser") keepChoice(target.checked);
          setText(answer, t("Kept."));
        } catch (error) {
          target.checked = choice[way];
          setText(answer, error.message);
        }
        target.disabled = false;
      },
    })])),
  ]));
  const heads = WAYS.map(([, label]) => make("th", { scope: "col" }, [label]));
  return make("table", { class: "choices-of" }, [
    make("caption", { class: "unseen" }, [t("What you are told, and by which ways")]),
    make("thead", {}, [make("tr", {}, [make("td"), ...heads])]), make("tbody", {}, rows),
  ]);
}

function mailParts(account, { address, confirmedAt }, show) {
  if (confirmedAt !== null) {
    return [make("p", {}, [t("Mail goes to {address}, which said yes {time}.", { address, time: day(confirmedAt) })]), button(t("No mail any more"), async () => {
      await account.ask("DELETE", "/v1/notices/mail");
      await show();
    })];
  }
  const sent = make("p", { class: "hint", role: "status" });
  return [make("p", {}, [t("No mail comes yet: {address} has to say yes by a link first.", { address })]), button(t("Send the link"), async () => {
    await account.ask("POST", "/v1/notices/mail");
    setText(sent, t("Sent. The link is good for a day."));
  }), sent];
}

function webhookParts(account, webhook, show, made) {
  const parts = [];
  if (webhook !== null) {
    const last = webhook.lastResult === null ? t("Nothing was sent yet.") : t("Last: {result}, {time}.", { result: webhook.lastResult, time: day(webhook.lastAt) });
    parts.push(make("p", {}, [make("code", {}, [webhook.url]), ` ${last}`, webhook.isPaused ? ` ${t("Paused, because it did not answer. Set it anew.")}` : ""]));
    parts.push(button(t("Send a test"), async () => {
      await account.ask("POST", "/v1/notices/webhook/tests");
      // What came of it is known when the answer is there.
      setTimeout(() => show().catch(() => {}), 3000);
    }), button(t("Remove the webhook"), async () => {
      await account.ask("DELETE", "/v1/notices/webhook");
      made.replaceChildren();
      await show();
    }));
  }
  parts.push(form({
    fields: [
      { name: "url", label: t("Address of your program (https)"), type: "url" },
      { name: "totp", label: t("Code, where you have a second factor"), isOptional: true, autocomplete: "one-time-code" },
    ],
    submit: t("Set the webhook"),
    async work(values) {
      const { secret } = await account.ask("PUT", "/v1/notices/webhook", values);
      made.replaceChildren(make("p", {}, [t("The key that signs each request. It is shown this once."), " ", make("code", { class: "copied" }, [secret])]));
      await show();
      return t("Set.");
    },
  }));
  return parts;
}

/** Whether this browser shows notices while nobody looks at the page. */
function browserParts() {
  const words = {
    granted: t("This browser shows your fills while you look elsewhere."), none: t("This browser cannot show notices."),
    denied: t("This browser was told not to show notices; its settings say so."), default: t("This browser was not asked yet."),
  };
  const line = make("p", { role: "status" }, [words[permission()]]);
  if (permission() !== "default") return [line];
  return [line, button(t("Let this browser show notices"), async () => setText(line, words[await askPermission()]))];
}

/** @param {import("./account.js").Account} account */
export function noticeSection(account) {
  const box = make("div");
  const made = make("div", { "aria-live": "polite" });
  const answer = make("p", { class: "hint", role: "status" });
  const show = async () => {
    const { choices, mail, webhook } = await account.ask("GET", "/v1/notices");
    keepChoice(choices.find(({ topic }) => topic === "FILLS")?.browser ?? true);
    box.replaceChildren(choicesOf(account, choices, answer), answer, ...mailParts(account, mail, show), ...browserParts(), ...webhookParts(account, webhook, show, made));
  };
  return section(t("Notices"), [
    make("p", { class: "hint" }, [t("What guards your account (freezes, passwords, addresses, changes of this) is always told, by every way there is.")]),
    box, made,
  ], show);
}
