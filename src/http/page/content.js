// What was read of a page, in four views: rendered, as Markdown, the document's own text layer, and what differs between both.

import { ask, json } from "./api.js";
import { diff, words } from "./diff.js";
import { $, el, icon } from "./dom.js";
import { provenance } from "./provenance.js";
import { doubts, isFinal } from "./words.js";

const VIEWS = ["rendered", "source", "layer", "diff"];
const NUMBER = /^[-+−(]?[\p{Sc}]?\s?\d[\d.,'\u00a0\u202f ]*\s?[%\p{Sc})]?$/u;

export class Content {
  /** `onShown` is called when a page's view is known. */
  constructor(onShown) {
    Object.assign(this, { onShown, chosen: "rendered", view: null, text: "" });
    this.tabs = [...document.querySelectorAll("[role=tab]")];
    for (const tab of this.tabs) {
      tab.addEventListener("click", () => this.pick(tab.dataset.view));
      tab.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!by) return;
        event.preventDefault();
        const next = this.tabs[(this.tabs.indexOf(tab) + by + this.tabs.length) % this.tabs.length];
        next.focus();
        this.pick(next.dataset.view);
      });
    }
    $("copy").addEventListener("click", () => this.copy());
  }

  clear() { this.stop?.abort(); this.view = null; $("content").replaceChildren(); $("provenance").replaceChildren(); $("doubts").hidden = true; }

  /** Chooses a view without showing it. */
  choose(view) {
    const chosen = VIEWS.includes(view) ? view : "rendered", changed = chosen !== this.chosen;
    this.chosen = chosen;
    for (const tab of this.tabs) {
      tab.setAttribute("aria-selected", tab.dataset.view === chosen);
      tab.tabIndex = tab.dataset.view === chosen ? 0 : -1;
    }
    $("content").setAttribute("aria-labelledby", `tab-${chosen}`);
    return changed;
  }

  pick(view) {
    if (!this.choose(view) || !this.id) return;
    const query = view === "rendered" ? "" : `?view=${view}`;
    history.replaceState(null, "", `#/tasks/${this.id}/${this.page}${query}`);
    this.show(this.id, this.page, this.task);
  }

  async show(id, page, task) {
    this.stop?.abort();
    this.stop = new AbortController();
    const { signal } = this.stop, other = this.page !== page || this.id !== id;
    Object.assign(this, { id, page, task });
    if (other) { this.view = null; $("provenance").replaceChildren(); $("doubts").hidden = true; $("content").scrollTop = 0; }
    try {
      const { pages: [view] } = await json("GET", `v1/tasks/${id}/pages?limit=1&from=${page}`, { signal });
      this.view = view;
      $("provenance").replaceChildren(...provenance(view));
      this.findings(view);
      this.onShown();
      const shown = await this[this.chosen](view, `v1/tasks/${id}/pages/${page}`, signal);
      if (signal.aborted) return;
      $("content").className = `scroll ${this.chosen}`;
      $("content").replaceChildren(...[shown].flat());
      $("copy").hidden = !this.text;
    } catch (error) {
      if (!signal.aborted && error.status !== 0) $("content").replaceChildren(el("p", { class: "error" }, error.message));
    }
  }

  /** Why there is nothing to show of what was read, if there is nothing. */
  missing(view) {
    this.text = "";
    if (view?.status === "failed") return el("p", { class: "error" }, `This page failed: ${view.error.message}`);
    if (view?.status !== "done") return el("p", { class: "quiet" }, isFinal(this.task) ? "This page was not read." : "This page is not read yet.");
    const unread = doubts(view).some(({ code }) => code === "no_text_layer");
    if (!view.markdown) return el("p", { class: unread ? "doubt" : "quiet" }, unread ? "This page was not read." : "This page is empty.");
    this.text = view.markdown;
    return null;
  }

  async rendered(view, path, signal) {
    const missing = this.missing(view);
    if (missing) return missing;
    // Made by the server from the page's blocks, without anything that could act. In a template nothing is fetched yet.
    const made = document.createElement("template");
    made.innerHTML = await (await ask("GET", `${path}/html`, { signal })).text();
    this.figures(made.content.querySelectorAll("img"), signal);
    for (const table of made.content.querySelectorAll("table")) alignNumbers(table);
    // Each block is read in the direction of its own script.
    for (const block of made.content.children) block.dir = "auto";
    return [...made.content.childNodes];
  }

  async source(view) { return this.missing(view) ?? el("pre", {}, view.markdown); }

  async layer(view, path, signal) {
    this.text = await this.textLayer(path, signal);
    return this.text ? el("pre", {}, this.text) : el("p", { class: "quiet" }, "This page has no text layer.");
  }

  async diff(view, path, signal) {
    const missing = this.missing(view);
    let layer = await this.textLayer(path, signal), yardstick = "the text layer";
    this.text = "";
    if (missing) return missing;
    if (!layer) {
      // A scan: what the server's own OCR reads of it, where there is one.
      $("content").replaceChildren(el("p", { class: "quiet" }, "This page has no text layer. Recognising its text to compare with…"));
      layer = await this.textLayer(path, signal, "?ocr=true").catch((error) => { if (signal.aborted) throw error; return ""; });
      yardstick = "OCR";
    }
    if (!layer) return el("p", { class: "quiet" }, "This page has no text layer to compare with, and no OCR on the server reads it.");
    const runs = diff(words(layer), words(view.markdown));
    if (!runs) return el("p", { class: "quiet" }, `What ${yardstick} says and what was read differ too much to be compared word by word.`);
    const count = (kind) => runs.filter(([name]) => name === kind).reduce((sum, [, some]) => sum + some.length, 0), [gone, fresh] = [count("gone"), count("new")];
    if (!gone && !fresh) return el("p", { class: "quiet" }, `Word by word the same as ${yardstick}.`);
    const legend = el("p", { class: "diff-legend" }, el("del", {}, `${gone} only in ${yardstick}`), " ", el("ins", {}, `${fresh} only in what was read`));
    const tags = { gone: "del", new: "ins", same: "span" };
    return [legend, el("p", { class: "diff-text", dir: "auto" }, ...runs.flatMap(([kind, some]) => [el(tags[kind], {}, some.join(" ")), " "]))];
  }

  async textLayer(path, signal, query = "") { return (await (await ask("GET", `${path}/text-layer${query}`, { signal })).text()).trim(); }

  /** Shows figures: they are fetched with the key, if there is one. */
  figures(images, signal) {
    for (const image of images) {
      const name = image.getAttribute("src").split("/").pop();
      image.removeAttribute("src");
      ask("GET", `v1/tasks/${this.id}/images/${name}`, { signal }).then((response) => response.blob()).then((blob) => {
        const url = URL.createObjectURL(blob);
        image.onload = () => URL.revokeObjectURL(url);
        image.src = url;
      }).catch(() => image.replaceWith(image.alt));
    }
  }

  /** The findings of the page: what makes it doubtful first, then facts. */
  findings(view) {
    const all = view?.findings ?? [], doubtful = doubts(view);
    $("doubts").hidden = all.length === 0;
    $("doubts").classList.toggle("facts", doubtful.length === 0);
    const ordered = [...doubtful, ...all.filter((finding) => !doubtful.includes(finding))];
    $("doubts").replaceChildren(...ordered.map((finding) => el("li", {}, doubtful.includes(finding) && icon("doubt"), el("code", {}, finding.code), ` ${finding.detail}`)));
  }

  async copy() {
    const said = $("copy").lastChild;
    try {
      await navigator.clipboard.writeText(this.text);
      said.textContent = "Copied";
    } catch { said.textContent = "Not allowed"; }
    setTimeout(() => { said.textContent = "Copy"; }, 1500);
  }
}

/** Marks the columns of numbers, so that their digits stand below each other. Tables with spans stay as they are. */
function alignNumbers(table) {
  if (table.querySelector("[colspan], [rowspan]")) return;
  const rows = [...table.rows], width = Math.max(0, ...rows.map((row) => row.cells.length));
  for (let column = 0; column < width; column++) {
    const body = rows.map((row) => row.cells[column]).filter((cell) => cell?.tagName === "TD" && cell.textContent.trim());
    if (!body.length || !body.every((cell) => NUMBER.test(cell.textContent.trim()))) continue;
    for (const row of rows) row.cells[column]?.classList.add("number");
  }
}

