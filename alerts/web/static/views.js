// Saved views: kept and dropped without leaving the list. The rail is read again by the feed, so it is listened to.

import { start } from "./words.js";

const rail = document.getElementById("rail");

async function keep(form) {
  const body = { name: form.elements.name.value, shared: form.elements.shared.checked, query: start.query };
  const response = await fetch("/api/v1/views", {
    method: "POST",
    headers: { "content-type": "application/json", "accept-language": start.lang },
    body: JSON.stringify(body),
  });
  if (response.ok) {
    location.reload();
    return;
  }
  const told = await response.json();
  form.elements.name.setCustomValidity(told.detail);
  form.elements.name.reportValidity();
  form.elements.name.addEventListener("input", () => form.elements.name.setCustomValidity(""), { once: true });
}

rail.addEventListener("submit", (event) => {
  if (event.target.id !== "keep") return;
  event.preventDefault();
  keep(event.target);
});

rail.addEventListener("click", async (event) => {
  const drop = event.target.closest("[data-view]");
  if (!drop) return;
  await fetch(`/api/v1/views?name=${encodeURIComponent(drop.dataset.view)}`, { method: "DELETE" });
  drop.closest("li").remove();
});
