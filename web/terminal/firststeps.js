// Whoever has an account and nothing in it is told how to begin, in the order form's place of notice.

import { byId, make } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";

let box = null;

/** @param {{free: string, locked: string}[] | null} balances of who is logged in; null: nobody is */
export function offerFirstSteps(balances) {
  const isEmpty = balances !== null && balances.every(({ free, locked }) => !/[1-9]/.test(free + locked));
  if (!isEmpty) {
    box?.remove();
    box = null;
    return;
  }
  if (box !== null) return;
  const hasFaucet = !byId("faucet").hidden;
  box = make("div", { class: "first-steps" }, [
    make("p", {}, [hasFaucet ? t("Your account is empty. Take play money, then place your first order.") : t("Your account is empty. Orders need a deposit first.")]),
    ...(hasFaucet ? [make("button", { type: "button", class: "accent", click: () => byId("faucet").click() }, [t("Take play money")])] : []),
  ]);
  byId("order-form").before(box);
}
