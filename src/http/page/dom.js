// Small helpers around the DOM. Text goes in as text: nothing here parses HTML.

export const $ = (id) => document.getElementById(id);

/** Makes an element; attributes that are `null`, `undefined` or `false` are left out. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** One of the icons at the end of the page. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Says something that passes, at the lower edge; `action` is `[label, function]`. */
export function toast(text, action) {
  const item = el("div", { class: "toast" }, el("span", {}, text));
  const close = () => item.remove();
  if (action) item.append(el("button", { class: "plain small", onclick: () => { close(); action[1](); } }, action[0]));
  item.append(el("button", { class: "plain small", "aria-label": "Dismiss", onclick: close }, icon("failed")));
  $("toasts").append(item);
  setTimeout(close, 8000);
}

/** Asks before something is lost. */
export const confirm = (text, yes = "Delete") => new Promise((resolve) => {
  const dialog = $("confirm");
  $("confirm-text").textContent = text;
  dialog.querySelector("[value=yes]").textContent = yes;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  dialog.showModal();
});

/** Offers bytes as a download. */
export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
