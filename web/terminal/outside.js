// Notices of this browser, outside the page: shown while nobody looks at it, where its owner has allowed them.

/** Whether this browser may show them: "granted", "denied", "default" (not asked yet), or "none" where it cannot. */
export const permission = () => globalThis.Notification?.permission ?? "none";

/** Ask the person in front of it. @returns {Promise<string>} as `permission` */
export async function askPermission() {
  if (permission() === "default") await Notification.requestPermission();
  return permission();
}

/** Keep what the account's owner chose about fills and this way. @param {boolean} isWanted */
export function keepChoice(isWanted) {
  if (isWanted) localStorage.removeItem("exchange.notices");
  else localStorage.setItem("exchange.notices", "no");
}

/**
 * Show a notice, unless the page is in view or its owner does not want it.
 * @param {string} text
 * @param {string} id takes the place of what was shown under the same one
 * @returns {boolean} whether it was shown
 */
export function tellOutside(text, id) {
  if (!document.hidden || permission() !== "granted" || localStorage.getItem("exchange.notices") === "no") return false;
  new Notification("Exchange", { body: text, tag: id, icon: "/terminal/favicon.svg" });
  return true;
}
