// All tasks, and submitting new ones.

import { ask, events, json, submit } from "./api.js";
import { Bar } from "./bar.js";
import { Rate, facts, isFinal, pageState, settled, troubled } from "./words.js";

const EVERY = 2000;
const STREAMS = 3; // A browser has six connections to a server, and others are needed.
const $ = (id) => document.getElementById(id);

export class List {
  constructor(confirm) {
    this.confirm = confirm;
    this.rows = new Map();
    this.pages = 1;
    $("origin").textContent = location.origin;
    $("files").addEventListener("change", (event) => { this.take(event.target.files); event.target.value = ""; });
    const drop = $("drop");
    for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => {
      if (!this.shown || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.add("over");
    });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
    document.addEventListener("drop", (event) => {
      if (!this.shown) return;
      event.preventDefault();
      drop.classList.remove("over");
      this.take(event.dataTransfer.files);
    });
    $("submit").addEventListener("submit", (event) => event.preventDefault());
    $("filter").addEventListener("change", () => this.refresh());
    $("more").addEventListener("click", () => { this.pages += 1; this.refresh(); });
    // Other tabs need connections, too.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
      else for (const row of this.rows.values()) row.unfollow();
    });
  }

  show() { this.shown = true; $("list-view").hidden = false; this.refresh(); }

  hide() {
    this.shown = false;
    $("list-view").hidden = true;
    clearTimeout(this.timer);
    for (const row of this.rows.values()) row.unfollow();
  }

  async refresh() {
    clearTimeout(this.timer);
    if (!this.shown || document.hidden) return;
    try {
      const [name, value] = $("filter").value.split("="), tasks = [];
      let cursor = "";
      for (let page = 0; page < this.pages && cursor !== null; page++) {
        const query = new URLSearchParams({ limit: 50, [name || "status"]: value ?? "", cursor });
        const answer = await json("GET", `/v1/tasks?${query}`);
        tasks.push(...answer.tasks);
        cursor = answer.next_cursor;
      }
      this.draw(tasks);
      $("more").hidden = cursor === null;
      $("empty").hidden = tasks.length > 0 || name !== "";
      $("none").hidden = tasks.length > 0 || name === "";
    } catch { /* said at the top of the page */ }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), EVERY);
  }

  draw(tasks) {
    if (!this.shown) return;
    const ids = new Set(tasks.map((task) => task.id));
    for (const [id, row] of this.rows) if (!ids.has(id)) { row.remove(); this.rows.delete(id); }
    let before = null, streams = 0;
    for (const task of tasks) {
      let row = this.rows.get(task.id);
      if (!row) this.rows.set(task.id, (row = new Row(this)));
      row.update(task);
      const place = before ? before.element.nextSibling : $("tasks").firstChild;
      if (place !== row.element) $("tasks").insertBefore(row.element, place);
      before = row;
      if (!isFinal(task) && streams < STREAMS) { streams += 1; row.follow(); } else row.unfollow();
    }
  }

  async take(files) {
    const fields = [...new FormData($("submit"))];
    // A copy, as the field is emptied meanwhile; and one after the other, as the line is the same for all.
    for (const file of [...files]) await this.upload(file, fields);
  }

  async upload(file, fields) {
    const item = document.createElement("li"), bar = document.createElement("progress");
    const name = document.createElement("span");
    name.textContent = file.name;
    bar.max = 1;
    bar.setAttribute("aria-label", `Upload of ${file.name}`);
    item.append(name, bar);
    $("uploads").append(item);
    try {
      await submit(file, fields, (part) => { bar.value = part; });
      item.remove();
      this.refresh();
    } catch (problem) {
      const why = document.createElement("span"), close = document.createElement("button");
      why.className = "error";
      why.setAttribute("role", "alert");
      why.textContent = problem.message;
      close.className = "plain";
      close.textContent = "Dismiss";
      close.addEventListener("click", () => item.remove());
      bar.replaceWith(why, close);
    }
  }
}

class Row {
  constructor(list) {
    this.list = list;
    this.rate = new Rate();
    this.element = document.createElement("li");
    this.element.className = "task";
    this.element.innerHTML = `<div><a></a><span class="badge"></span></div><div class="side"><button class="plain"></button></div>
      <div class="facts"></div><canvas class="bar" role="progressbar" aria-valuemin="0"></canvas>`;
    this.find = (name) => this.element.querySelector(name);
    this.bar = new Bar(this.find(".bar"), 2);
    this.find("button").addEventListener("click", () => this.act());
  }

  update(task) {
    const fresh = !this.task || settled(task) >= settled(this.task) || isFinal(task) || task.status !== this.task.status;
    if (!fresh) return;
    const changed = JSON.stringify(task) !== JSON.stringify(this.task);
    this.task = task;
    if (!changed && isFinal(task)) return;
    const name = task.file_name ?? task.id;
    this.find("a").textContent = name;
    this.find("a").href = `#/tasks/${task.id}`;
    const badge = this.find(".badge");
    badge.textContent = task.status;
    badge.className = `badge ${task.status}`;
    badge.classList.toggle("doubt", troubled(task));
    this.find("button").textContent = isFinal(task) ? "Delete" : "Cancel";
    this.find("button").setAttribute("aria-label", `${isFinal(task) ? "Delete" : "Cancel"} ${name}`);
    const error = task.error ? ` · ${task.error.message}` : "";
    const when = new Date(task.created_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    this.find(".facts").textContent = `${facts(task, this.rate.add(settled(task)))}${error} · ${when}`;
    const bar = this.find(".bar");
    bar.setAttribute("aria-valuemax", task.total_pages ?? 0);
    bar.setAttribute("aria-valuenow", settled(task));
    bar.setAttribute("aria-label", `Pages of ${name}`);
    if (!this.exact) this.bar.setCounts(task.total_pages ?? 0, task.pages);
  }

  async follow() {
    if (this.stop) return;
    const own = new AbortController(), { signal } = own;
    this.stop = own;
    try {
      for await (const { event, data } of events(this.task.id, signal)) {
        if (event === "page") {
          if (!this.exact) { this.exact = true; this.bar.states.clear(); this.bar.setPages(this.bar.pages); }
          if (data.page > this.bar.pages.length) this.bar.setPages(Array.from({ length: data.page }, (_, at) => at + 1));
          this.bar.set(data.page, pageState(data));
        } else if (event === "task") this.update(data);
      }
      if (!signal.aborted) this.list.refresh();
    } catch { /* it is gone, or a key is needed */ }
    if (this.stop === own) this.stop = null;
  }

  unfollow() { this.stop?.abort(); this.stop = null; }

  async act() {
    const button = this.find("button"), { id, file_name } = this.task;
    if (isFinal(this.task) && !(await this.list.confirm(`Delete ${file_name ?? id} and its result?`))) return;
    button.disabled = true;
    try {
      if (isFinal(this.task)) await ask("DELETE", `/v1/tasks/${id}`);
      else await ask("POST", `/v1/tasks/${id}/cancel`);
    } catch { /* the list shows how it is */ }
    button.disabled = false;
    this.list.refresh();
  }

  remove() { this.unfollow(); this.bar.end(); this.element.remove(); }
}
