// The page of a lead: says when there is a newer revision, and finds the way back to the list as it was.

import { follow } from "./live.js";
import { say, start } from "./words.js";

const byId = (id) => document.getElementById(id);

const came = sessionStorage.getItem("fundwatch-feed");
if (came?.startsWith("/")) byId("back").setAttribute("href", came);

const copy = byId("copy");
copy.hidden = !navigator.clipboard;
copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(copy.dataset.id);
  copy.textContent = say("lead.copied");
});

/** The form that lets the subject rest; only there for who may. */
function openRest() {
  const rest = byId("rest");
  if (!rest) return;
  rest.open = true;
  rest.querySelector("input:checked").focus();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !event.target.closest("input, textarea, dialog")) location.assign(byId("back").href);
  if (event.key === "/" && !event.target.closest("input, textarea")) {
    event.preventDefault();
    byId("search").focus();
  }
  if (event.key === "s" && !event.target.closest("input, textarea")) {
    event.preventDefault();
    openRest();
  }
});

// not before the browser has gone to the place that the address names: that takes the focus away
if (location.hash === "#rest") addEventListener("load", () => setTimeout(openRest));

const show = () => { byId("updated").hidden = false; };

follow(start.seq, start.lang, {
  alerts: (batch) => {
    if (batch.changes.some((change) => change.id === start.id)) show();
  },
  beat: () => {},
  state: () => {},
  resync: show,
});
