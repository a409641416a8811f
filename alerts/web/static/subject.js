// The page of a subject: what memory holds comes after the page, since reading it may take a while.

import { fetched } from "./fragment.js";

const ask = document.getElementById("ask");
const came = sessionStorage.getItem("fundwatch-feed");
if (came?.startsWith("/")) document.getElementById("back").setAttribute("href", came);

try {
  const page = await fetched(ask.href);
  const told = page.find((node) => node.id === "main")?.querySelector("#told");
  if (told) document.getElementById("memory").replaceWith(...told.childNodes);
} catch {
  // the link stays: it leads to the page that says what is wrong
}
