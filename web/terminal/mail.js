// The link of a mail, /terminal/#mail=…: a dialog whose button says yes to mail. Looking at the page does nothing.

import { make, setText } from "./dom.js";
import { request } from "./http.js";
import { t } from "./lang.js";
import "./langmore.js";

const LINK = /^#mail=([A-Za-z0-9_-]{43})$/;

/** Opens the dialog when the page was opened by such a link, and takes the token out of the address. */
export function offerMail() {
  const token = LINK.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  const answer = make("p", { class: "answer", role: "alert" });
  const yes = make("button", { type: "button", class: "accent", id: "mail-yes", click: async () => {
    yes.disabled = true;
    try {
      await request("POST", "/v1/notices/mail/confirmations", { body: { token } });
      yes.hidden = true;
      setText(answer, t("Mail comes from now on. Your account page says about what."));
    } catch (error) {
      yes.disabled = false;
      setText(answer, error.message);
    }
  } }, [t("Yes, send me mail")]);
  const dialog = make("dialog", { id: "mail", "aria-labelledby": "mail-title" }, [
    make("h2", { id: "mail-title" }, [t("Mail about your account")]),
    make("p", {}, [t("Do you want mail about deposits, withdrawals, log-ins and new API keys of your account?")]),
    answer,
    make("div", { class: "buttons" }, [make("button", { type: "button", class: "quiet", click: () => dialog.close() }, [t("Close")]), yes]),
  ]);
  document.body.append(dialog);
  dialog.showModal();
}
