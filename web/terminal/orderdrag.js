// An order's line in the chart is put elsewhere, by pointer or by keys, and sent as one request that cancels the order and
// places it anew. By pointer it is asked back first; by keys nothing is sent before Enter. Loaded with a session.

import { fromUnits, grouped, shown, toUnits, trimmed } from "./decimal.js";
import { make, setText, toast } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";
import { isChangeable, restOf } from "./orders.js";
import { steppedPrice } from "./rules.js";

const DECIMALS = 8;
const KEY_TICKS = { ArrowUp: 1n, ArrowDown: -1n, PageUp: 10n, PageDown: -10n };
// So often grips follow the scale of the chart, which tells nobody that it has moved.
const FOLLOW_EVERY_MS = 100;
const GRIP_PX = 24;

/**
 * The nearest price that the market takes.
 * @param {number} price
 * @param {import("./rules.js").Market} market
 * @returns {string}
 */
export function tickOf(price, market) {
  const { tick } = market.limits;
  const units = BigInt(Math.round(price * 10 ** DECIMALS));
  return within(((units + tick / 2n) / tick) * tick, market);
}

function within(units, market) {
  const { priceMin, priceMax } = market.limits;
  const bounded = units < priceMin ? priceMin : priceMax > 0n && units > priceMax ? priceMax : units;
  return shown(fromUnits(bounded, DECIMALS), market.priceDecimals);
}

/**
 * The price some ticks higher or lower that the market takes.
 * @param {string} price
 * @param {bigint} ticks
 * @param {import("./rules.js").Market} market
 * @returns {string}
 */
export function nextPrice(price, ticks, market) {
  return within(toUnits(steppedPrice(price, ticks, market), DECIMALS), market);
}

/** Whether an order at this price may trade as soon as it is placed. */
export function isCrossing({ side }, price, last) {
  return last !== "" && (side === "BUY" ? Number(price) >= Number(last) : Number(price) <= Number(last));
}

const quantityText = (order, market) => `${grouped(trimmed(order.quantity))} ${market.base}`;
const sideText = ({ side }) => (side === "BUY" ? t("Buy") : t("Sell"));

/** Asks whether the order shall be moved. @returns {Promise<boolean>} */
function isWanted(order, price, market, last) {
  const words = {
    side: sideText(order), quantity: quantityText(order, market),
    from: grouped(shown(order.price, market.priceDecimals)), to: `${grouped(price)} ${market.quote}`,
  };
  return new Promise((resolve) => {
    const dialog = make("dialog", { id: "move", "aria-labelledby": "move-title" }, [
      make("h2", { id: "move-title" }, [t("Move the order?")]),
      make("p", {}, [t("{side} {quantity}: from {from} to {to}.", words)]),
      make("p", { class: "hint" }, [
        isCrossing(order, price, last) ? t("At this price it may trade at once.") : t("It is cancelled and placed anew, behind others at its price."),
      ]),
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
 * @typedef {{desk: () => import("./desk.js").Desk | null, market: () => import("./rules.js").Market, last: () => string}} Now
 */

/** Send a move. @returns {Promise<number | null>} the new order's id, null where it was not moved */
async function send(order, price, now) {
  const [market, desk] = [now.market(), now.desk()];
  if (!desk || Number(price) === Number(order.price)) return null;
  try {
    return await desk.move(order, price, restOf(order), market, () => toast(t("Checking what became of the order …")));
  } catch (error) {
    toast(t("Not moved: {reason}", { reason: error.message }), "bad");
    desk.feed.reload();
    return null;
  }
}

/** A grip an order, beside its line: what a finger can take, and what keys move. */
class Grips {
  constructor(box, chart, now) {
    Object.assign(this, { _box: box, _chart: chart, _now: now, _grips: new Map(), _moved: null, _following: null, _awaited: null });
    this._hint = make("span", { class: "unseen", id: "grip-hint" }, [
      t("Arrow keys move it by one tick, Page Up and Page Down by ten; Enter sends, Escape takes it back. Left and Right go to other orders."),
    ]);
    this._group = make("div", { class: "grips", role: "group", "aria-label": t("Your orders in the chart"), hidden: true }, [this._hint]);
    box.after(this._group);
    chart.onOwn = () => this.sync();
    this.sync();
  }

  /** One for each order that can be moved, in the order of the list. */
  sync() {
    const market = this._now.market();
    const orders = (market && this._now.desk()?.open(market.symbol).filter(isChangeable)) || [];
    const ids = new Set(orders.map(({ id }) => id));
    for (const [id, { element }] of this._grips) {
      if (ids.has(id)) continue;
      if (this._moved?.id === id) this._moved = null;
      element.remove();
      this._grips.delete(id);
    }
    for (const order of orders) {
      const grip = this._grips.get(order.id) ?? this._grip(order.id);
      grip.order = order;
      this._tell(grip);
    }
    const grips = [...this._grips.values()];
    if (!grips.some(({ element }) => element.tabIndex === 0) && grips.length > 0) grips[0].element.tabIndex = 0;
    this._follow();
    // The order that took the place of the one whose grip had the focus.
    if (this._grips.has(this._awaited) && [document.body, this._box].includes(document.activeElement)) {
      this._grips.get(this._awaited).element.focus();
      this._awaited = null;
    }
  }

  _follow() {
    this._place();
    if (this._grips.size > 0) this._following ??= setInterval(() => this._place(), FOLLOW_EVERY_MS);
    else {
      clearInterval(this._following);
      this._following = null;
    }
  }

  /** Beside their lines; what lies above or below the chart stands at its edge, so that it can be reached. */
  _place() {
    this._group.hidden = this._grips.size === 0 || this._box.hidden;
    const lowest = this._box.clientHeight - GRIP_PX - 4;
    const placed = [];
    for (const { element, order } of this._grips.values()) {
      const y = this._chart.heightOf(this._priceOf(order));
      const height = this._box.offsetTop + Math.round(Math.max(2, Math.min(lowest, (y ?? 0) - GRIP_PX / 2)));
      // Lines that are close have their grips side by side.
      let column = 0;
      while (placed.some((other) => other.column === column && Math.abs(other.height - height) < GRIP_PX)) column += 1;
      placed.push({ column, height });
      const [top, left] = [`${height}px`, `${4 + column * (GRIP_PX + 4)}px`];
      if (element.style.top !== top) element.style.top = top;
      if (element.style.left !== left) element.style.left = left;
    }
  }

  _priceOf(order) {
    return this._moved?.id === order.id ? this._moved.price : order.price;
  }

  _grip(id) {
    const label = make("span", { class: "grip-text" });
    const element = make("div", { class: "grip", role: "slider", tabindex: "-1", "aria-orientation": "vertical", "aria-describedby": "grip-hint" }, [
      make("span", { "aria-hidden": "true" }, ["⇕"]), label,
    ]);
    const grip = { element, label, order: null };
    this._grips.set(id, grip);
    this._group.append(element);
    element.addEventListener("keydown", (event) => this._key(event, grip));
    element.addEventListener("blur", () => this._moved?.isByKeys && !document.querySelector("#move") && this.leave());
    element.addEventListener("focus", () => {
      for (const other of this._grips.values()) other.element.tabIndex = other === grip ? 0 : -1;
    });
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      this.take(grip.order);
    });
    element.addEventListener("pointermove", (event) => this.drag(event));
    element.addEventListener("pointerup", () => this.drop());
    element.addEventListener("pointercancel", () => this.leave());
    return grip;
  }

  _tell({ element, label, order }) {
    const market = this._now.market();
    const price = this._priceOf(order);
    const isMoved = Number(price) !== Number(order.price);
    const text = `${grouped(shown(price, market.priceDecimals))} ${market.quote}`;
    const { priceMin, priceMax } = market.limits;
    const name = `${sideText(order)} ${quantityText(order, market)}`;
    const told = {
      "aria-label": name, "aria-valuenow": trimmed(price), "aria-valuemin": trimmed(fromUnits(priceMin, DECIMALS)),
      "aria-valuemax": trimmed(fromUnits(priceMax, DECIMALS)), "aria-valuetext": isMoved ? t("{price}, not sent yet", { price: text }) : text,
    };
    for (const [attribute, value] of Object.entries(told)) {
      if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
    }
    element.className = `grip ${order.side === "BUY" ? "up" : "down"}${isMoved ? " moved" : ""}`;
    setText(label, isMoved ? t("{name} → {price}: Enter sends", { name, price: text }) : `${name} · ${text}`);
  }

  /** An order is taken by the pointer. */
  take(order) {
    this._moved = { id: order.id, order, price: order.price, isByKeys: false };
    this._box.classList.add("taken");
  }

  get isTaken() {
    return this._moved !== null && !this._moved.isByKeys;
  }

  drag(event) {
    if (!this.isTaken) return;
    const price = this._chart.priceAt(event.clientY - this._box.getBoundingClientRect().top);
    if (price !== null && price > 0) this._moveTo(this._moved.order, tickOf(price, this._now.market()), false);
  }

  _moveTo(order, price, isByKeys) {
    this._moved = { id: order.id, order, price, isByKeys };
    this._chart.dragOwn(order, price);
    const grip = this._grips.get(order.id);
    if (grip) this._tell(grip);
    this._place();
  }

  /** Nothing is moved: the line is where its order is. */
  leave() {
    this._moved = null;
    this._box.classList.remove("taken");
    this._chart.redrawOwn();
  }

  /** The pointer has let go: asked back, then sent. */
  async drop() {
    if (!this.isTaken) return;
    const { order, price } = this._moved;
    const market = this._now.market();
    this.leave();
    if (Number(price) === Number(order.price)) return;
    if (await isWanted(order, price, market, this._now.last())) await send(order, price, this._now);
  }

  _key(event, grip) {
    const { key } = event;
    const { order } = grip;
    if (key in KEY_TICKS) this._moveTo(order, nextPrice(this._priceOf(order), KEY_TICKS[key], this._now.market()), true);
    else if (key === "Escape" && this._moved) this.leave();
    else if (key === "Enter" && this._moved) this._sendMoved();
    else if (key === "ArrowLeft" || key === "ArrowRight") {
      const grips = [...this._grips.values()];
      grips[(grips.indexOf(grip) + (key === "ArrowRight" ? 1 : -1) + grips.length) % grips.length].element.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** By keys: what would trade at once is asked back, anything else goes. The focus stays with the order. */
  async _sendMoved() {
    const { order, price } = this._moved;
    const last = this._now.last();
    const isSure = !isCrossing(order, price, last) || (await isWanted(order, price, this._now.market(), last));
    this.leave();
    this._awaited = (isSure && (await send(order, price, this._now))) || order.id;
    if (![document.body, this._grips.get(order.id)?.element].includes(document.activeElement)) return;
    this._box.focus();
    this.sync();
  }
}

/**
 * Let lines be moved, once for the page; without a desk nothing can be taken.
 * @param {HTMLElement} box of the chart
 * @param {import("./chart.js").Chart} chart
 * @param {Now} now
 */
export function dragOrders(box, chart, now) {
  const grips = new Grips(box, chart, now);
  const orderAt = (event) => {
    const found = now.desk() && chart.ownAt(event.clientY - box.getBoundingClientRect().top);
    return found && isChangeable(found) ? found : null;
  };
  box.addEventListener("pointerdown", (event) => {
    const order = event.button === 0 ? orderAt(event) : null;
    if (!order) return;
    box.setPointerCapture(event.pointerId);
    grips.take(order);
  }, true);
  // What the chart itself listens to: it must not pan meanwhile.
  for (const name of ["mousedown", "touchstart"]) {
    box.addEventListener(name, (event) => grips.isTaken && event.stopPropagation(), { capture: true });
  }
  box.addEventListener("pointermove", (event) => {
    if (grips.isTaken) grips.drag(event);
    else box.classList.toggle("movable", orderAt(event) !== null);
  }, true);
  box.addEventListener("keydown", (event) => event.key === "Escape" && grips.isTaken && grips.leave());
  box.addEventListener("pointercancel", () => grips.leave());
  box.addEventListener("pointerup", () => grips.drop());
}
