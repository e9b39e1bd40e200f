// One task: each page beside its Markdown.

import { Problem, ask, events, json } from "./api.js";
import { Bar, DONE } from "./bar.js";
import { Rate, doubts, duration, facts, isFinal, pageState, settled } from "./words.js";

const $ = (id) => document.getElementById(id);

export class Task {
  constructor(confirm) {
    this.confirm = confirm;
    this.bar = new Bar($("task-bar"), 6, (page) => this.go(page));
    $("previous").addEventListener("click", () => this.step(-1));
    $("next").addEventListener("click", () => this.step(1));
    $("next-bad").addEventListener("click", () => this.nextBad());
    $("page-number").addEventListener("change", (event) => this.go(Number(event.target.value)));
    $("raw").addEventListener("change", () => this.look());
    document.addEventListener("keydown", (event) => {
      if (!this.id || event.target.matches("input, textarea, select, dialog *") || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "ArrowLeft") this.step(-1);
      else if (event.key === "ArrowRight") this.step(1);
      else if (event.key === "Escape") location.hash = "#/";
      else return;
      event.preventDefault();
    });
    for (const button of document.querySelectorAll("[data-act]")) {
      button.addEventListener("click", () => this.act(button));
    }
  }

  show(id, page) {
    $("task-view").hidden = false;
    if (this.id === id) return this.go(page);
    this.leave();
    Object.assign(this, { id, page, views: new Map(), numbers: [], rate: new Rate(), task: null, rateNow: 0 });
    this.bar.states.clear();
    this.bar.setPages([]);
    $("task-body").hidden = false;
    $("task-error").hidden = true;
    for (const name of ["task-name", "task-state", "markdown", "provenance", "picture", "doubts"]) $(name).replaceChildren();
    $("doubts").hidden = true;
    this.follow();
  }

  hide() { this.leave(); $("task-view").hidden = true; }

  leave() {
    this.stop?.abort();
    this.looking?.abort();
    this.drawing?.abort();
    this.id = null;
  }

  async follow() {
    this.stop?.abort();
    this.stop = new AbortController();
    const { signal } = this.stop, id = this.id;
    try {
      this.update(await json("GET", `/v1/tasks/${id}`, { signal }));
      this.numbers = await this.allNumbers(signal);
      this.bar.setPages(this.numbers);
      this.go(this.numbers.includes(this.page) ? this.page : this.numbers[0]);
      for await (const { event, data } of events(id, signal)) {
        if (event === "page") this.heard(data);
        else if (event === "task" || event === "end") this.update(data);
      }
    } catch (problem) {
      if (signal.aborted) return;
      this.fail(problem instanceof Problem ? problem.message : String(problem));
      if (!this.task) {
        // There is nothing to show or to do.
        $("task-body").hidden = true;
        for (const button of document.querySelectorAll("[data-act]")) button.hidden = true;
      }
    }
  }

  /** The pages of the task; it may have been asked for some only. */
  async allNumbers(signal) {
    if (!this.task.total_pages) return [];
    const first = await json("GET", `/v1/tasks/${this.id}/pages?limit=1`, { signal });
    const start = first.pages[0]?.page ?? 1, numbers = Array.from({ length: this.task.total_pages }, (_, at) => start + at);
    const end = await json("GET", `/v1/tasks/${this.id}/pages?limit=1&from=${numbers.at(-1)}`, { signal });
    if (end.pages[0]?.page === numbers.at(-1) && !(await this.hasMore(numbers.at(-1) + 1, signal))) return numbers;
    const chosen = [];
    for (let from = 1; ; from = chosen.at(-1) + 1) {
      const { pages } = await json("GET", `/v1/tasks/${this.id}/pages?limit=1000&from=${from}`, { signal });
      chosen.push(...pages.map((view) => view.page));
      if (pages.length < 1000) return chosen;
    }
  }

  async hasMore(from, signal) {
    return (await json("GET", `/v1/tasks/${this.id}/pages?limit=1&from=${from}`, { signal })).pages.length > 0;
  }

  heard(view) {
    const before = this.views.get(view.page);
    this.views.set(view.page, view);
    this.bar.set(view.page, pageState(view));
    if (view.page === this.page && before?.status !== view.status) this.look();
    $("next-bad").hidden = ![...this.views.values()].some((seen) => pageState(seen) !== DONE);
  }

  update(task) {
    this.task = task;
    this.rateNow = this.rate.add(settled(task));
    document.title = `${task.file_name ?? "Task"} – Bindery`;
    $("task-name").textContent = task.file_name ?? task.id;
    $("task-state").textContent = `${task.status} · ${facts(task, this.rateNow)}`;
    const { done, failed, pending, doubtful } = task.pages;
    this.bar.canvas.setAttribute("aria-label", `Pages: ${done} done, ${doubtful} of them doubtful, ${failed} failed, ${pending} open`);
    if (task.error) this.fail(task.error.message);
    else $("task-error").hidden = true;
    const final = isFinal(task), may = { markdown: task.pages.done > 0, json: task.pages.done > 0, cancel: !final, delete: true };
    may.retry = final && (task.pages.failed > 0 || task.pages.pending > 0);
    for (const button of document.querySelectorAll("[data-act]")) button.hidden = !may[button.dataset.act];
    const words = task.status === "completed" ? "Download Markdown" : "Download what is there";
    document.querySelector("[data-act=markdown]").textContent = words;
  }

  fail(message) {
    $("task-error").textContent = message;
    $("task-error").hidden = false;
  }

  step(by) {
    const at = this.numbers.indexOf(this.page) + by;
    if (at >= 0 && at < this.numbers.length) this.go(this.numbers[at]);
  }

  nextBad() {
    const bad = this.numbers.filter((page) => this.views.has(page) && pageState(this.views.get(page)) !== DONE);
    const next = bad.find((page) => page > this.page) ?? bad[0];
    if (next) this.go(next);
  }

  go(page) {
    if (!this.numbers.length) { this.page = page; return; }
    const nearest = this.numbers.find((number) => number >= page) ?? this.numbers.at(-1);
    this.page = this.bar.current = nearest;
    this.bar.draw();
    history.replaceState(null, "", `#/tasks/${this.id}/${nearest}`);
    $("page-number").value = nearest;
    $("page-number").max = this.numbers.at(-1);
    $("page-count").textContent = `of ${this.numbers.at(-1)}`;
    const at = this.numbers.indexOf(nearest);
    $("previous").disabled = at === 0;
    $("next").disabled = at === this.numbers.length - 1;
    this.look(true);
  }

  /** Fetches what the page looks like, where it is another one, and how it was read. */
  async look(another) {
    const path = `/v1/tasks/${this.id}/pages/${this.page}`;
    if (another) {
      this.drawing?.abort();
      this.drawing = new AbortController();
      this.picture(path, this.drawing.signal);
    }
    this.looking?.abort();
    this.looking = new AbortController();
    const { signal } = this.looking;
    try {
      const { pages } = await json("GET", `/v1/tasks/${this.id}/pages?limit=1&from=${this.page}`, { signal });
      await this.text(pages[0], path, signal);
    } catch (error) {
      if (!signal.aborted) $("markdown").textContent = error.message;
    }
  }

  async picture(path, signal) {
    const place = $("picture");
    place.textContent = "drawing the page …";
    try {
      const response = await ask("GET", `${path}/image?side=1400`, { signal });
      const url = URL.createObjectURL(await response.blob());
      const image = new Image();
      image.alt = `Page ${this.page} as it is in the PDF`;
      image.onload = () => URL.revokeObjectURL(url);
      image.src = url;
      if (!signal.aborted) place.replaceChildren(image);
    } catch (error) {
      if (!signal.aborted) place.textContent = `This page cannot be drawn: ${error.message}`;
    }
  }

  async text(view, path, signal) {
    const place = $("markdown"), note = (words, name) => {
      const line = document.createElement("p");
      line.className = name;
      line.textContent = words;
      place.replaceChildren(line);
    };
    this.provenance(view);
    this.doubts(view);
    if (view?.status === "failed") return note(`This page failed: ${view.error.message}`, "error");
    if (view?.status !== "done") return note(isFinal(this.task) ? "This page was not read." : "This page is not read yet.", "quiet");
    const unread = doubts(view).some(({ code }) => code === "no_text_layer");
    if (!view.markdown) return note(unread ? "This page was not read." : "This page is empty.", unread ? "doubt" : "quiet");
    if ($("raw").checked) {
      const text = document.createElement("pre");
      text.textContent = view.markdown;
      return place.replaceChildren(text);
    }
    // Made by the server from the page's blocks, without anything that could act. In a template nothing is fetched yet.
    const made = document.createElement("template");
    made.innerHTML = await (await ask("GET", `${path}/html`, { signal })).text();
    this.figures(made.content.querySelectorAll("img"), signal);
    place.replaceChildren(made.content);
    // Each block is read in the direction of its own script.
    for (const block of place.children) block.dir = "auto";
  }

  /** Shows figures: they are fetched with the key, if there is one. */
  figures(images, signal) {
    for (const image of images) {
      const name = image.getAttribute("src").split("/").pop();
      image.removeAttribute("src");
      ask("GET", `/v1/tasks/${this.id}/images/${name}`, { signal }).then((response) => response.blob()).then((blob) => {
        const url = URL.createObjectURL(blob);
        image.onload = () => URL.revokeObjectURL(url);
        image.src = url;
      }).catch(() => image.replaceWith(image.alt));
    }
  }

  /** What is known against the page, above it. */
  doubts(view) {
    const found = view?.status === "done" ? doubts(view) : [];
    $("doubts").hidden = found.length === 0;
    $("doubts").replaceChildren(...found.map(({ code, detail }) => {
      const item = document.createElement("li"), name = document.createElement("code");
      name.textContent = code;
      item.append(name, ` ${detail}`);
      return item;
    }));
  }

  provenance(view) {
    const rows = [], checks = view?.checks ?? {};
    if (view?.processor) rows.push(["Read by", [view.processor, view.model].filter(Boolean).join(", ")]);
    if (checks.route) rows.push(["Because", checks.route]);
    if (view?.attempts) rows.push(["Attempts", view.attempts, view.attempts > 1 && view.status === "failed" && "bad"]);
    if (view?.ms) rows.push(["Took", duration(view.ms / 1000)]);
    if (view?.usage?.prompt_tokens) rows.push(["Tokens", `${view.usage.prompt_tokens} sent, ${view.usage.completion_tokens} received`]);
    if (view?.usage?.cost) rows.push(["Cost", view.usage.cost.toPrecision(2)]);
    if (checks.recall !== undefined) rows.push(["Words of the page found", `${Math.round(checks.recall * 100)} %`, checks.unfaithful && "doubt"]);
    for (const what of checks.removed ?? []) rows.push(["Taken off the answer", what]);
    if (checks.invented_numbers) rows.push(["Numbers not on the page", checks.invented_numbers, checks.unfaithful && "doubt"]);
    if (view?.error) rows.push(["Code", view.error.code, "bad"]);
    $("provenance").replaceChildren(...rows.map(([name, value, bad]) => {
      const row = document.createElement("div"), term = document.createElement("dt"), what = document.createElement("dd");
      term.textContent = name;
      what.textContent = value;
      if (bad) what.className = bad;
      row.append(term, what);
      return row;
    }));
  }

  async act(button) {
    const { id } = this, name = this.task.file_name ?? id;
    const path = `/v1/tasks/${id}`;
    button.disabled = true;
    try {
      switch (button.dataset.act) {
        case "cancel": this.update(await json("POST", `${path}/cancel`)); break;
        case "retry":
          this.update(await json("POST", `${path}/retry`));
          for (const [page, view] of this.views) if (view.status === "failed") { this.views.delete(page); this.bar.states.delete(page); }
          $("next-bad").hidden = true;
          this.bar.draw();
          this.look();
          this.follow();
          break;
        case "delete":
          if (await this.confirm(`Delete ${name} and its result?`)) { await ask("DELETE", path); location.hash = "#/"; }
          break;
        default: await this.download(button.dataset.act, name);
      }
    } catch (problem) {
      this.fail(problem.message);
    }
    button.disabled = false;
  }

  async download(kind, name) {
    const accept = kind === "json" ? "application/json" : "text/markdown";
    const response = await ask("GET", `/v1/tasks/${this.id}/result?partial=true`, { headers: { accept } });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `${name.replace(/\.(pdf|png|jpe?g|tiff?|webp)$/i, "")}.${kind === "json" ? "json" : "md"}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
}
