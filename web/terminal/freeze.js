// The link of a notice, /#freeze=…: a dialog whose button freezes withdrawals. Looking at the page does nothing.

import { byId, setText } from "./dom.js";
import { request } from "./http.js";
import { t } from "./lang.js";

const LINK = /^#freeze=([A-Za-z0-9_-]{43})$/;

/** Opens the dialog when the page was opened by such a link, and takes the token out of the address. */
export function offerFreeze() {
  const token = LINK.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  const dialog = byId("freeze");
  const form = byId("freeze-form");
  form.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = byId("freeze-submit");
    if (button.disabled) return;
    button.disabled = true;
    setText(byId("freeze-answer"), "");
    try {
      await request("POST", "/v1/withdrawal-freezes", { body: { token } });
      button.hidden = true;
      setText(byId("freeze-answer"), t("Frozen: nothing leaves your account. To end it, log in with your password."));
    } catch (error) {
      button.disabled = false;
      setText(byId("freeze-answer"), error.message);
    }
  });
  dialog.showModal();
}
