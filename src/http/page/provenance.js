// How a page was read, in short pieces.

import { el } from "./dom.js";
import { duration, money } from "./words.js";

/** What is known of how a page was read, one piece each. */
export function provenance(view) {
  const pieces = [], checks = view?.checks ?? {}, { usage = {} } = view ?? {};
  const say = (text, kind, title) => pieces.push(el("span", { class: kind ?? null, title: title ?? null }, text));
  if (view?.processor) say([view.processor, view.model].filter(Boolean).join(" · "), "by", "Processor and model");
  if (checks.route) say(checks.route, null, "Why it was read this way");
  const ocr = checks.witness === "ocr";
  const share = ocr ? "of what OCR reads" : "of the page’s words";
  const of = ocr ? "The share of the letters that OCR reads on the picture that the result has" : "The share of the text layer’s words that the result has";
  if (checks.recall !== undefined) say(`${Math.round(checks.recall * 100)} % ${share}`, checks.unfaithful ? "doubt" : null, of);
  const where = ocr ? "that OCR does not read" : "not on the page";
  if (checks.invented_numbers) say(`${checks.invented_numbers} ${checks.invented_numbers === 1 ? "number" : "numbers"} ${where}`, checks.unfaithful ? "doubt" : null);
  for (const what of checks.removed ?? []) say(`removed: ${what}`, null, "Taken off the answer");
  if (view?.attempts > 1) say(`${view.attempts} attempts`, view.status === "failed" ? "bad" : null);
  if (view?.ms) say(duration(view.ms / 1000));
  if (usage.prompt_tokens) say(`${usage.prompt_tokens} → ${usage.completion_tokens} tokens`, null, "Sent and received");
  if (usage.cost) say(money(usage.cost));
  if (view?.error) say(view.error.code, "bad", "The code of the error");
  return pieces;
}
