// The two dialogs: signing up or logging in, and money from the faucet.

import { byId, make, setText } from "./dom.js";
import { grouped, typed } from "./decimal.js";
import { strength } from "./passwords.js";
import { request } from "./http.js";
import { t } from "./lang.js";

const SUGGESTED = { BTC: "0.1", ETH: "2", USDT: "10000" };

/** Runs `work` on submit, once at a time; what it throws is shown in the dialog, which closes otherwise. */
function onSubmit(dialogId, formId, problemId, work) {
  const form = byId(formId);
  const dialog = byId(dialogId);
  form.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    setText(byId(problemId), "");
    try {
      await work();
      dialog.close();
    } catch (error) {
      setText(byId(problemId), error.message);
    } finally {
      button.disabled = false;
    }
  });
}

/**
 * Set up the dialog for signing up and logging in.
 * @param {import("./account.js").Account} account
 * @param {() => void} onLoggedIn
 * @returns {(isNew: boolean) => void} opens it
 */
export function entrance(account, onLoggedIn) {
  let isNew = false;
  const show = (wantsNew) => {
    isNew = wantsNew;
    const word = isNew ? t("Sign up") : t("Log in");
    setText(byId("entrance-title"), word);
    setText(byId("entrance-submit"), word);
    setText(byId("entrance-other"), isNew ? t("Have an account? Log in") : t("No account yet? Sign up"));
    setText(byId("entrance-problem"), "");
    byId("entrance-forgot").hidden = isNew;
    byId("password-hint").hidden = byId("password-strength").hidden = !isNew;
    showCode(false);
    judge();
    byId("password").autocomplete = isNew ? "new-password" : "current-password";
  };
  const judge = () => {
    const { problem, word } = strength(byId("password").value);
    setText(byId("password-strength"), isNew ? problem || (word && t("Strength: {word}.", { word: t(word) })) : "");
    byId("password-strength").dataset.word = word;
  };
  const showCode = (isWanted) => {
    byId("totp-field").hidden = !isWanted;
    if (!isWanted) byId("totp").value = "";
  };
  byId("password").addEventListener("input", judge);
  byId("show-password").addEventListener("click", ({ target }) => {
    const isShown = byId("password").type === "text";
    byId("password").type = isShown ? "password" : "text";
    target.setAttribute("aria-pressed", String(!isShown));
    setText(target, isShown ? t("Show") : t("Hide"));
  });
  byId("entrance-other").addEventListener("click", () => show(!isNew));
  byId("entrance-forgot").addEventListener("click", async () => {
    const email = byId("email").value.trim();
    try {
      if (email === "") throw new Error(t("Enter your e-mail address first."));
      await request("POST", "/v1/password-resets", { body: { email } });
      throw new Error(t("If there is such an account, a link is on its way to its mailbox. It is good for half an hour."));
    } catch (error) {
      setText(byId("entrance-problem"), error.message);
    }
  });
  onSubmit("entrance", "entrance-form", "entrance-problem", async () => {
    const email = byId("email").value.trim();
    const password = byId("password").value;
    if (email === "" || password === "") throw new Error(t("Enter an e-mail address and a password."));
    const { problem } = strength(password);
    if (isNew && problem) throw new Error(t("Password: {problem}", { problem }));
    try {
      await (isNew ? account.signUp(email, password) : account.logIn(email, password, byId("totp").value.trim() || undefined));
    } catch (error) {
      if (error.kind !== "second-factor-needed" && error.kind !== "second-factor-wrong") throw error;
      showCode(true);
      byId("totp").focus();
      throw error;
    }
    byId("password").value = byId("totp").value = "";
    judge();
    onLoggedIn();
  });
  return (wantsNew) => {
    show(wantsNew);
    byId("entrance").showModal();
    byId("email").focus();
  };
}

/**
 * Set up the dialog of the faucet.
 * @param {import("./account.js").Account} account
 * @param {() => string[]} assets
 * @param {{onDeposit: (text: string) => void, onNone: () => void}} on `onNone`: there is no faucet here
 * @returns {() => void} opens it
 */
export function faucet(account, assets, on) {
  const asset = byId("deposit-asset");
  const suggest = () => (byId("deposit-amount").value = SUGGESTED[asset.value] ?? "100");
  asset.addEventListener("change", suggest);
  onSubmit("deposit", "deposit-form", "deposit-problem", async () => {
    const amount = typed(byId("deposit-amount").value);
    try {
      await account.deposit(asset.value, amount);
    } catch (error) {
      if (error.kind === "faucet-off") on.onNone();
      throw error;
    }
    on.onDeposit(t("{amount} deposited", { amount: `${grouped(amount)} ${asset.value}` }));
  });
  return () => {
    asset.replaceChildren(...assets().map((code) => make("option", { value: code }, [code])));
    if (assets().includes("USDT")) asset.value = "USDT";
    setText(byId("deposit-problem"), "");
    suggest();
    byId("deposit").showModal();
  };
}
