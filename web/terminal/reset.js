// The link of a mail, /#reset=…: a dialog for a new password.

import { byId, setText } from "./dom.js";
import { request } from "./http.js";
import { t } from "./lang.js";
import { strength } from "./passwords.js";

const LINK = /^#reset=([A-Za-z0-9_-]{43})$/;

/** Opens the dialog when the page was opened by such a link, and takes the token out of the address. */
export function offerReset() {
  const token = LINK.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  const dialog = byId("reset");
  byId("reset-form").querySelector("[data-close]").addEventListener("click", () => dialog.close());
  byId("reset-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = byId("reset-submit");
    if (button.disabled) return;
    button.disabled = true;
    setText(byId("reset-answer"), "");
    try {
      const newPassword = byId("reset-password").value;
      const { problem } = strength(newPassword);
      if (problem) throw new Error(problem);
      const totp = byId("reset-totp").value.trim() || undefined;
      await request("POST", "/v1/password-resets/confirmations", { body: { token, newPassword, totp } });
      button.hidden = true;
      setText(byId("reset-answer"), t("Your new password is set. All sessions were ended; log in anew. Withdrawals wait for a day."));
    } catch (error) {
      if (error.kind?.startsWith("second-factor")) byId("reset-totp-field").hidden = false;
      setText(byId("reset-answer"), error.message);
      button.disabled = false;
    }
  });
  dialog.showModal();
}
