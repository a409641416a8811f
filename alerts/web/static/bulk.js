// Many leads at once: choosing rows, and what can be done to all of them. Each is answered by itself.

import { say, start } from "./words.js";

const UNDO_MS = 10_000; // a claim can be given back so long

const byId = (id) => document.getElementById(id);
const list = byId("list");
const picked = new Set();

const current = () => list.querySelector('.row[aria-current="true"]')?.closest(".item");
const itemOf = (id) => list.querySelector(`.item[data-id="${CSS.escape(id)}"]`);

/** The rows chosen, else the one the reader is at. */
const meant = () => (picked.size ? [...picked] : [current()?.dataset.id].filter(Boolean));

function show() {
  byId("bulk").hidden = !picked.size;
  byId("bulk-count").textContent = say("bulk.count", { n: picked.size });
}

/** Choose a row, or no longer. */
export function pick(item = current()) {
  if (!item || !start.works) return;
  const on = !picked.delete(item.dataset.id);
  if (on) picked.add(item.dataset.id);
  mark(item);
  show();
}

/** A row that was drawn anew is still chosen. */
export function mark(item) {
  const box = item.querySelector(".pick");
  box.checked = picked.has(item.dataset.id);
  item.classList.toggle("picked", box.checked);
}

export const picking = () => picked.size > 0;

function none() {
  const items = [...picked].map(itemOf);
  picked.clear();
  items.filter(Boolean).forEach(mark);
  show();
}

async function send(action, ids, more = {}) {
  const alerts = ids.map((id) => ({ alert_id: id, version: Number(itemOf(id)?.dataset.version ?? 0) }));
  try {
    const response = await fetch("/api/v1/alerts/bulk", {
      method: "POST",
      headers: { "content-type": "application/json", "accept-language": start.lang },
      body: JSON.stringify({ action, alerts, ...more }),
    });
    const told = await response.json();
    if (!response.ok) throw new Error(told.detail);
    report(action, told);
  } catch (error) {
    tell(error instanceof TypeError ? say("bulk.offline") : error.message);
  }
}

/** How many were done, and of the others why not; what failed stays chosen. */
function report(action, told) {
  const failed = told.items.filter((item) => !item.done);
  const why = [...new Set(failed.map((item) => item.why))].join(" ");
  tell([say("bulk.done", { n: told.done }), failed.length ? say("bulk.failed", { n: failed.length, why }) : ""].join(" "));
  none();
  failed.forEach((item) => pick(itemOf(item.alert_id)));
  const done = told.items.filter((item) => item.done).map((item) => item.alert_id);
  if (done.length && ["claim", "assign"].includes(action)) offerUndo(done);
}

let undoing = null;
function offerUndo(ids) {
  const undo = byId("undo");
  clearTimeout(undoing);
  undo.hidden = false;
  undo.onclick = () => send("unclaim", ids);
  undoing = setTimeout(() => { undo.hidden = true; }, UNDO_MS);
}

function tell(words) {
  byId("undo").hidden = true;
  byId("told-what").textContent = words;
  byId("told").hidden = !words;
}

export function claim() {
  const ids = meant();
  if (start.works && ids.length) send("claim", ids);
}

/** Ask for one reason for all of them. */
export function dismiss() {
  const ids = meant();
  if (!start.works || !ids.length) return;
  byId("dismiss-count").textContent = say("bulk.about", { n: ids.length });
  byId("dismiss").showModal();
}

/** Take the next lead and go there. */
export async function next() {
  if (!start.works) return;
  try {
    const response = await fetch(`/api/v1/alerts/next?${start.query}`, { method: "POST", headers: { "accept-language": start.lang } });
    const told = await response.json();
    if (!response.ok) throw new Error(told.detail);
    if (told.alert_id) location.assign(`/alerts/${encodeURIComponent(told.alert_id)}#work`);
    else tell(say("bulk.next.none"));
  } catch (error) {
    tell(error instanceof TypeError ? say("bulk.offline") : error.message);
  }
}

if (start.works) {
  list.addEventListener("change", (event) => {
    if (event.target.matches(".pick")) pick(event.target.closest(".item"));
  });
  byId("bulk-none").addEventListener("click", none);
  byId("bulk").addEventListener("click", (event) => {
    const what = event.target.closest("[data-do]")?.dataset.do;
    if (what === "claim") claim();
    if (what === "dismiss") dismiss();
  });
  byId("bulk-holder").addEventListener("change", (event) => {
    const holder = event.target.value;
    event.target.value = "";
    if (holder) send("assign", meant(), { holder });
  });
  byId("dismiss").addEventListener("close", () => {
    if (byId("dismiss").returnValue !== "send") return;
    const [reason, exclusion, note] = ["reason", "exclusion", "note"].map((name) => byId(`dismiss-${name}`).value);
    send("dismiss", meant(), { reason, exclusion: reason === "exclusion" ? exclusion : "", note });
    byId("dismiss-form").reset();
  });
}
