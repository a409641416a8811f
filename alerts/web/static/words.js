// The texts that scripts speak, and what the page was drawn with: both come with the page.

const read = (id) => JSON.parse(document.getElementById(id).textContent);

const words = read("words");

/** What the page was drawn with: seq, language, filters. */
export const start = read("start");

/** The text of a key; "one|{n} many" is chosen by n. */
export function say(key, values = {}) {
  let text = words[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  const [one, many] = text.split("|");
  if (many !== undefined) text = values.n === 1 ? one : many;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

const zone = "Asia/Shanghai";
const clockFormat = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });

const dayFormat = new Intl.DateTimeFormat(start.lang === "zh" ? "zh-CN" : "en-GB", { timeZone: zone, month: "short", day: "numeric" });

/** 11月17日 or 17 Nov, in +08:00. */
export const day = (at) => dayFormat.format(at);

/** 21:04:09, in +08:00. */
export const clock = (at) => clockFormat.format(at);
