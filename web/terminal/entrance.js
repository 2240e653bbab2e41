// The two dialogs: signing up or logging in, and money from the faucet.

import { byId, make, setText } from "./dom.js";

const GENEROUS = { BTC: "1", ETH: "10", USDT: "100000" };

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
    const word = isNew ? "Sign up" : "Log in";
    setText(byId("entrance-title"), word);
    setText(byId("entrance-submit"), word);
    setText(byId("entrance-other"), isNew ? "Have an account? Log in" : "No account yet? Sign up");
    setText(byId("entrance-problem"), "");
    byId("password-hint").hidden = !isNew;
    byId("password").autocomplete = isNew ? "new-password" : "current-password";
  };
  byId("entrance-other").addEventListener("click", () => show(!isNew));
  onSubmit("entrance", "entrance-form", "entrance-problem", async () => {
    const email = byId("email").value.trim();
    const password = byId("password").value;
    if (email === "" || password === "") throw new Error("Enter an e-mail address and a password.");
    if (isNew && password.length < 8) throw new Error("The password needs at least 8 characters.");
    await (isNew ? account.signUp(email, password) : account.logIn(email, password));
    byId("password").value = "";
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
export function faucet(account, assets, { onDeposit, onNone }) {
  const asset = byId("deposit-asset");
  const suggest = () => (byId("deposit-amount").value = GENEROUS[asset.value] ?? "100");
  asset.addEventListener("change", suggest);
  onSubmit("deposit", "deposit-form", "deposit-problem", async () => {
    const amount = byId("deposit-amount").value.trim();
    try {
      await account.deposit(asset.value, amount);
    } catch (error) {
      if (error.kind === "faucet-off") onNone();
      throw error;
    }
    onDeposit(`${amount} ${asset.value} deposited`);
  });
  return () => {
    asset.replaceChildren(...assets().map((code) => make("option", { value: code }, [code])));
    if (assets().includes("USDT")) asset.value = "USDT";
    setText(byId("deposit-problem"), "");
    suggest();
    byId("deposit").showModal();
  };
}
