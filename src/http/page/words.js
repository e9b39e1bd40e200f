// How numbers and states are put into words.

import { DONE, DOUBTFUL, FAILED, OPEN } from "./bar.js";
import { currency } from "./processors.js";

export const settled = (task) => task.pages.done + task.pages.failed;
export const isFinal = (task) => ["completed", "failed", "cancelled"].includes(task.status);
export const nameOf = (task) => task.file_name ?? task.id;
export const pages = (count) => `${count} ${count === 1 ? "page" : "pages"}`;
export const plainName = (task) => nameOf(task).replace(/\.(pdf|png|jpe?g|tiff?|webp)$/i, "");

export function duration(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** How long ago a time was. */
export function age(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  if (seconds < 86400 * 14) return `${Math.round(seconds / 86400)} d ago`;
  return new Date(time).toLocaleDateString([], { dateStyle: "medium" });
}

export const exactTime = (time) => new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const [unit, by] = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(bytes / by).toPrecision(3)} ${unit}`;
}

/** An amount of money, with two digits that say something. */
export function money(cost) {
  const digits = cost === 0 || cost >= 1 ? 2 : Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(cost))));
  const code = currency();
  if (!code) return cost.toFixed(digits);
  try {
    return new Intl.NumberFormat([], { style: "currency", currency: code, minimumFractionDigits: Math.min(digits, 2), maximumFractionDigits: digits }).format(cost);
  } catch { return `${cost.toFixed(digits)} ${code}`; }
}

/** What a row or a title says of a task: an icon, a word and a class. */
export function state(task) {
  const { failed, doubtful } = task.pages;
  switch (task.status) {
    case "pending": return { icon: "waiting", text: "Waiting", kind: "" };
    case "processing": return { icon: "running", text: "Running", kind: "running" };
    case "failed": return { icon: "failed", text: "Failed", kind: "failed" };
    case "cancelled": return { icon: "cancelled", text: "Cancelled", kind: "" };
    default:
      if (failed) return { icon: "failed", text: `${failed} failed`, kind: "failed" };
      if (doubtful) return { icon: "doubt", text: `${doubtful} doubtful`, kind: "doubt" };
      return { icon: "done", text: "Completed", kind: "done" };
  }
}

/** Findings in a few words. */
const FINDINGS = {
  no_text_layer: "not read", unreadable_text: "unreadable text", unread_picture: "picture not read", unfaithful: "unfaithful",
  text_unsure: "text unsure", hidden_text: "hidden text", attachments: "attachments not read", xfa_shell: "form not read",
  unsure: "answer unsure", ocr: "OCR unsure", truncated: "truncated",
};
const FACTS = new Set(["margin_removed", "figures_left_out"]);

/** The findings that make a page doubtful: all that are no facts. */
export const doubts = (view) => (view?.findings ?? []).filter(({ code, fact }) => !fact && !FACTS.has(code));

export function pageState(view) {
  if (view?.status === "failed") return FAILED;
  if (view?.status !== "done") return OPEN;
  return doubts(view).length ? DOUBTFUL : DONE;
}

export const STATES = { [DONE]: "done", [DOUBTFUL]: "doubtful", [FAILED]: "failed", [OPEN]: "not read" };

/** Pages, findings, calls, money and time of a task, in one line. `rate` is in pages a second, where it is known. */
export function facts(task, rate) {
  const { done, failed, doubtful, pending } = task.pages, parts = [];
  parts.push(`${done} of ${task.total_pages ?? "?"} ${task.total_pages === 1 ? "page" : "pages"} read`);
  if (failed) parts.push(`${failed} failed`);
  if (doubtful) {
    const found = Object.entries(task.findings ?? {}).map(([code, count]) => `${count} ${FINDINGS[code] ?? code}`);
    parts.push(`${doubtful} doubtful${found.length ? ` (${found.join(", ")})` : ""}`);
  }
  parts.push(`processor ${task.processor}`);
  if (task.usage.calls) parts.push(`${task.usage.calls} ${task.usage.calls === 1 ? "call" : "calls"}`);
  if (task.usage.reused) parts.push(`${task.usage.reused} from cache`);
  if (task.usage.cost !== null && task.usage.cost !== undefined) parts.push(`cost ${money(task.usage.cost)}`);
  if (isFinal(task) && task.started_at) {
    parts.push(`took ${duration((Date.parse(task.finished_at) - Date.parse(task.started_at)) / 1000)}`);
  } else if (!isFinal(task) && rate > 0 && pending) {
    parts.push(`${Math.max(1, Math.round(rate * 60))} pages/min`, `about ${duration(pending / rate)} left`);
  }
  return parts.join(" · ");
}

/** Pages a second, smoothed: over the last minute, and each new value moves it by a quarter only. */
export class Rate {
  seen = [];
  value = 0;
  add(count) {
    const now = performance.now();
    this.seen.push([now, count]);
    while (this.seen.length > 2 && now - this.seen[0][0] > 60000) this.seen.shift();
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    const seconds = (last[0] - first[0]) / 1000;
    if (seconds < 2) return 0;
    const fresh = (last[1] - first[1]) / seconds;
    this.value = this.value ? this.value * 0.75 + fresh * 0.25 : fresh;
    return this.value;
  }
}
