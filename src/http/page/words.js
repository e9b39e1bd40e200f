// How numbers and states are said.

import { DONE, DOUBTFUL, FAILED } from "./bar.js";

export const settled = (task) => task.pages.done + task.pages.failed;
export const isFinal = (task) => ["completed", "failed", "cancelled"].includes(task.status);

export function duration(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

const money = (cost) => (cost >= 1 ? cost.toFixed(2) : cost.toPrecision(2));

/** Pages, failures, time and money, in one line. `rate` is in pages a second, where it is known. */
export function facts(task, rate) {
  const parts = [];
  const total = task.total_pages ?? "?";
  parts.push(`${task.pages.done} of ${total} ${total === 1 ? "page" : "pages"}`);
  if (task.pages.failed) parts.push(`${task.pages.failed} failed`);
  if (task.pages.doubtful) {
    const found = Object.entries(task.findings ?? {}).map(([code, count]) => `${count} ${SHORT[code] ?? code}`);
    parts.push(`${task.pages.doubtful} doubtful${found.length ? ` (${found.join(", ")})` : ""}`);
  }
  if (task.usage.calls) parts.push(`${task.usage.calls} ${task.usage.calls === 1 ? "call" : "calls"}`);
  if (task.usage.reused) parts.push(`${task.usage.reused} known before`);
  if (task.usage.cost) parts.push(`cost ${money(task.usage.cost)}`);
  if (isFinal(task) && task.started_at) {
    parts.push(`took ${duration((Date.parse(task.finished_at) - Date.parse(task.started_at)) / 1000)}`);
  } else if (!isFinal(task) && rate > 0 && task.pages.pending) {
    parts.push(`about ${duration(task.pages.pending / rate)} left`);
  }
  return parts.join(" · ");
}

/** Findings in a word. */
const SHORT = {
  no_text_layer: "not read", unreadable_text: "unreadable text", unread_picture: "unread picture", unfaithful: "unfaithful",
  text_unsure: "unsure text", hidden_text: "hidden text", attachments: "attachments not read", xfa_shell: "form not read",
  unsure: "unsure answer",
};
const FACTS = new Set(["margin_removed"]);

/** The findings that make a page doubtful: all that are no facts. */
export const doubts = (view) => (view?.findings ?? []).filter(({ code }) => !FACTS.has(code));
export const pageState = (view) => (view.status !== "done" ? FAILED : doubts(view).length ? DOUBTFUL : DONE);
export const troubled = (task) => task.status === "completed" && task.pages.failed + (task.pages.doubtful ?? 0) > 0;

/** Pages a second over the last half minute. */
export class Rate {
  seen = [];
  add(count) {
    const now = performance.now();
    this.seen.push([now, count]);
    while (this.seen.length > 2 && now - this.seen[0][0] > 30000) this.seen.shift();
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    return last[0] - first[0] > 1000 ? ((last[1] - first[1]) * 1000) / (last[0] - first[0]) : 0;
  }
}

/** The numbers behind `1-5,8,r2-r1` in a PDF of so many pages; as many as `total` says where that is all that is known. */
export const pageNumbers = (total) => Array.from({ length: total }, (_, at) => at + 1);
