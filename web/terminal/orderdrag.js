// An order's line in the chart is taken and put elsewhere: asked back first, then sent as one request that cancels the
// order and places it anew. Loaded with a session.

import { fromUnits, grouped, shown, trimmed } from "./decimal.js";
import { make, toast } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";

const DECIMALS = 8;
/** Kinds whose price alone says what they are; pairs, stops and icebergs are changed in the form. */
const isMovable = ({ type, listId, stopPrice }) => (type === "LIMIT" || type === "LIMIT_MAKER") && listId === -1 && Number(stopPrice) === 0;

/**
 * The nearest price that the market takes.
 * @param {number} price
 * @param {import("./rules.js").Market} market
 * @returns {string}
 */
export function tickOf(price, market) {
  const { tick, priceMin, priceMax } = market.limits;
  const units = BigInt(Math.round(price * 10 ** DECIMALS));
  const near = ((units + tick / 2n) / tick) * tick;
  const bounded = near < priceMin ? priceMin : priceMax > 0n && near > priceMax ? priceMax : near;
  return shown(fromUnits(bounded, DECIMALS), market.priceDecimals);
}

/** Asks whether the order shall be moved. @returns {Promise<boolean>} */
function isWanted(order, price, market, last) {
  const words = {
    side: order.side === "BUY" ? t("Buy") : t("Sell"), quantity: `${grouped(trimmed(order.quantity))} ${market.base}`,
    from: grouped(shown(order.price, market.priceDecimals)), to: `${grouped(price)} ${market.quote}`,
  };
  const crosses = last && (order.side === "BUY" ? Number(price) >= Number(last) : Number(price) <= Number(last));
  return new Promise((resolve) => {
    const dialog = make("dialog", { id: "move", "aria-labelledby": "move-title" }, [
      make("h2", { id: "move-title" }, [t("Move the order?")]),
      make("p", {}, [t("{side} {quantity}: from {from} to {to}.", words)]),
      make("p", { class: "hint" }, [crosses ? t("At this price it may trade at once.") : t("It is cancelled and placed anew, behind others at its price.")]),
      make("div", { class: "buttons" }, [
        make("button", { type: "button", class: "quiet", id: "move-no", click: () => dialog.close() }, [t("Leave it")]),
        make("button", { type: "button", class: "accent", id: "move-yes", click: () => dialog.close("yes") }, [t("Move it")]),
      ]),
    ]);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Let lines be dragged, once for the page; without a desk nothing can be taken.
 * @param {HTMLElement} box of the chart
 * @param {import("./chart.js").Chart} chart
 * @param {{desk: () => import("./desk.js").Desk | null, market: () => import("./rules.js").Market, last: () => string}} now
 */
export function dragOrders(box, chart, now) {
  let taken = null;
  const heightOf = (event) => event.clientY - box.getBoundingClientRect().top;
  const orderAt = (event) => {
    const found = now.desk() && chart.ownAt(heightOf(event));
    return found && isMovable(found) ? found : null;
  };
  const leave = () => {
    taken = null;
    box.classList.remove("taken");
    chart.redrawOwn();
  };
  box.addEventListener("pointerdown", (event) => {
    const order = event.button === 0 ? orderAt(event) : null;
    if (!order) return;
    taken = { order, price: order.price };
    box.setPointerCapture(event.pointerId);
    box.classList.add("taken");
  }, true);
  // What the chart itself listens to: it must not pan meanwhile.
  for (const name of ["mousedown", "touchstart"]) {
    box.addEventListener(name, (event) => taken && event.stopPropagation(), { capture: true });
  }
  box.addEventListener("pointermove", (event) => {
    if (!taken) {
      box.classList.toggle("movable", orderAt(event) !== null);
      return;
    }
    const price = chart.priceAt(heightOf(event));
    if (price === null || price <= 0) return;
    taken.price = tickOf(price, now.market());
    chart.dragOwn(taken.order, taken.price);
  }, true);
  box.addEventListener("keydown", (event) => event.key === "Escape" && taken && leave());
  box.addEventListener("pointercancel", leave);
  box.addEventListener("pointerup", async () => {
    if (!taken) return;
    const { order, price } = taken;
    const [market, desk] = [now.market(), now.desk()];
    leave();
    if (!desk || Number(price) === Number(order.price)) return;
    if (!(await isWanted(order, price, market, now.last()))) return;
    try {
      await desk.move(order, price, market, () => toast(t("Checking what became of the order …")));
    } catch (error) {
      toast(t("Not moved: {reason}", { reason: error.message }), "bad");
      desk.feed.reload();
    }
  });
}
