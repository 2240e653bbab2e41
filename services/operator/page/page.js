// The operators' page. It sends the orders of services/operator/orders.py and shows the lines that come back;
// the session's token lies in this module alone, so it ends with the tab.

const DEADLINE_MS = 70_000;
const LOOK_EVERY_MS = 5_000;
const byId = (id) => document.getElementById(id);

let session = null;
let timer = 0;

/** @returns {Promise<{status: number, value: any}>} status 0: no answer */
async function ask(method, path, token, body) {
  try {
    const answer = await fetch(path, {
      method, cache: "no-store", credentials: "omit", redirect: "error",
      headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body && JSON.stringify(body), signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const text = await answer.text();
    try {
      return { status: answer.status, value: JSON.parse(text) };
    } catch {
      return { status: answer.status, value: { lines: [`the exchange answered ${answer.status}`] } };
    }
  } catch {
    return { status: 0, value: { lines: ["the exchange gave no answer; look what holds before you order again"] } };
  }
}

function say(lines, kind = "") {
  const place = byId("answer");
  place.textContent = lines.join("\n");
  place.className = `answer ${kind}`;
  place.hidden = lines.length === 0;
}

function show(id, lines, isBad = () => false) {
  const items = lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    if (isBad(line)) item.className = "bad";
    return item;
  });
  byId(id).replaceChildren(...items);
}

/** One order. A session that is over leads back to the entrance. */
async function order(what, reason) {
  const begun = session;
  const { status, value } = await ask("POST", "/v1/admin/orders", begun?.session, { order: what, reason });
  if (status === 401 && session === begun) leave("Your session is over: log in again.");
  return { isDone: status === 200, lines: value.lines ?? [] };
}

const LOOKS = [
  ["readers", "ShowReaders", (line) => / [1-9]\d{3,} behind|no heartbeat|has not begun/.test(line)],
  ["markets", "ListMarkets", (line) => !line.endsWith(": trading")],
  ["stop", "ShowWithdrawalStop", (line) => line.startsWith("STOPPED")],
  ["withdrawals", "ListWithdrawals", (line) => line.endsWith("FROZEN")],
  ["freezes", "ListFreezes", () => false],
  ["anomalies", "ListAnomalies", (line) => line.includes(", OPEN")],
  ["breaches", "ListBreaches", (line) => line !== "no breach is open"],
];

async function health() {
  const { value } = await ask("GET", "/v1/admin/health", session?.session);
  show("health", value.lines ?? [], (line) => !line.endsWith(": ok"));
}

function offer(lines) {
  const symbols = lines.map((line) => line.split(":")[0]);
  for (const box of document.querySelectorAll("select[name=symbol]")) {
    const offered = "one" in box.dataset ? symbols : ["ALL", ...symbols];
    if ([...box.options].map((option) => option.value).join() === offered.join()) continue;
    const chosen = box.value;
    box.replaceChildren(...offered.map((symbol) => new Option(symbol, symbol)));
    // Nothing is chosen by itself: a mode for ALL is no slip of the hand.
    box.value = offered.includes(chosen) ? chosen : "";
  }
}

async function look() {
  clearTimeout(timer);
  const begun = session;
  await health();
  // One after the other: the door serves four at a time, and others may be at it.
  for (const [id, type, isBad] of LOOKS) {
    if (!session || session !== begun) return;
    const { lines } = await order({ type }, "to look");
    if (session !== begun) return;
    show(id, lines, isBad);
    if (id === "markets") offer(lines);
  }
  document.body.dataset.looked = "yes";
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_EVERY_MS);
}

function leave(text) {
  session = null;
  clearTimeout(timer);
  delete document.body.dataset.looked;
  byId("room").hidden = byId("log-out").hidden = true;
  byId("entrance").hidden = false;
  for (const list of document.querySelectorAll("#room ul")) list.replaceChildren();
  byId("who").textContent = "Nobody is logged in.";
  say(text ? [text] : [], "bad");
}

byId("log-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  const { status, value } = await ask("POST", "/v1/admin/sessions", byId("token").value.trim(), { code: byId("code").value });
  button.disabled = false;
  byId("code").value = "";
  if (status !== 200) return say(value.lines ?? [], "bad");
  byId("token").value = "";
  session = value;
  say([]);
  const mayOrder = value.role === "ADMIN";
  for (const field of byId("orders").querySelectorAll("input, select, textarea, button")) field.disabled = !mayOrder;
  byId("viewer").hidden = mayOrder;
  byId("who").textContent = `${value.name} (${value.role}) until ${new Date(value.ends_ms).toLocaleTimeString()}`;
  byId("entrance").hidden = true;
  byId("room").hidden = byId("log-out").hidden = false;
  look();
});

byId("log-out").addEventListener("click", async () => {
  const ended = session;
  leave("");
  await ask("DELETE", "/v1/admin/sessions", ended.session);
});

/** "tickSize=0.05 minPrice=1" as an object; "off" is none. What is no pair names itself, and is refused. */
const pairs = (text) => (text === "off" ? {} : Object.fromEntries(text.split(/\s+/).map((pair) => [pair.split("=")[0], pair.split("=")[1] ?? ""])));
const READ = { number: (text) => Number(text || 0), pairs };

function orderOf(form, type) {
  const what = { type };
  for (const field of form.querySelectorAll("[name]")) {
    const text = field.value.trim();
    what[field.name] = READ[field.dataset.kind]?.(text) ?? text;
  }
  return what;
}

/** An order in words, for the second look. */
const words = (what) => Object.values(what).map((value) => (typeof value === "object" ? Object.entries(value).map((pair) => pair.join("=")).join(" ") || "off" : value)).join(" ");

for (const form of document.querySelectorAll("form[data-look]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const what = orderOf(form, form.dataset.look);
    if (what.symbol === "") return say(["Choose a market."], "bad");
    const { lines } = await order(what, "to look");
    show("found", lines);
  });
}

function isSure(text) {
  const dialog = byId("sure");
  byId("sure-text").textContent = text;
  dialog.showModal();
  return new Promise((resolve) => {
    byId("sure-yes").onclick = () => { resolve(true); dialog.close(); };
    byId("sure-no").onclick = () => dialog.close();
    dialog.onclose = () => resolve(false);
  });
}

for (const form of document.querySelectorAll("form[data-order]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const what = orderOf(form, form.dataset.order);
    const reason = byId("reason").value.trim();
    if (what.symbol === "") return say(["Choose a market."], "bad");
    if (!reason) {
      byId("reason").focus();
      return say(["Say why: it stands in the audit log."], "bad");
    }
    if (!(await isSure(`${words(what).slice(0, 300)}\nReason: ${reason}`))) return;
    const button = form.querySelector("button");
    button.disabled = true;
    const { isDone, lines } = await order(what, reason);
    button.disabled = false;
    if (!session) return;
    say(lines, isDone ? "good" : "bad");
    look();
  });
}
