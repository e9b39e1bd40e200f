// What the page asks of the server. Whoever listens hears by events on `window` how the connection is:
// `connection` with `detail` true or false, and `unauthorized`.

const KEY = "bindery-key";

export const savedKey = () => sessionStorage.getItem(KEY) ?? "";
export const saveKey = (key) => sessionStorage.setItem(KEY, key);

/** An answer of the API that is a problem (RFC 9457), or no answer at all (`status` 0). */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? (status ? `the server answered ${status}` : "the server cannot be reached"));
    this.status = status;
    this.code = problem?.code;
  }
}

function told(status, problem) {
  window.dispatchEvent(new CustomEvent("connection", { detail: status !== 0 }));
  if (status === 401) window.dispatchEvent(new Event("unauthorized"));
  return new Problem(status, problem);
}

const headers = () => (savedKey() ? { authorization: `Bearer ${savedKey()}` } : {});

export async function ask(method, path, options = {}) {
  let response;
  try {
    response = await fetch(path, { method, ...options, headers: { ...headers(), ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw told(0);
  }
  if (!response.ok) throw told(response.status, await response.json().catch(() => null));
  window.dispatchEvent(new CustomEvent("connection", { detail: true }));
  return response;
}

export const json = async (method, path, options) => (await ask(method, path, options)).json();

/** Sends a PDF; `progress` hears what part of it is there. */
export function submit(file, fields, progress) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const [name, value] of fields) if (value) form.append(name, value);
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/tasks");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(told(0));
    request.onload = () => {
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* not ours */ }
      if (request.status < 300) resolve(answer);
      else reject(told(request.status, answer));
    };
    request.send(form);
  });
}

/** The events of a task until its end; comes back by itself after an interruption, and goes on where it was. */
export async function* events(id, signal) {
  let last = "";
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 8000)) {
    try {
      const response = await ask("GET", `/v1/tasks/${id}/events`, { signal, headers: last ? { "last-event-id": last } : {} });
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
      if (!(error instanceof Problem)) window.dispatchEvent(new CustomEvent("connection", { detail: false }));
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
