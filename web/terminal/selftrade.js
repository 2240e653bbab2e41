// What shall happen where an order meets another of the same account: a choice below the form, closed by itself. Comes with a
// session.

import { byId, make, setText } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";

const MODES = {
  NONE: t("let them trade"), EXPIRE_TAKER: t("cancel the new one"), EXPIRE_MAKER: t("cancel the older one"), EXPIRE_BOTH: t("cancel both"),
  DECREMENT: t("take the smaller off both"), TRANSFER: t("take the smaller off both (transfer)"),
};

let field = null;
let summary = null;
let box = null;

function tell() {
  const chosen = field.selectedOptions[0]?.textContent ?? "";
  setText(summary, field.value === "" ? t("If it meets your own orders") : t("If it meets your own orders: {mode}", { mode: chosen }));
}

function begin() {
  field = make("select", { id: "self-trade", "aria-label": t("If it meets your own orders"), change: tell });
  summary = make("summary");
  box = make("details", { class: "terms" }, [summary, make("div", { class: "field" }, [field])]);
  byId("total-line").before(box);
}

/** The choices of a market; what was chosen before stays, where it is one of them. @param {import("./rules.js").Market} market */
export function offerSelfTrade({ selfTrade }) {
  if (field === null) begin();
  const before = field.value;
  const word = (mode) => MODES[mode] ?? mode;
  const others = selfTrade.modes.filter((mode) => mode !== selfTrade.usual);
  field.replaceChildren(
    make("option", { value: "" }, [t("{mode} (usual here)", { mode: word(selfTrade.usual) })]),
    ...others.map((mode) => make("option", { value: mode }, [word(mode)])),
  );
  field.value = others.includes(before) ? before : "";
  box.hidden = others.length === 0;
  tell();
}

/** Nobody is logged in. */
export function hideSelfTrade() {
  if (box !== null) box.hidden = true;
}

/** @returns {Record<string, string>} what an order's parameters have of it */
export function selfTradeParameters() {
  return field?.value ? { selfTradePreventionMode: field.value } : {};
}
