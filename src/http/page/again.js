// Reading a page again by another processor, and continuing a task that has used up its budget.

import { json } from "./api.js";
import { $, toast } from "./dom.js";
import { currency, drawChoice, processors } from "./processors.js";
import { isFinal, nameOf } from "./words.js";

/** The error of a task that has used up its budget. */
export const OVER_BUDGET = "budget_exhausted";

/** The form that reads the page which is shown again. */
export class ReadAgain {
  constructor() {
    const form = $("again").querySelector("form");
    form.addEventListener("submit", (event) => { event.preventDefault(); this.read(); });
    $("again-processor").addEventListener("change", () => this.model());
  }

  /** Offers it for a page of a task; `view` is nothing as long as it is not known how the page was read. */
  async offer(id, task, view) {
    Object.assign(this, { id, task, view });
    const possible = view && (view.status === "done" || view.status === "failed" || isFinal(task));
    $("again").hidden = !possible;
    if (!possible) return;
    const key = `${id}/${view.page}/${view.processor}`;
    if (this.drawn === key) return;
    this.drawn = key;
    try {
      await drawChoice($("again-processor"), { without: view.model ? [] : [view.processor, task.processor === "auto" ? "auto" : ""] });
      this.model();
      $("again").hidden = !$("again-processor").options.length;
    } catch { this.drawn = null; }
  }

  async model() {
    const { model } = await processors(), way = $("again-processor").value;
    $("again-model-box").hidden = !["llm", "auto"].includes(way);
    $("again-model").required = way === "llm" && (!model || this.view?.model === model);
  }

  async read() {
    const { id, task, view } = this, query = new URLSearchParams({ pages: view.page, processor: $("again-processor").value });
    if (!$("again-model-box").hidden && $("again-model").value) query.set("model", $("again-model").value);
    try {
      const again = await json("POST", `v1/tasks/${id}/resubmit?${query}`);
      $("again").open = false;
      location.hash = `#/tasks/${again.id}/${view.page}`;
      toast(`Page ${view.page} of ${nameOf(task)}, read by ${query.get("processor")}, is a task of its own.`, ["Back", () => { location.hash = `#/tasks/${id}/${view.page}`; }]);
    } catch (problem) { toast(problem.message); }
  }
}

/** The form that gives a task more money. */
export class RaiseBudget {
  constructor(onRaised) {
    $("raise").addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await json("POST", `v1/tasks/${this.id}/retry?max_cost=${encodeURIComponent($("limit").value)}`);
        $("task-error").hidden = true;
        onRaised();
      } catch (problem) { toast(problem.message); }
    });
  }

  offer(id, task) {
    const over = task?.error?.code === OVER_BUDGET;
    $("raise").hidden = !over;
    if (!over || (this.id === id && this.epoch === task.finished_at)) return;
    Object.assign(this, { id, epoch: task.finished_at });
    // What it has cost a page, for all pages, and a tenth more.
    const { done, failed, pending } = task.pages, cost = task.usage.cost ?? 0, read = Math.max(1, done + failed);
    $("limit").value = Number((cost * ((read + pending) / read) * 1.1).toPrecision(2)) || "";
    // Which currency costs are in may be known later than the task is.
    processors().catch(() => null).then(() => { $("limit-unit").textContent = currency() ?? ""; });
  }
}
