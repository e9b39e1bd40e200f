// The review card: what files would take, before anything starts; then their uploads.

import { Problem, each, upload } from "./api.js";
import { $, el, icon, toast } from "./dom.js";
import { drawChoice, processors } from "./processors.js";
import { money, pages, size } from "./words.js";

const AT_ONCE = 3; // A browser has six connections to a server, and others are needed.

export class Review {
  /** `onDone` is called with the tasks that the files became. */
  constructor(onDone) {
    Object.assign(this, { onDone, entries: [], form: $("review") });
    $("review-cancel").addEventListener("click", () => this.close());
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.start(); });
    this.form.addEventListener("change", (event) => { if (!event.target.closest("#review-files")) this.look(this.entries); });
    window.addEventListener("recovered", () => this.again());
  }

  async add(files) {
    if (!files.length) return;
    await this.open();
    const fresh = files.map((file) => new Entry(this, file));
    this.entries.push(...fresh);
    $("review-files").tBodies[0].append(...fresh.map((entry) => entry.row));
    this.form.scrollIntoView({ block: "nearest" });
    this.look(fresh);
  }

  async open() {
    if (!this.form.hidden) return;
    this.form.reset();
    this.form.hidden = false;
    this.sending = false;
    try {
      const all = await processors();
      await drawChoice(this.form.elements.processor, { anyDefault: true });
      for (const field of this.form.querySelectorAll(".for-model")) field.hidden = !all.processors.includes("llm");
      $("budget-unit").textContent = all.currency ? `in ${all.currency}` : "";
    } catch { /* said at the top of the page */ }
  }

  close() {
    for (const entry of this.entries) entry.stop?.abort();
    this.entries = [];
    $("review-files").tBodies[0].replaceChildren();
    this.form.hidden = true;
    this.total();
  }

  remove(entry) {
    entry.stop?.abort();
    entry.row.remove();
    this.entries = this.entries.filter((other) => other !== entry);
    if (this.entries.length) this.total();
    else this.close();
  }

  fields(entry) {
    const fields = [...new FormData(this.form)].filter(([, value]) => value);
    return entry.password ? [...fields, ["password", entry.password]] : fields;
  }

  /** Asks for estimates. */
  async look(entries) {
    if (this.sending) return;
    for (const entry of entries) entry.begin();
    this.total();
    await each(entries, AT_ONCE, (entry) => entry.look(this.fields(entry)));
  }

  total() {
    const ready = this.entries.filter((entry) => entry.estimate), waiting = this.entries.some((entry) => entry.state === "looking");
    const sum = (field) => ready.reduce((all, { estimate }) => all + (estimate[field] ?? 0), 0);
    const parts = [pages(sum("pages"))], priced = ready.filter(({ estimate }) => estimate.cost !== null && estimate.cost !== undefined);
    if (sum("reused")) parts.push(`${sum("reused")} from cache`);
    if (sum("calls")) parts.push(`${sum("calls")} ${sum("calls") === 1 ? "call" : "calls"}`);
    if (priced.length) parts.push(`about ${money(sum("cost"))}`);
    else if (sum("calls")) parts.push("price of the model not known");
    else if (ready.length) parts.push("free");
    if (sum("failed")) parts.push(`${sum("failed")} cannot be read`);
    $("review-total").textContent = this.sending ? "" : waiting ? "Looking at the pages …" : ready.length ? parts.join(" · ") : "";
    $("review-start").disabled = this.sending || waiting || !ready.length;
    $("review-start").textContent = ready.length > 1 ? `Start ${ready.length} tasks` : "Start";
    $("review-cancel").textContent = this.sending ? "Close" : "Discard";
  }

  async start() {
    if ($("review-start").disabled) return;
    await this.send(this.entries.filter((entry) => entry.estimate));
  }

  async send(entries) {
    this.sending = true;
    for (const entry of entries) { entry.wanted = true; entry.say("waiting", "Waiting to be sent"); }
    this.total();
    await each(entries, AT_ONCE, (entry) => this.entries.includes(entry) && entry.send(this.fields(entry)));
    this.sending = false;
    const sent = this.entries.filter((entry) => entry.task);
    for (const entry of sent) { entry.row.remove(); this.entries = this.entries.filter((other) => other !== entry); }
    if (!this.entries.length) this.close();
    else this.total();
    if (sent.length) this.onDone(sent.map((entry) => entry.task), !this.entries.length && sent.length === 1);
  }

  /** The server is back: what did not reach it is sent, or looked at, again. */
  again() {
    const lost = this.entries.filter((entry) => entry.state === "unreachable"), wanted = lost.filter((entry) => entry.wanted);
    if (wanted.length) this.send(wanted);
    else this.look(lost);
  }
}

/** A file on the card. */
class Entry {
  constructor(review, file) {
    Object.assign(this, { review, file, password: "", estimate: null, task: null, state: "", wanted: false });
    this.cells = ["pages", "route", "cost"].map((name) => el("td", { class: name === "route" ? name : `num ${name}` }));
    this.close = el("button", { type: "button", class: "plain small", "aria-label": `Remove ${file.name}`, onclick: () => review.remove(this) }, icon("failed"));
    this.row = el("tr", {}, el("th", { scope: "row" }, el("span", { class: "file-name" }, file.name), el("small", {}, size(file.size))), ...this.cells, el("td", { class: "act" }, this.close));
  }

  begin() {
    this.stop?.abort();
    this.stop = new AbortController();
    this.estimate = null;
    this.wanted = false;
    this.say("looking", "Looking at its pages …");
  }

  say(state, ...text) {
    this.state = state;
    this.row.className = state;
    const [count, route, cost] = this.cells;
    count.textContent = cost.textContent = "";
    route.replaceChildren(...text);
    if (state === "failed" || state === "unreachable") route.setAttribute("role", "alert"); else route.removeAttribute("role");
  }

  async look(fields) {
    const { signal } = this.stop;
    try {
      const estimate = await upload("v1/estimate", this.file, fields, { signal });
      if (signal.aborted) return;
      this.estimate = estimate;
      const routes = Object.entries(estimate.routes).map(([name, { pages: count }]) => `${count} × ${name}`);
      this.say("ready", routes.join(", ") || "nothing");
      this.cells[0].textContent = estimate.pages;
      const free = estimate.calls === 0 ? (estimate.reused === estimate.pages ? "from cache" : "free") : "not known";
      this.cells[2].textContent = estimate.cost === null || estimate.cost === undefined ? free : `≈ ${money(estimate.cost)}`;
    } catch (problem) { if (!signal.aborted) this.fail(problem); }
    this.review.total();
  }

  async send(fields) {
    this.stop = new AbortController();
    const bar = el("progress", { max: 1, value: 0, "aria-label": `Upload of ${this.file.name}` });
    this.say("sending", bar);
    try {
      this.task = await upload("v1/tasks", this.file, fields, { signal: this.stop.signal, progress: (part) => { bar.value = part; } });
    } catch (problem) { if (problem.name !== "AbortError") this.fail(problem); }
  }

  fail(problem) {
    this.estimate = null;
    const gone = problem instanceof Problem && problem.status === 0;
    if (gone) return this.say("unreachable", "The server cannot be reached; this is tried again when it can.");
    if (problem.code !== "pdf_encrypted") {
      const again = el("button", { type: "button", class: "plain small", onclick: () => this.review.look([this]) }, "Try again");
      return this.say("failed", el("span", {}, problem.message), ...(problem.status >= 429 ? [" ", again] : []));
    }
    const field = el("input", { type: "password", "aria-label": `Password of ${this.file.name}`, placeholder: "Password", autocomplete: "off" });
    const unlock = () => { this.password = field.value; this.review.look([this]); };
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); unlock(); } });
    this.say("failed", el("span", {}, problem.message), " ", field, " ", el("button", { type: "button", class: "small", onclick: unlock }, "Unlock"));
  }
}

/** What is said when files have become tasks; `alone` when it was one file. */
export function announce(tasks, alone) {
  const known = tasks.filter((task) => task.reused);
  if (alone) {
    location.hash = `#/tasks/${tasks[0].id}`;
    if (known.length) toast(`${tasks[0].file_name ?? "This document"} was here already with these options: opened it.`);
    return;
  }
  if (known.length) toast(`${known.length} of ${tasks.length} files were here already: their tasks are the ones shown.`);
}
