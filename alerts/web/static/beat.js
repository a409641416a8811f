// The heartbeat bar: is the system alive, and may a quiet list be believed?

import { clock, day, say, start } from "./words.js";

const SILENT_MIN = 60; // minutes without any result after which the bar says so

const byId = (id) => document.getElementById(id);
const svg = "http://www.w3.org/2000/svg";

let last = start.last ? new Date(start.last) : null;
let minutes = start.minutes;
let state = "connecting";
let paused = false;
let lost = null;

/** The connection is there (live) or not (again). */
export function connection(now) {
  if (now === "again" && state !== "again") lost = new Date();
  state = now;
  draw();
}

/** The reader stopped the list, or lets it go on. */
export function pausing(now) {
  paused = now;
  byId("pause").setAttribute("aria-pressed", String(now));
  draw();
}

/** What the server says of the last hour. */
export function beat(told) {
  minutes = told.minutes;
  last = told.last ? new Date(told.last) : null;
  draw();
}

function draw() {
  const quiet = last ? Math.floor((Date.now() - last) / 60_000) : null;
  const shown = state !== "live" ? state : paused ? "paused" : quiet === null || quiet >= SILENT_MIN ? "silent" : "live";
  const what = {
    again: () => say("beat.again.what", { at: clock(lost ?? new Date()) }),
    paused: () => say("beat.paused.what"),
    silent: () => (quiet === null ? say("beat.never") : say("beat.silent.what", { n: quiet })),
  }[shown];
  const place = byId("state");
  if (place.dataset.state !== shown) {
    place.dataset.state = shown;
    byId("state-word").textContent = say(`beat.${shown}`);
  }
  byId("state-what").textContent = what ? what() : "";
  byId("last").textContent = last && shown !== "silent" ? say("beat.last", { at: lastAt() }) : "";
  byId("hour").textContent = say("beat.count", { n: minutes.reduce((sum, n) => sum + n, 0) });
  bars();
}

function lastAt() {
  return day(new Date()) === day(last) ? clock(last) : `${day(last)} ${clock(last)}`;
}

function bars() {
  const most = Math.max(1, ...minutes);
  const drawn = minutes.map((n, i) => {
    const height = n ? 3 + (18 * n) / most : 1;
    const bar = document.createElementNS(svg, "rect");
    const place = { x: i * 9, y: 22 - height, width: 7.4, height };
    for (const [name, value] of Object.entries(place)) bar.setAttribute(name, value.toFixed(1));
    bar.setAttribute("class", i === minutes.length - 1 ? "fi" : "fl2");
    return bar;
  });
  byId("minutes").replaceChildren(...drawn);
}

draw();
