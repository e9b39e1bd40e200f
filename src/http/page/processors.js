// Who can read pages on this server, as `/v1/processors` says.

import { json } from "./api.js";
import { $, el } from "./dom.js";

let known = null;

/** The currency of costs; nothing as long as it is not known. */
export const currency = () => known?.currency ?? null;

/** What the server has; asked once. What shows costs hears `processors`, as their currency may come after them. */
export async function processors() {
  if (known) return known;
  known = await json("GET", "v1/processors");
  $("version").textContent = `v${known.version}`;
  window.dispatchEvent(new Event("processors"));
  return known;
}

/** Another key may have another server behind it. */
export function forget() {
  known = null;
  $("readers").replaceChildren();
}

const EXPLAINED = {
  text: () => "The PDF’s own text layer. Free, and blind to scans.",
  auto: ({ model, processors }) => {
    const by = [processors.includes("ocr") && "OCR on this machine", processors.includes("llm") && (model ?? "a model that the task names")];
    return `The text layer where it will do, else ${by.filter(Boolean).join(" or ")}.`;
  },
  llm: ({ model, fallback }) => `Every page by ${model ?? "a model that the task names"}${fallback.length ? `, then ${fallback.join(", ")}` : ""}. Paid.`,
  ocr: () => "Text recognised on the picture of each page, on this machine. Free.",
};

/** One line on a processor. */
export const explained = (name, all) => EXPLAINED[name]?.(all) ?? "A processor of this server’s own.";

/** What becomes of pages without a text layer. */
function scans({ processors, model, default: first }) {
  const way = [processors.includes("llm") && model && `by ${model}`, processors.includes("ocr") && "by OCR on this machine"].filter(Boolean);
  if (first === "auto" && way.length) return `Read ${way.join(" or ")}.`;
  if (way.length) return `Read ${way.join(" or ")}, when a task chooses the processor auto.`;
  return "Not read yet: they need OCR (bindery models install) or a model (BINDERY_LLM_BASE_URL and BINDERY_LLM_MODEL).";
}

/** Fills the list of readers of the empty page. */
export async function drawReaders() {
  if ($("readers").children.length) return;
  const all = await processors();
  const rows = all.processors.map((name) => [name, explained(name, all), name === all.default]);
  $("readers").replaceChildren(...rows.map(([name, text, isDefault]) => el("div", {},
    el("dt", {}, el("code", {}, name), isDefault && el("span", { class: "tag" }, "default")), el("dd", {}, text))),
  el("div", { class: "scans" }, el("dt", {}, "Scans"), el("dd", {}, scans(all))));
}

/** Fills a choice of processors. */
export async function drawChoice(select, { without = [], anyDefault = false } = {}) {
  const all = await processors();
  const names = all.processors.filter((name) => !without.includes(name));
  const options = names.map((name) => el("option", { value: name, title: explained(name, all) }, name));
  if (anyDefault) options.unshift(el("option", { value: "" }, `default (${all.default})`));
  select.replaceChildren(...options);
  $("models").replaceChildren(...[all.model, ...all.fallback].filter((name) => name && name !== "text" && name !== "ocr")
    .map((name) => el("option", { value: name })));
}
