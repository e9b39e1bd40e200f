// All tasks: search, filter and order, which stand in the address; and what is done to those that are selected.

import { ask, each, json } from "./api.js";
import { $, confirm, save, toast } from "./dom.js";
import { drawReaders } from "./processors.js";
import { Row } from "./row.js";
import { isFinal, nameOf, plainName } from "./words.js";
import { distinct, zip } from "./zip.js";

const EVERY = 2000;
const STREAMS = 3; // A browser has six connections to a server, and others are needed.
const WINDOW = 50, SEARCHED = 500, MOST_WINDOWS = 4;

/** What a filter asks of the API. */
const FILTERS = { failed_pages: { failed_pages: true }, doubtful: { doubtful: true } };

const ORDERS = {
  name: (task) => nameOf(task).toLocaleLowerCase(), pages: (task) => task.total_pages ?? 0,
  cost: (task) => task.usage.cost ?? -1, age: (task) => -Date.parse(task.created_at),
};

export class List {
  constructor() {
    Object.assign(this, { rows: new Map(), windows: 1, selected: new Set(), query: new URLSearchParams() });
    $("origin").textContent = new URL(".", location.href).href;
    $("search").addEventListener("input", (event) => this.ask({ q: event.target.value }));
    $("filter").addEventListener("change", (event) => this.ask({ show: event.target.value }));
    $("clear-filter").addEventListener("click", () => { $("search").focus(); this.ask({ q: "", show: "" }); });
    $("more").addEventListener("click", () => { this.windows += 1; this.refresh(); });
    for (const button of document.querySelectorAll(".sort")) button.addEventListener("click", () => this.order(button.dataset.sort));
    $("pick-all").addEventListener("change", (event) => this.selectAll(event.target.checked));
    for (const button of document.querySelectorAll("[data-bulk]")) button.addEventListener("click", () => this.bulk(button));
    // Other tabs need connections, too.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
      else for (const row of this.rows.values()) row.unfollow();
    });
    window.addEventListener("recovered", () => this.refresh());
    window.addEventListener("processors", () => { for (const row of this.rows.values()) row.drawCost(); });
  }

  /** Shows what the address asks for. */
  show(query) {
    this.shown = true;
    this.query = query;
    $("list-view").hidden = false;
    if (document.activeElement !== $("search")) $("search").value = query.get("q") ?? "";
    $("filter").value = query.get("show") ?? "";
    const sort = query.get("sort") ?? "";
    for (const button of document.querySelectorAll(".sort")) {
      const way = sort === button.dataset.sort ? "ascending" : sort === `-${button.dataset.sort}` ? "descending" : null;
      if (way) button.closest("th").setAttribute("aria-sort", way); else button.closest("th").removeAttribute("aria-sort");
    }
    this.refresh();
  }

  hide() {
    this.shown = false;
    $("list-view").hidden = true;
    clearTimeout(this.timer);
    for (const row of this.rows.values()) row.unfollow();
  }

  /** Changes what the address asks for. */
  ask(changes) {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) if (value) query.set(name, value); else query.delete(name);
    this.windows = 1;
    history.replaceState(null, "", query.size ? `#/?${query}` : "#/");
    this.show(query);
  }

  order(by) {
    const now = this.query.get("sort");
    this.ask({ sort: now === by ? `-${by}` : now === `-${by}` ? "" : by });
  }

  async refresh() {
    clearTimeout(this.timer);
    if (!this.shown || document.hidden) return;
    const mine = (this.turn = (this.turn ?? 0) + 1);
    try {
      const { tasks, cursor } = await this.fetch();
      if (mine !== this.turn || !this.shown) return;
      const found = this.chosen(tasks);
      this.draw(found);
      const narrowed = this.query.has("q") || this.query.has("show");
      $("more").hidden = cursor === null;
      const wide = this.query.has("q") || this.query.has("sort");
      $("list-note").textContent = cursor !== null && wide ? `Among the ${tasks.length} newest tasks.` : "";
      $("welcome").hidden = tasks.length > 0 || narrowed;
      $("list").hidden = !$("welcome").hidden;
      $("none").hidden = found.length > 0;
      $("tasks").hidden = found.length === 0;
      $("clear-filter").hidden = !narrowed;
      if (!$("welcome").hidden) drawReaders().catch(() => {});
    } catch { /* said at the top of the page */ }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), EVERY);
  }

  /** As many tasks as are asked for; to search or to order them, as many as a page can well hold. */
  async fetch() {
    const show = this.query.get("show") ?? "", asked = FILTERS[show] ?? (show ? { status: show } : {});
    const wide = this.query.has("q") || this.query.has("sort"), tasks = [];
    const [limit, windows] = wide ? [SEARCHED, MOST_WINDOWS * this.windows] : [WINDOW, this.windows];
    let cursor = "";
    for (let window = 0; window < windows && cursor !== null; window++) {
      const query = new URLSearchParams({ limit, ...asked, ...(cursor && { cursor }) });
      const answer = await json("GET", `v1/tasks?${query}`);
      tasks.push(...answer.tasks);
      cursor = answer.next_cursor;
    }
    return { tasks, cursor };
  }

  chosen(tasks) {
    const wanted = (this.query.get("q") ?? "").trim().toLocaleLowerCase(), sort = this.query.get("sort") ?? "";
    const found = wanted ? tasks.filter((task) => nameOf(task).toLocaleLowerCase().includes(wanted) || task.id.includes(wanted)) : tasks;
    const by = ORDERS[sort.replace("-", "")];
    if (!by) return found;
    const way = sort.startsWith("-") ? -1 : 1;
    const compare = (one, other) => (typeof one === "string" ? one.localeCompare(other, [], { numeric: true }) : one - other);
    return [...found].sort((one, other) => way * compare(by(one), by(other)));
  }

  draw(tasks) {
    const ids = new Set(tasks.map((task) => task.id));
    for (const [id, row] of this.rows) if (!ids.has(id)) { row.remove(); this.rows.delete(id); this.selected.delete(id); }
    let before = null, streams = 0;
    for (const task of tasks) {
      let row = this.rows.get(task.id);
      const fresh = !row;
      if (fresh) this.rows.set(task.id, (row = new Row(this)));
      row.update(task);
      const place = before ? before.element.nextSibling : $("tasks").tBodies[0].firstChild;
      if (place !== row.element) $("tasks").tBodies[0].insertBefore(row.element, place);
      if (fresh && this.drawn) row.flash();
      before = row;
      if (!isFinal(task) && streams < STREAMS) { streams += 1; row.follow(); } else row.unfollow();
    }
    this.drawn = true;
    this.drawSelection();
  }

  select(id, on) {
    if (on) this.selected.add(id); else this.selected.delete(id);
    this.drawSelection();
  }

  selectAll(on) {
    for (const id of this.rows.keys()) if (on) this.selected.add(id); else this.selected.delete(id);
    this.drawSelection();
  }

  drawSelection() {
    const count = this.selected.size, all = this.picked();
    for (const [id, row] of this.rows) {
      row.pick.checked = this.selected.has(id);
      row.element.classList.toggle("picked", row.pick.checked);
    }
    $("bulk").hidden = count === 0;
    $("bulk-count").textContent = `${count} selected`;
    $("pick-all").checked = count > 0 && count === this.rows.size;
    $("pick-all").indeterminate = count > 0 && count < this.rows.size;
    const can = { zip: all.some((task) => task.pages.done > 0), cancel: all.some((task) => !isFinal(task)), delete: true, none: true };
    for (const button of document.querySelectorAll("[data-bulk]")) button.disabled = this.busy || !can[button.dataset.bulk];
  }

  picked() { return [...this.selected].map((id) => this.rows.get(id)?.task).filter(Boolean); }

  async bulk(button) {
    const tasks = this.picked(), act = button.dataset.bulk;
    if (act === "none") return this.selectAll(false);
    this.busy = true;
    this.drawSelection();
    try {
      if (act === "zip") await this.zip(tasks);
      else if (act === "cancel") await this.change(tasks.filter((task) => !isFinal(task)), "POST", "/cancel");
      else if (await confirm(tasks.length === 1 ? `Delete ${nameOf(tasks[0])} and its result?` : `Delete ${tasks.length} tasks and their results?`)) {
        await this.change(tasks, "DELETE", "");
        this.selected.clear();
      }
    } finally {
      this.busy = false;
      this.drawSelection();
    }
  }

  /** Cancels a task that runs; deletes one that has ended. */
  async end(tasks) {
    if (!isFinal(tasks[0])) return this.change(tasks, "POST", "/cancel");
    if (await confirm(`Delete ${nameOf(tasks[0])} and its result?`)) await this.change(tasks, "DELETE", "");
  }

  async change(tasks, method, path) {
    const failed = [];
    await each(tasks, 3, (task) => ask(method, `v1/tasks/${task.id}${path}`).catch((problem) => failed.push(problem)));
    if (failed.length) toast(`${failed.length} of ${tasks.length}: ${failed[0].message}`);
    this.refresh();
  }

  async zip(tasks) {
    const ready = tasks.filter((task) => task.pages.done > 0), names = distinct(ready.map((task) => [plainName(task), "md"]));
    const files = [], failed = [];
    await each(ready.map((task, at) => [task, names[at]]), 3, async ([task, name]) => {
      try {
        const response = await ask("GET", `v1/tasks/${task.id}/result?partial=true&format=markdown`);
        files.push([name, new Uint8Array(await response.arrayBuffer())]);
      } catch (problem) { failed.push(`${nameOf(task)}: ${problem.message}`); }
    });
    files.sort(([one], [other]) => one.localeCompare(other));
    if (files.length) save(zip(files), "bindery.zip");
    const left = tasks.length - ready.length;
    if (failed.length) toast(`${failed.length} left out: ${failed[0]}`);
    else if (left) toast(`${left} of ${tasks.length} have no page yet and are left out.`);
  }
}
