// One task in the list.

import { events } from "./api.js";
import { Bar } from "./bar.js";
import { el, icon } from "./dom.js";
import { Rate, age, duration, exactTime, isFinal, money, nameOf, pageState, settled, state } from "./words.js";

export class Row {
  constructor(list) {
    Object.assign(this, { list, rate: new Rate(), exact: false });
    this.pick = el("input", { type: "checkbox" });
    this.pick.addEventListener("change", () => list.select(this.task.id, this.pick.checked));
    this.badge = el("span", { class: "badge" });
    this.link = el("a", {});
    this.note = el("div", { class: "note" });
    this.canvas = el("canvas", { class: "bar", role: "img" });
    this.count = el("td", { class: "num pages" });
    this.cost = el("td", { class: "num cost" });
    this.age = el("time", {});
    this.button = el("button", { class: "plain small", onclick: () => this.list.end([this.task]) });
    this.element = el("tr", { class: "task" }, el("td", { class: "pick" }, this.pick), el("td", { class: "state" }, this.badge),
      el("td", { class: "name" }, this.link, this.note, this.canvas), this.count, this.cost, el("td", { class: "num age" }, this.age),
      el("td", { class: "act" }, this.button));
    this.bar = new Bar(this.canvas, 1, 8);
  }

  update(task) {
    const before = this.task;
    if (before && settled(task) < settled(before) && task.status === before.status && !isFinal(task)) return;
    this.age.textContent = age(task.created_at);
    const changed = JSON.stringify(task) !== JSON.stringify(before);
    this.task = task;
    const left = isFinal(task) ? 0 : this.left();
    if (!changed && isFinal(task)) return;
    const name = nameOf(task), shown = state(task), { failed, doubtful, done } = task.pages;
    this.element.dataset.id = task.id;
    if (before && before.status !== task.status && isFinal(task)) this.flash();
    this.pick.setAttribute("aria-label", `Select ${name}`);
    this.badge.className = `badge ${shown.kind}`;
    this.badge.replaceChildren(icon(shown.icon), shown.text);
    this.badge.title = `${task.status}: ${done} read, ${failed} failed, ${doubtful} doubtful`;
    Object.assign(this.link, { textContent: name, title: name, href: `#/tasks/${task.id}` });
    const notes = [task.processor, task.id.slice(-6)];
    if (left) notes.push(`about ${duration(left)} left`);
    if (task.status === "completed" && failed && doubtful) notes.push(`${doubtful} doubtful`);
    if (task.error) notes.push(task.error.message);
    this.note.textContent = notes.join(" · ");
    this.note.title = task.error?.message ?? "";
    const all = task.total_pages ?? "?";
    this.count.replaceChildren(...(done === task.total_pages ? [String(all)] : [String(done), el("span", { class: "quiet" }, ` / ${all}`)]));
    this.drawCost();
    this.age.dateTime = task.created_at;
    this.age.title = exactTime(task.created_at);
    const act = isFinal(task) ? ["trash", "Delete"] : ["failed", "Cancel"];
    this.button.replaceChildren(icon(act[0]));
    this.button.title = act[1];
    this.button.setAttribute("aria-label", `${act[1]} ${name}`);
    this.canvas.hidden = isFinal(task) && !failed && !doubtful;
    this.canvas.setAttribute("aria-label", `Pages of ${name}: ${done} done, ${doubtful} of them doubtful, ${failed} failed, ${task.pages.pending} open`);
    if (!this.exact) this.bar.setCounts(task.total_pages ?? 0, task.pages);
  }

  drawCost() {
    const { cost } = this.task.usage;
    this.cost.textContent = cost === null || cost === undefined ? "" : money(cost);
  }

  /** Seconds that are left, as far as it can be told. */
  left() {
    const rate = this.rate.add(settled(this.task));
    return rate > 0 ? this.task.pages.pending / rate : 0;
  }

  flash() {
    this.element.classList.add("changed");
    setTimeout(() => this.element.classList.remove("changed"), 1500);
  }

  async follow() {
    if (this.stop) return;
    const own = new AbortController(), { signal } = own;
    this.stop = own;
    try {
      for await (const { event, data } of events(this.task.id, signal)) {
        if (event === "page") {
          if (!this.exact) { this.exact = true; this.bar.states.clear(); }
          if (data.page > this.bar.pages.length) this.bar.setPages(Array.from({ length: data.page }, (_, at) => at + 1));
          this.bar.set(data.page, pageState(data));
        } else if (event === "task") this.update(data);
      }
      if (!signal.aborted) this.list.refresh();
    } catch { /* it is gone, or a key is needed */ }
    if (this.stop === own) this.stop = null;
  }

  unfollow() { this.stop?.abort(); this.stop = null; }

  remove() { this.unfollow(); this.bar.end(); this.element.remove(); }
}
