// What the exchange says to machines, as sentences for people: what is wrong, and what to do.

import { t } from "./lang.js";
import "./langmore.js";

/** A part of /api/v3's `msg` -> the sentence; the first that fits is taken. */
const BY_MESSAGE = [
  ["insufficient balance", "You have not enough available for this order. Money in open orders does not count."],
  ["immediately match and take", "A post-only order must not meet another order at once. Choose a price further from the market."],
  ["Market is closed", "This market takes no such orders now. Wait until it opens again, or choose another market."],
  ["PERCENT_PRICE_BY_SIDE", "The price is too far from the market's. Choose one nearer to it."],
  ["MARKET_LOT_SIZE", "A market order of this size is not taken. Divide it into smaller ones."],
  ["LOT_SIZE` filter minimum", "The total buys less than the smallest quantity. Enter a larger total."],
  ["LOT_SIZE", "The quantity is outside of what this market takes. Choose another one."],
  ["MIN_NOTIONAL", "The total is too small for this market. Enter a larger quantity."],
  ["NOTIONAL", "The total (price × quantity) is outside of what this market takes. Choose another quantity."],
  ["MAX_NUM_ALGO_ORDERS", "You have as many conditional orders in this market as you may have. Cancel one first."],
  ["MAX_NUM_ORDERS", "You have as many open orders in this market as you may have. Cancel one first."],
  ["PRICE_FILTER", "The price is outside of what this market takes. Choose another one."],
  ["MAX_POSITION", "You would hold more of this asset than this market allows. Enter a smaller quantity."],
  ["Filter failure", "The order breaks a rule of this market. Choose another price or quantity."],
  ["Duplicate order", "An order of this name is open already. Nothing was placed; look at your open orders."],
  ["Price * QTY is zero", "The total is too small to count. Enter a larger quantity."],
  ["operator refused", "The exchange's operator refused this request. It had no effect; you may send it again."],
  ["would trigger immediately", "The trigger price has been reached already. Choose another one."],
  ["cancel restrictions", "The order changed before it could be cancelled. Look at your open orders."],
];

/** A code of /api/v3 -> the sentence. */
const BY_CODE = new Map([
  [-1000, "Something went wrong in the exchange. Look at your orders, then try again."],
  [-1001, "A part of the exchange is away for a moment. Nothing was changed; try again."],
  [-1002, "You are not allowed to do this. Log in again."],
  [-1003, "Too many requests came from your network. Wait a minute, then try again."],
  [-1006, "The exchange's answer was lost. Look at your orders before you try again."],
  [-1007, "The exchange did not answer in time. Look at your orders before you try again."],
  [-1008, "The exchange is busy. Nothing was changed; try again in a moment."],
  [-1013, "The order breaks a rule of this market. Choose another price or quantity."],
  [-1015, "You have placed as many orders as you may for now. Wait a few seconds."],
  [-1020, "This exchange does not offer that."],
  [-1021, "Your order arrived too late and was not placed. Check your connection and try again."],
  [-1022, "The signature was not accepted. Log in again."],
  [-1108, "A number is larger than the exchange can hold. Enter a smaller one."],
  [-1111, "A number has more decimals than this market takes. Enter fewer."],
  [-1121, "There is no such market. Choose another one."],
  [-1122, "This market does not exist any more. Choose another one."],
  [-2010, "The exchange did not take the order. Check price and quantity."],
  [-2011, "The order is not open any more: it was filled, cancelled or has expired."],
  [-2013, "There is no such order."],
  [-2014, "Your log-in is not accepted any more. Log in again."],
  [-2015, "Your log-in is not accepted any more. Log in again."],
  [-2016, "There is nothing to trade in this market. Choose another one."],
  [-2021, "Only a part of it was done: look at your open orders."],
  [-2022, "The order was not changed; the old one stands. Look at your open orders."],
  [-2038, "The order could not be changed; it stands as it was."],
  [-2039, "The order was not found by both its names. Look at your open orders."],
]);
const MALFORMED = "The exchange did not understand the request. Load the page anew and try again.";

/** A kind of /v1's problems -> the sentence. */
export const BY_KIND = new Map(Object.entries({
  "malformed-json": MALFORMED,
  "not-json": MALFORMED,
  "not-signed-in": "Your session is over. Log in again.",
  "wrong-credentials": "The e-mail address or the password is wrong. Check both.",
  "second-factor-needed": "Enter the six digits that your authenticator shows now.",
  "second-factor-wrong": "The six digits are not right, or were used already. Wait for the next ones.",
  "second-factor-on": "A second factor is on already. Switch it off first.",
  "second-factor-off": "There is no second factor to switch off.",
  "reset-refused": "The link is too old, or was used already. Ask for a new one.",
  "token-refused": "That sign-in is not accepted any more. Sign in there again.",
  "identity-unknown": "That sign-in opens no account yet. Log in with a password first.",
  "identity-not-linked": "An account has this e-mail address already. Log in with its password, then link the sign-in.",
  "email-not-accepted": "That sign-in's e-mail address is not verified. Verify it there first.",
  "faucet-off": "This exchange gives no play money away. Deposits arrive by themselves.",
  "address-not-listed": "The address is not in your address book. Add it there first.",
  "address-not-usable-yet": "The address is too new. Your address book shows from when on it can be used.",
  "freeze-token-refused": "The link is too old, or was used already. Use the link of a newer notice.",
  "withdrawals-frozen": "Withdrawals are frozen. The account page shows by whom, and until when.",
  "no-key-for-session": "This session is of an older kind. Log out and log in again.",
  "mail-link-refused": "The link is too old, or was used already. Have another one sent.",
  "no-mail": "Your address has not said yes to mail yet.",
  "no-webhook": "There is no webhook, or too many notices wait for it. Set it anew.",
  "webhook-refused": "Nothing is sent there. Give an https address of a public server, with port 443 or 8443.",
  "not-found": "It is not there any more.",
  "receive-timeout": "Your connection is too slow: the request did not arrive whole. Try again.",
  "email-taken": "There is an account with this e-mail address. Log in instead.",
  "identity-taken": "That sign-in opens another account already.",
  "too-many-keys": "You have as many API keys as you may have. Revoke one first.",
  "address-listed": "The address is in your address book already.",
  "too-many-addresses": "Your address book is full. Remove an address first.",
  "not-frozen": "There is no freeze that you could end.",
  "insufficient-funds": "You have not enough available. Money in open orders does not count.",
  "body-too-large": "That is too much at once. Enter less.",
  "invalid-request": "Something in the form is not right.",
  refused: "The exchange did not take it. Nothing was changed.",
  banned: "Your network is shut out for a while because of too many requests. Try again later.",
  "too-many-attempts": "Too many attempts. Wait a minute, then try again.",
  "too-many-requests": "Too many requests came from your network. Wait a minute, then try again.",
  "too-many-rows": "That is more than one file holds. Choose a shorter time.",
  "withdrawal-limit": "You have withdrawn as much as you may within a day. Try again tomorrow, or enter less.",
  "withdrawals-stopped": "Withdrawals are stopped for everybody for a moment. Nothing was changed; try again later.",
  unavailable: "A part of the exchange is away for a moment. Try again.",
  overloaded: "The exchange is busy. Nothing was changed; try again in a moment.",
  "outcome-unknown": "The exchange did not answer in time. Look at the history before you try again.",
}));

/** How a field of /v1 is called on the screen. */
const FIELDS = {
  email: "E-mail", password: "Password", newPassword: "New password", currentPassword: "Password", amount: "Amount",
  asset: "Asset", address: "Address", label: "Name", permissions: "Permissions", ipAllowList: "IP addresses", totp: "Code",
  code: "Code", month: "Month", url: "Address of your program",
};

/** The words of services/user/doors/problems.py for lengths and kinds, in the reader's language. */
const FAULTS = [
  [/^at least (\d+) characters$/, (count) => t("at least {count} characters", { count })],
  [/^at most (\d+) characters$/, (count) => t("at most {count} characters", { count })],
  [/^choose at least \d+$/, () => t("choose one at least")],
  [/^(?:choose )?at most (\d+)$/, (count) => t("at most {count}", { count })],
  [/^missing$/, () => t("missing")],
  [/^(a JSON object|a list in|a text in quotes|a whole number|true or false|one of|no such field|at least|Input|String)/,
    () => t("not in the form that is taken here")],
];

function faultOf({ pointer, parameter, detail }) {
  const name = (pointer ?? parameter ?? "").replace(/^#\//, "").split("/")[0];
  const found = FAULTS.map(([pattern, words]) => [pattern.exec(detail), words]).find(([match]) => match);
  const words = found ? found[1](found[0][1]) : detail;
  return `${t(FIELDS[name] ?? "The form")}: ${words}.`;
}

/**
 * @param {{code?: number, text?: string, kind?: string, status?: number, errors?: object[]}} failure `code` and
 *   `text` of /api/v3, `kind` and `errors` of /v1
 * @returns {string} a sentence with what to do; never what was written for machines
 */
export function sentenceOf({ code, text = "", kind = "", status, errors = [] }) {
  if (code !== undefined) {
    const known = BY_MESSAGE.find(([part]) => text.includes(part));
    if (known && code <= -1013) return t(known[1]);
    if (BY_CODE.has(code)) return t(BY_CODE.get(code));
    return code <= -1100 && code > -1200 ? t(MALFORMED) : t("The exchange refused it ({code}).", { code });
  }
  if (errors.length > 0) return errors.map(faultOf).join(" ");
  if (BY_KIND.has(kind)) return t(BY_KIND.get(kind));
  if (status === 404) return t("It is not there any more.");
  return status >= 500 || status === undefined
    ? t("Something went wrong in the exchange. Try again.") : t("The exchange refused it ({code}).", { code: status });
}

const STATUSES = {
  NEW: "Open", PENDING_NEW: "Waiting", PARTIALLY_FILLED: "Partly filled", FILLED: "Filled", CANCELED: "Cancelled",
  PENDING_CANCEL: "Being cancelled", REJECTED: "Refused", EXPIRED: "Expired", EXPIRED_IN_MATCH: "Expired (own order)",
};
const TYPES = {
  LIMIT: "Limit", MARKET: "Market order", LIMIT_MAKER: "Post only", STOP_LOSS: "Stop", STOP_LOSS_LIMIT: "Stop limit",
  TAKE_PROFIT: "Take profit", TAKE_PROFIT_LIMIT: "Take profit limit",
};
const plain = (code) => code[0] + code.slice(1).toLowerCase().replaceAll("_", " ");

/** @param {string} status of an order @returns {string} one word for it, the same everywhere */
export const statusWord = (status) => t(STATUSES[status] ?? plain(status));
/** @param {string} type of an order @returns {string} */
export const typeWord = (type) => t(TYPES[type] ?? plain(type));
/** @param {"BUY" | "SELL"} side @returns {string} */
export const sideWord = (side) => (side === "BUY" ? t("Buy") : t("Sell"));
