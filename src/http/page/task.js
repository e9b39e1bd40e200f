// One task: its state, what can be done with it, and the way from page to page.

import { Problem, ask, events, json } from "./api.js";
import { OVER_BUDGET, RaiseBudget, ReadAgain } from "./again.js";
import { Bar, DOUBTFUL, FAILED } from "./bar.js";
import { Content } from "./content.js";
import { $, confirm, icon, save } from "./dom.js";
import { Picture, keepInStep } from "./picture.js";
import { STATES, Rate, facts, isFinal, nameOf, pageState, pages, plainName, settled, state } from "./words.js";

const FORMATS = { markdown: "md", html: "html", text: "txt", json: "json", chunks: "jsonl" };

export class Task {
  constructor() {
    this.bar = new Bar($("task-bar"), 6, 16, (page) => this.go(page));
    this.picture = new Picture();
    this.content = new Content(() => this.mark());
    this.again = new ReadAgain();
    this.budget = new RaiseBudget(() => this.restarted());
    keepInStep($("picture"), $("content"));
    $("previous").addEventListener("click", () => this.step(-1));
    $("next").addEventListener("click", () => this.step(1));
    $("next-failed").addEventListener("click", () => this.nextOf(FAILED));
    $("next-doubtful").addEventListener("click", () => this.nextOf(DOUBTFUL));
    $("page-number").addEventListener("change", (event) => this.go(Number(event.target.value)));
    $("task-bar").addEventListener("keydown", (event) => this.barKey(event));
    $("task-bar").addEventListener("mousemove", (event) => this.tip(event));
    $("task-bar").addEventListener("mouseleave", () => { $("bar-tip").hidden = true; });
    document.addEventListener("keydown", (event) => this.key(event));
    for (const button of document.querySelectorAll("[data-act]")) button.addEventListener("click", () => this.act(button));
    window.addEventListener("recovered", () => { if (this.id) this.follow(); });
    window.addEventListener("processors", () => { if (this.id && this.task) this.drawFacts(); });
  }

  show(id, page, view) {
    $("task-view").hidden = false;
    const changed = this.content.choose(view);
    if (this.id === id) {
      if (page !== this.page) this.go(page);
      else if (changed) this.content.show(id, page, this.task);
      return;
    }
    this.leave();
    Object.assign(this, { id, page, views: new Map(), numbers: [], rate: new Rate(), task: null, rateNow: 0 });
    this.bar.states.clear();
    this.bar.setPages([]);
    $("task-body").hidden = true;
    for (const name of ["pager", "actions", "next-failed", "next-doubtful"]) $(name).hidden = true;
    $("task-error").hidden = true;
    for (const name of ["task-name", "task-state", "task-badge"]) $(name).replaceChildren();
    this.picture.clear();
    this.content.clear();
    this.follow();
  }

  hide() { this.leave(); $("task-view").hidden = true; }

  leave() {
    this.stop?.abort();
    this.picture.stop?.abort();
    this.content.stop?.abort();
    $("downloads").open = false;
    $("again").open = false;
    this.id = null;
  }

  async follow() {
    this.stop?.abort();
    this.stop = new AbortController();
    const { signal } = this.stop, id = this.id;
    try {
      this.update(await json("GET", `v1/tasks/${id}`, { signal }));
      this.numbers = await this.allNumbers(signal);
      $("task-body").hidden = $("pager").hidden = this.numbers.length === 0;
      this.bar.setPages(this.numbers);
      this.go(this.numbers.includes(this.page) ? this.page : this.numbers[0]);
      for await (const { event, data } of events(id, signal)) {
        if (event === "page") this.heard(data);
        else if (event === "task" || event === "end") this.update(data);
      }
    } catch (problem) {
      if (signal.aborted || problem.status === 0) return;
      this.fail(problem instanceof Problem ? problem.message : String(problem));
    }
  }

  /** The pages of the task; it may have been asked for some only. */
  async allNumbers(signal) {
    if (!this.task.total_pages) return [];
    const window = async (from, limit) => (await json("GET", `v1/tasks/${this.id}/pages?limit=${limit}&from=${from}`, { signal })).pages.map(({ page }) => page);
    const [start = 1] = await window(1, 1), numbers = Array.from({ length: this.task.total_pages }, (_, at) => start + at), end = numbers.at(-1);
    // Where the first and the last are where they are without gaps, there are none.
    if ((await window(end, 1))[0] === end && !(await window(end + 1, 1)).length) return numbers;
    const chosen = [];
    for (let from = 1; ; from = chosen.at(-1) + 1) {
      const some = await window(from, 1000);
      chosen.push(...some);
      if (some.length < 1000) return chosen;
    }
  }

  heard(view) {
    const before = this.views.get(view.page);
    this.views.set(view.page, view);
    this.bar.set(view.page, pageState(view));
    if (view.page === this.page && before?.status !== view.status) this.content.show(this.id, this.page, this.task);
    this.mark();
  }

  update(task) {
    const before = this.task;
    this.task = task;
    $("actions").hidden = false;
    this.rateNow = isFinal(task) ? 0 : this.rate.add(settled(task));
    const name = nameOf(task), shown = state(task);
    document.title = `${name} – Bindery`;
    $("task-name").textContent = $("task-name").title = name;
    $("task-badge").className = `badge ${shown.kind}`;
    $("task-badge").replaceChildren(icon(shown.icon), shown.text);
    this.drawFacts();
    if (task.error) this.fail(task.error.message, task);
    else $("task-error").hidden = true;
    const final = isFinal(task), { done, failed, pending } = task.pages, unfaithful = task.findings?.unfaithful ?? 0;
    const may = { cancel: !final, delete: final, retry: final && failed + pending + unfaithful > 0 && task.error?.code !== OVER_BUDGET };
    for (const [act, is] of Object.entries(may)) document.querySelector(`[data-act=${act}]`).hidden = !is;
    const retry = pending ? `Read the missing ${pages(pending)}` : failed ? `Retry ${failed} failed` : `Retry ${unfaithful} unfaithful`;
    document.querySelector("[data-act=retry]").textContent = retry;
    $("downloads").hidden = done === 0;
    $("downloads").classList.toggle("primary", task.status === "completed");
    $("download-label").textContent = task.status === "completed" ? "Download" : "Download partial result";
    if (this.numbers.length === 0 && before && task.total_pages && !before.total_pages) this.follow();
    if (before && isFinal(before) !== final && this.page) this.content.show(this.id, this.page, task);
    this.mark();
  }

  drawFacts() { $("task-state").textContent = facts(this.task, this.rateNow); }

  /** What depends on the pages' states and on which one is shown. */
  mark() {
    const count = (wanted) => [...this.views.values()].filter((view) => pageState(view) === wanted).length;
    for (const [id, wanted, word] of [["next-failed", FAILED, "failed"], ["next-doubtful", DOUBTFUL, "doubtful"]]) {
      const found = count(wanted);
      $(id).hidden = found === 0;
      $(id).replaceChildren(icon(word === "failed" ? "failed" : "doubt"), `Next ${word} (${found})`);
    }
    const now = STATES[pageState(this.views.get(this.page))];
    const bar = $("task-bar");
    bar.setAttribute("aria-valuemin", this.numbers[0] ?? 1);
    bar.setAttribute("aria-valuemax", this.numbers.at(-1) ?? 1);
    bar.setAttribute("aria-valuenow", this.page || 1);
    bar.setAttribute("aria-valuetext", `Page ${this.page} of ${this.numbers.at(-1) ?? "?"}, ${now}`);
    if (this.task) {
      const { done, failed, doubtful, pending } = this.task.pages;
      const parts = [["done", done - doubtful, "read"], ["doubt", doubtful, "doubtful"], ["failed", failed, "failed"], ["open", pending, "not read"]];
      $("legend").replaceChildren(...parts.filter(([, many]) => many > 0).map(([kind, many, word]) => {
        const part = document.createElement("span");
        part.className = kind;
        part.textContent = `${many} ${word}`;
        return part;
      }));
    }
    const view = this.content.view;
    this.again.offer(this.id, this.task, view?.page === this.page ? view : null);
  }

  fail(message, task) {
    $("task-error").firstElementChild.textContent = message;
    $("task-error").hidden = false;
    this.budget.offer(this.id, task);
  }

  key(event) {
    if (!this.id || event.target.closest("input, textarea, select, dialog, [role=slider], [role=tab], .menu") || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft") this.step(-1);
    else if (event.key === "ArrowRight") this.step(1);
    else if (event.key === "Escape") location.hash = "#/";
    else return;
    event.preventDefault();
  }

  barKey(event) {
    const { columns, share } = this.bar.grid(), row = columns * share;
    const by = { ArrowLeft: -1, ArrowDown: row, ArrowRight: 1, ArrowUp: -row, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const at = Math.min(this.numbers.length - 1, Math.max(0, this.numbers.indexOf(this.page) + by));
    this.go(this.numbers[at]);
  }

  tip(event) {
    const page = this.bar.pageAt(event.offsetX, event.offsetY), tip = $("bar-tip");
    tip.hidden = !page;
    if (!page) return;
    tip.textContent = `Page ${page}: ${STATES[pageState(this.views.get(page))]}`;
    tip.style.left = `${Math.min(event.offsetX, event.target.clientWidth - tip.offsetWidth)}px`;
  }

  step(by) {
    const at = this.numbers.indexOf(this.page) + by;
    if (at >= 0 && at < this.numbers.length) this.go(this.numbers[at]);
  }

  nextOf(wanted) {
    const found = this.numbers.filter((page) => pageState(this.views.get(page)) === wanted && this.views.has(page));
    const next = found.find((page) => page > this.page) ?? found[0];
    if (next) this.go(next);
  }

  go(page) {
    if (!this.numbers.length) { this.page = page; return; }
    const nearest = this.numbers.find((number) => number >= page) ?? this.numbers.at(-1), last = this.numbers.at(-1);
    this.page = this.bar.current = nearest;
    this.bar.drawSoon();
    this.address();
    $("page-number").value = nearest;
    $("page-number").max = last;
    $("page-count").textContent = `of ${last}`;
    const at = this.numbers.indexOf(nearest);
    $("previous").disabled = at === 0;
    $("next").disabled = at === this.numbers.length - 1;
    this.mark();
    this.picture.show(this.id, nearest);
    this.content.show(this.id, nearest, this.task);
  }

  /** Keeps page and view in the address. */
  address() {
    const { chosen } = this.content, query = chosen === "rendered" ? "" : `?view=${chosen}`;
    history.replaceState(null, "", `#/tasks/${this.id}/${this.page}${query}`);
  }

  /** Pages that failed are read again. */
  restarted() {
    for (const [page, view] of this.views) if (view.status === "failed") { this.views.delete(page); this.bar.states.delete(page); }
    this.follow();
  }

  async act(button) {
    const path = `v1/tasks/${this.id}`, { act } = button.dataset;
    button.disabled = true;
    try {
      if (act === "cancel") this.update(await json("POST", `${path}/cancel`));
      else if (act === "retry") { this.update(await json("POST", `${path}/retry`)); this.restarted(); }
      else if (act === "delete") {
        if (await confirm(`Delete ${nameOf(this.task)} and its result?`)) { await ask("DELETE", path); location.hash = "#/"; }
      } else {
        $("downloads").open = false;
        const response = await ask("GET", `${path}/result?partial=true&format=${act}`);
        save(await response.blob(), `${plainName(this.task)}.${FORMATS[act]}`);
      }
    } catch (problem) {
      this.fail(problem.message);
    }
    button.disabled = false;
  }
}
