// What a page looks like, at any size, beside what was read of it.

import { ask } from "./api.js";
import { $, el } from "./dom.js";

const STEPS = [0.5, 0.75, 1, 1.5, 2, 3, 4], SIDE = 1400, MOST = 4096;

export class Picture {
  constructor() {
    this.zoom = 1;
    for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => this.scale(button.dataset.zoom));
  }

  clear() { this.stop?.abort(); this.shown = null; $("picture").replaceChildren(); }

  /** Fetches a page's picture, fine enough for how large it is shown. */
  async show(id, page) {
    const side = Math.min(MOST, Math.round(SIDE * Math.max(1, this.zoom))), key = `${id}/${page}/${side}`;
    if (this.shown === key) return;
    this.stop?.abort();
    this.stop = new AbortController();
    const { signal } = this.stop, place = $("picture"), samePage = this.shown?.startsWith(`${id}/${page}/`);
    Object.assign(this, { id, page, shown: key });
    if (!samePage) { place.replaceChildren(el("p", { class: "quiet" }, "Drawing the page …")); place.scrollTop = 0; }
    try {
      const response = await ask("GET", `v1/tasks/${id}/pages/${page}/image?side=${side}`, { signal });
      const url = URL.createObjectURL(await response.blob());
      const image = el("img", { alt: `Page ${page} as it is in the document` });
      image.onload = () => URL.revokeObjectURL(url);
      image.src = url;
      await image.decode().catch(() => {});
      if (signal.aborted) return;
      this.size(image);
      place.replaceChildren(image);
    } catch (error) {
      if (signal.aborted) return;
      this.shown = null;
      place.replaceChildren(el("p", { class: "quiet" }, `This page cannot be drawn: ${error.message}`));
    }
  }

  scale(way) {
    const at = STEPS.findIndex((step) => step >= this.zoom);
    this.zoom = way === "fit" ? 1 : STEPS[Math.min(STEPS.length - 1, Math.max(0, at + (way === "in" ? 1 : -1)))];
    $("zoom-now").textContent = this.zoom === 1 ? "Fit" : `${this.zoom * 100} %`;
    const image = $("picture").querySelector("img");
    if (image) { this.size(image); this.show(this.id, this.page); }
  }

  size(image) { image.style.width = `${this.zoom * 100}%`; }
}

/** Two panels that scroll together, each by its own length. */
export function keepInStep(one, other) {
  let led = null;
  for (const [leader, follower] of [[one, other], [other, one]]) {
    leader.addEventListener("scroll", () => {
      if (led === leader) { led = null; return; }
      const [long, short] = [leader, follower].map((panel) => panel.scrollHeight - panel.clientHeight);
      if (long <= 0 || short <= 0) return;
      const to = Math.round((leader.scrollTop / long) * short);
      // Setting it scrolls the follower, which then is not to lead.
      if (Math.abs(follower.scrollTop - to) > 1) { led = follower; follower.scrollTop = to; }
    }, { passive: true });
  }
}
