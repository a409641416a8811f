// Pieces of a page that the server drew.

/** The nodes of a piece of HTML. Parsed apart from the page: nothing in it runs. */
export function nodes(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  return [...parsed.body.childNodes].map((node) => document.adoptNode(node));
}

/** Fetches a piece of a page; goes to the log-in if the session has ended. */
export async function fetched(address, signal) {
  const response = await fetch(address, { headers: { accept: "text/html" }, signal });
  if (response.redirected) {
    location.reload();
    return [];
  }
  if (!response.ok) throw new Error(`${response.status}`);
  return nodes(await response.text());
}
