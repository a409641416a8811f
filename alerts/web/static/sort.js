// Tables that sort by a click on a column's head. Without scripts they stand in the order the server gave them.
// Tables of the same name (data-sort) share their rows: the longest part of a list is folded away below its first rows.
// The order stands in the address, as sort=table:column:up, so that a link and the way back show the same.

const NOTHING = new Set(["", "—", "-"]);
const NUMBER = /^[^\d-]*(-?[\d,]+(?:\.\d+)?)/;
const texts = new Intl.Collator(document.documentElement.lang, { numeric: true });

const groups = new Map();
for (const [i, table] of [...document.querySelectorAll("table.sorts")].entries()) {
  const name = table.dataset.sort || `t${i}`;
  groups.set(name, [...(groups.get(name) ?? []), table]);
}

/** What a cell is sorted by: data-v where the words would mislead, else its number, else its words; null for nothing. */
function worth(row, column, isNumber) {
  const cell = row.cells[column];
  const text = (cell.dataset.v ?? cell.textContent).trim();
  if (NOTHING.has(text)) return null;
  if (!isNumber) return text;
  const found = NUMBER.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) : null;
}

/** A column of numbers: every cell that says anything begins with one, or says so by data-v. */
const isNumeric = (rows, column) => rows.every((row) => {
  const text = (row.cells[column].dataset.v ?? row.cells[column].textContent).trim();
  return NOTHING.has(text) || /^[+-]?\d[\d,]*(\.\d+)?\s*%?$/.test(text);
});

function sort(tables, column, up) {
  const counts = tables.map((table) => table.tBodies[0].rows.length);
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const isNumber = isNumeric(rows, column);
  const keyed = rows.map((row) => [worth(row, column, isNumber), row]);
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what says nothing stays below, either way
    const order = isNumber ? a - b : texts.compare(a, b);
    return up ? order : -order;
  });
  const sorted = keyed.map(([, row]) => row);
  for (const [i, table] of tables.entries()) table.tBodies[0].append(...sorted.splice(0, counts[i]));
  for (const table of tables) {
    for (const [i, head] of [...table.tHead.rows[0].cells].entries()) {
      if (i === column) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  }
}

function remember(name, column, up) {
  const address = new URL(location.href);
  address.searchParams.set("sort", `${name}:${column}:${up ? "up" : "down"}`);
  history.replaceState(history.state, "", address);
}

for (const [name, tables] of groups) {
  for (const table of tables) {
    for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
      if (!head.textContent.trim()) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        // what is counted begins with the most, what is named with its first letter
        const up = before ? before === "descending" : !head.classList.contains("num");
        sort(tables, column, up);
        remember(name, column, up);
      });
    }
  }
}

const asked = new URLSearchParams(location.search).get("sort")?.split(":") ?? [];
const [name, column, way] = [asked[0], Number(asked[1]), asked[2]];
const tables = groups.get(name);
if (tables && Number.isInteger(column) && column >= 0 && column < tables[0].tHead.rows[0].cells.length) {
  sort(tables, column, way === "up");
  tables[0].closest("details")?.setAttribute("open", "");
}
