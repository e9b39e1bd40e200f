// Requests to the server, by addresses relative to the page: it may be served below a path. How the connection is, is
// dispatched on `window`: `connection` with `detail` true or false, `recovered`, and `unauthorized`.

const KEY = "bindery-key";
const PROBE = 1000; // Milliseconds between two looks for a server that is gone.

export const savedKey = () => sessionStorage.getItem(KEY) ?? "";
export const saveKey = (key) => sessionStorage.setItem(KEY, key);

/** A problem (RFC 9457) that the API returned, or no response at all (`status` 0). */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? (status ? `the server returned ${status}` : "the server cannot be reached"));
    this.status = status;
    this.code = problem?.code;
  }
}

let probing = false;

/** The server is gone: looks for it until it is back, whatever else goes on. */
function lost() {
  window.dispatchEvent(new CustomEvent("connection", { detail: false }));
  if (probing) return;
  probing = true;
  const probe = async () => {
    try {
      await fetch("healthz");
      probing = false;
      window.dispatchEvent(new CustomEvent("connection", { detail: true }));
      window.dispatchEvent(new Event("recovered"));
    } catch { setTimeout(probe, PROBE); }
  };
  setTimeout(probe, PROBE);
}

function problem(status, body) {
  if (status === 0) lost();
  if (status === 401) window.dispatchEvent(new Event("unauthorized"));
  return new Problem(status, body);
}

const headers = () => (savedKey() ? { authorization: `Bearer ${savedKey()}` } : {});

export async function ask(method, path, options = {}) {
  let response;
  try {
    response = await fetch(path, { method, ...options, headers: { ...headers(), ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw problem(0);
  }
  if (!response.ok) throw problem(response.status, await response.json().catch(() => null));
  return response;
}

export const json = async (method, path, options) => (await ask(method, path, options)).json();

/** Posts a document with options; `progress` gets the share that is sent, 0 to 1. */
export function upload(path, file, fields, { progress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const [name, value] of fields) if (value) form.append(name, value);
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    if (progress) request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(problem(0));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.onload = () => {
      let body = null;
      try { body = JSON.parse(request.responseText); } catch { /* not ours */ }
      if (request.status < 300) resolve(body);
      else reject(problem(request.status, body));
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** Runs `work` on all items, so many at a time. */
export async function each(items, atOnce, work) {
  const queue = [...items];
  const worker = async () => { while (queue.length) await work(queue.shift()); };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** The events of a task until its end; reconnects after an interruption and continues where it was. */
export async function* events(id, signal) {
  let last = "";
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 8000)) {
    try {
      const response = await ask("GET", `v1/tasks/${id}/events`, { signal, headers: last ? { "last-event-id": last } : {} });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
          const field = (name) => text.slice(0, end).split("\n").find((line) => line.startsWith(name))?.slice(name.length + 2);
          last = field("id") ?? last;
          const event = field("event");
          if (!event) continue;
          wait = 500;
          yield { event, data: JSON.parse(field("data")) };
          if (event === "end") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && (error.status === 404 || error.status === 401)) throw error;
      if (!(error instanceof Problem)) lost();
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
