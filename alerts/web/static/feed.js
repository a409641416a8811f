// The feed: the list that does not move under the reader, the summary beside it, and the keys.

import * as heart from "./beat.js";
import * as bulk from "./bulk.js";
import { fetched, nodes } from "./fragment.js";
import { follow } from "./live.js";
import "./views.js";
import { say, start } from "./words.js";

const MOST_HELD = 2_000; // new rows kept for the pill; beyond it the list is read again
const RAIL_MS = 2_000; // counts are read again at most this often
const ANNOUNCE_MS = 10_000;

const byId = (id) => document.getElementById(id);
const list = byId("list");
const scroll = byId("scroll");
const side = byId("side");
const pill = byId("pill");
const narrow = matchMedia("(max-width: 1200px)");
const phone = matchMedia("(max-width: 760px)");

const query = (more = {}) => {
  const params = new URLSearchParams(start.query);
  for (const [name, value] of Object.entries(more)) params.set(name, value);
  return params.size || params.toString() ? `?${params}` : "";
};

// -- which rows there are

const rowOf = (id) => list.querySelector(`.item[data-id="${CSS.escape(id)}"]`);
const rows = () => [...list.querySelectorAll(".row")];
const inOrder = !start.asks;
const BESIDE = ["inhibited", "snoozed", "moved", "claimed", "unclaimed"]; // changes that call nobody: news only where the row is shown

const wanted = (change) =>
  (!start.levels.length || start.levels.includes(change.level)) &&
  (!start.detectors.length || start.detectors.includes(change.detector)) &&
  start.statuses.includes(change.state) &&
  (start.inhibited === null || start.inhibited === change.inhibited);

// -- the list stands still while it is read

let paused = false;
let touched = false; // the reader has chosen a row
let hovering = false;
const waiting = new Map(); // id -> change, oldest first
let stale = false; // too much changed to be put in row by row

const isRead = () => {
  const top = phone.matches ? document.documentElement.scrollTop : scroll.scrollTop;
  return paused || touched || hovering || bulk.picking() || top > 0 || document.hidden || list.contains(document.activeElement);
};

scroll.addEventListener("pointerenter", () => { hovering = true; });
scroll.addEventListener("pointerleave", () => { hovering = false; });

function hear(batch) {
  for (const change of batch.changes) {
    const shown = rowOf(change.id);
    if (shown) replace(shown, change);
    else if (!wanted(change)) waiting.delete(change.id);
    else if (waiting.has(change.id) || !BESIDE.includes(change.kind)) wait(change);
  }
  if (!batch.changes.length) return;
  if (start.asks && waiting.size) checkSearch();
  else settle();
  readRail();
}

/** A row that is there already changes in its place, whatever becomes of it. */
function replace(shown, change) {
  if (Number(shown.dataset.seq) >= change.seq) return;
  const current = shown.querySelector(".row").getAttribute("aria-current");
  const focused = shown.contains(document.activeElement);
  const fresh = nodes(change.html).find((node) => node.nodeType === Node.ELEMENT_NODE);
  fresh.dataset.seq = change.seq;
  fresh.classList.toggle("new", !change.quiet && (shown.classList.contains("new") || !BESIDE.includes(change.kind)));
  shown.replaceWith(fresh);
  bulk.mark(fresh);
  if (current) fresh.querySelector(".row").setAttribute("aria-current", current);
  if (focused) fresh.querySelector(".row").focus({ preventScroll: true });
  if (current && !narrow.matches) showPanel(change.id);
}

function wait(change) {
  const before = waiting.get(change.id);
  const kind = before && (before.kind !== "changed" || BESIDE.includes(change.kind)) ? before.kind : change.kind;
  waiting.delete(change.id);
  waiting.set(change.id, { ...change, kind });
  if (waiting.size > MOST_HELD) {
    waiting.clear();
    stale = true;
  }
}

/** Put in what waits if nobody is reading, else say how much waits. */
function settle() {
  if (waiting.size && inOrder && !stale && !isRead()) insert();
  showPill();
}

function insert() {
  for (const change of waiting.values()) put(change);
  waiting.clear();
  byId("empty").hidden = true;
  if (!touched && !narrow.matches) select(rows()[0], { byReader: false });
}

/** One row where the order of the list wants it. What belongs on a later page comes with that page. */
function put(change) {
  const fresh = nodes(change.html).find((node) => node.nodeType === Node.ELEMENT_NODE);
  fresh.dataset.seq = change.seq;
  if (!change.quiet) fresh.classList.add("new");
  if (start.order === "newest") {
    list.prepend(fresh);
    return;
  }
  const after = [...list.querySelectorAll(".item")].find((item) => item.dataset.risk < change.risk);
  if (after) after.before(fresh);
  else if (!list.querySelector(".more")) list.append(fresh);
}

/** What waits and calls somebody; the rest goes in without a word. */
const ringing = () => [...waiting.values()].filter((change) => !change.quiet);

function showPill() {
  pill.hidden = !ringing().length && !stale;
  if (pill.hidden) return;
  pill.textContent = `↑ ${stale ? say("pill.reload") : counted()}`;
  announce();
}

function counted() {
  const all = ringing();
  const fresh = all.filter((change) => !["changed", "withdrawn", "released"].includes(change.kind));
  const rest = all.length - fresh.length;
  const parts = [];
  const many = (n) => (n > 99 ? say("pill.most") : n);
  if (fresh.length) parts.push(say("pill.created", { n: many(fresh.length) }) + byLevel(fresh));
  if (rest) parts.push(say("pill.changed", { n: many(rest) }));
  return parts.join(start.lang === "zh" ? "；" : "; ");
}

function byLevel(changes) {
  const grave = ["red", "orange"].map((level) => [level, changes.filter((change) => change.level === level).length]);
  const named = grave.filter(([, n]) => n).map(([level, n]) => `${say(`level.${level}`)}${start.lang === "zh" ? "" : " "}${n}`);
  return named.length ? say("pill.levels", { levels: named.join(start.lang === "zh" ? "、" : ", ") }) : "";
}

/** The new ones, as the reader asked. */
function takeIn() {
  if (stale || !inOrder) {
    location.reload();
    return;
  }
  touched = false;
  list.querySelectorAll('.row[aria-current="true"]').forEach((row) => row.removeAttribute("aria-current"));
  document.activeElement?.blur();
  if (waiting.size) insert();
  showPill();
  scroll.scrollTo({ top: 0 });
  if (phone.matches) scrollTo({ top: 0 });
}

// A search, and what an alert does not tell of itself, is decided by the server: ask whether anything new fits.
let searching = 0;
async function checkSearch() {
  const mine = ++searching;
  await new Promise((done) => setTimeout(done, RAIL_MS));
  if (mine !== searching) return;
  const found = await fetched(`/rows${query()}`).catch(() => []);
  const ids = new Set(found.map((node) => node.dataset?.id));
  for (const id of [...waiting.keys()]) if (!ids.has(id)) waiting.delete(id);
  showPill();
}

let announced = 0;
function announce() {
  const all = ringing();
  const red = all.filter((change) => change.level === "red").length;
  if (!all.length || (!red && Date.now() - announced < ANNOUNCE_MS)) return;
  announced = Date.now();
  byId("announce").textContent = say("announce.new", { n: all.length, red });
}

// -- counts

let railTimer = null;
function readRail() {
  railTimer ??= setTimeout(async () => {
    railTimer = null;
    const fresh = await fetched(`/rail${query()}`).catch(() => []);
    if (!fresh.length || byId("rail").contains(document.activeElement)) return;
    byId("rail").replaceChildren(...fresh);
    byId("total").textContent = byId("rail").querySelector(".total").dataset.total;
  }, RAIL_MS);
}

// -- the summary beside the list

let asking = null;
async function showPanel(id) {
  asking?.abort();
  asking = new AbortController();
  try {
    side.replaceChildren(...(await fetched(`/alerts/${encodeURIComponent(id)}/panel`, asking.signal)));
    side.scrollTop = 0;
  } catch (error) {
    if (error.name !== "AbortError") byId("announce").textContent = say("js.offline");
  }
}

function select(row, { byReader }) {
  if (!row) return;
  list.querySelectorAll('.row[aria-current="true"]').forEach((other) => other.removeAttribute("aria-current"));
  row.setAttribute("aria-current", "true");
  const item = row.closest(".item");
  if (byReader) {
    touched = true;
    item.classList.remove("new");
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  if (!narrow.matches && side.querySelector("article")?.dataset.panel !== item.dataset.id) showPanel(item.dataset.id);
}

list.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
  if (row && plain && !narrow.matches && row.getAttribute("aria-current") !== "true" && event.detail > 0) {
    event.preventDefault();
    select(row, { byReader: true });
    return;
  }
  const more = event.target.closest("[data-cursor]");
  if (more) readMore(more);
});

async function readMore(button) {
  button.disabled = true;
  try {
    const fresh = await fetched(`/rows${query({ after: button.dataset.cursor })}`);
    const known = fresh.filter((node) => node.nodeType === Node.ELEMENT_NODE && !(node.dataset.id && rowOf(node.dataset.id)));
    button.closest(".more").replaceWith(...known);
    known[0]?.querySelector(".row")?.focus({ preventScroll: true });
  } catch {
    button.disabled = false;
  }
}

// -- keys

function move(step) {
  const all = rows();
  const at = all.findIndex((row) => row.getAttribute("aria-current") === "true");
  const first = at < 0 || (!touched && step > 0 && at === 0 && !list.contains(document.activeElement));
  select(all[first ? 0 : Math.max(0, Math.min(all.length - 1, at + step))], { byReader: true });
}

function pause() {
  paused = !paused;
  heart.pausing(paused);
  if (!paused) settle();
}

const keys = {
  j: () => move(1),
  ArrowDown: () => move(1),
  k: () => move(-1),
  ArrowUp: () => move(-1),
  Home: takeIn,
  "/": () => byId("search").focus(),
  "?": () => byId("keys").showModal(),
  " ": pause,
  s: () => {
    const chosen = start.snoozes && list.querySelector('.row[aria-current="true"]');
    if (chosen) location.assign(`${chosen.href}#rest`);
  },
  x: () => bulk.pick(),
  a: bulk.claim,
  f: bulk.dismiss,
  n: bulk.next,
  e: () => {
    const chosen = start.works && list.querySelector('.row[aria-current="true"]');
    if (chosen) location.assign(`${chosen.href}#work`);
  },
  Enter: () => list.querySelector('.row[aria-current="true"]')?.click(),
};

const LETTERS = "fundwatch-letters"; // "off" for who types them by accident
const letters = byId("letters");
letters.checked = localStorage.getItem(LETTERS) !== "off";
letters.addEventListener("change", () => localStorage.setItem(LETTERS, letters.checked ? "on" : "off"));
const isOff = (key) => /^[a-z]$/.test(key) && !letters.checked;

addEventListener("keydown", (event) => {
  const busy = event.target.closest("input:not(.pick), textarea, select, button, dialog, summary");
  const inLink = event.target.closest("a") && event.key === "Enter";
  if (busy || inLink || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys) || isOff(event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.blur();
});
pill.addEventListener("click", takeIn);
byId("pause").addEventListener("click", pause);
byId("help").addEventListener("click", () => byId("keys").showModal());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) showPill();
});

// the first row is shown beside the list, but nobody has chosen it yet
rows()[0]?.setAttribute("aria-current", "true");
sessionStorage.setItem("fundwatch-feed", location.pathname + location.search);

follow(start.seq, start.lang, {
  alerts: hear,
  beat: heart.beat,
  state: heart.connection,
  resync: () => {
    stale = true;
    if (isRead()) showPill();
    else location.reload();
  },
});
