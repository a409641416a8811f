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

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.target.closest("input, dialog")) location.assign(byId("back").href);
  if (event.key === "/" && !event.target.closest("input")) {
    event.preventDefault();
    byId("search").focus();
  }
});

const show = () => { byId("updated").hidden = false; };

follow(start.seq, start.lang, {
  alerts: (batch) => {
    if (batch.changes.some((change) => change.id === start.id && change.revision > start.revision)) show();
  },
  beat: () => {},
  state: () => {},
  resync: show,
});
