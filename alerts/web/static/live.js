// What changes, as it happens. A browser opens few connections to one site: so one tab leads and listens to the server,
// the others listen to it. When it closes another takes over. A tab that missed something asks for it.

const CHANNEL = "fundwatch";
const SILENT_MS = 30_000; // the server gives a sign of life every 10 s

/**
 * Follow the feed from `seq` on.
 * hear: {alerts(batch), beat(beat), resync(), state("live"|"again")}
 */
export function follow(seq, lang, hear) {
  const name = `${CHANNEL}-${lang}`;
  const channel = "BroadcastChannel" in self ? new BroadcastChannel(name) : null;
  let source = null;
  let heard = Date.now();
  let catching = null;

  const take = (batch) => {
    if (batch.seq <= seq) return;
    if (batch.after > seq) {
      catchUp();
      return;
    }
    const changes = batch.changes.filter((change) => change.seq > seq); // the page has been drawn with the others
    seq = batch.seq;
    hear.alerts({ ...batch, changes });
  };

  const catchUp = () => {
    catching ??= missed().finally(() => { catching = null; });
  };

  const missed = async () => {
    try {
      const response = await fetch(`/changes?after=${seq}`, { headers: { accept: "application/json" } });
      if (response.status === 401) location.reload();
      if (!response.ok) return;
      const batch = await response.json();
      hear.state("live");
      if (batch.resync !== undefined) {
        seq = batch.resync;
        hear.resync();
      } else {
        take({ ...batch, after: Math.min(batch.after, seq) });
      }
    } catch {
      hear.state("again");
    }
  };

  const tell = (kind, data) => {
    heard = Date.now();
    if (kind === "alerts") take(data);
    else if (kind === "beat") {
      hear.state("live");
      hear.beat(data);
      if (data.seq > seq) catchUp();
    } else if (kind === "resync") {
      seq = data.seq;
      hear.resync();
    } else if (kind === "bye") location.reload();
    else if (kind === "state") hear.state(data);
  };

  const pass = (kind, data) => {
    tell(kind, data);
    channel?.postMessage({ kind, data });
  };

  const lead = () => {
    source = new EventSource(`/live?after=${seq}`);
    for (const kind of ["alerts", "beat", "resync", "bye"]) {
      source.addEventListener(kind, (event) => pass(kind, JSON.parse(event.data)));
    }
    source.addEventListener("error", () => {
      pass("state", "again");
      if (source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(lead, 3_000);
      }
    });
  };

  if (channel) channel.addEventListener("message", (event) => tell(event.data.kind, event.data.data));
  if (channel && navigator.locks) {
    navigator.locks.request(name, () => new Promise(() => lead())); // held until this tab is closed
    catchUp();
  } else lead();

  setInterval(() => {
    if (Date.now() - heard > SILENT_MS) hear.state("again");
  }, 5_000);
}
