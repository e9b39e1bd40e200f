// A bar in which each page is a cell. What a cell means is told by its colour and by its shape: done is full, doubtful is
// a half cell, failed is full with a notch in its middle, not read is a thin line.

export const OPEN = 0, DONE = 1, FAILED = 2, DOUBTFUL = 3;
const SMALLEST = 6, WIDEST = 28;

/** Draws on a canvas. `rows` is how many rows it may have at most; what does not fit shares cells. */
export class Bar {
  constructor(canvas, rows, height, onPage) {
    Object.assign(this, { canvas, rows, height, onPage, pages: [], states: new Map(), current: null });
    this.watcher = new ResizeObserver(() => this.drawSoon());
    this.watcher.observe(canvas);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.draw();
    this.scheme.addEventListener("change", this.redraw);
    if (onPage) canvas.addEventListener("click", (event) => {
      const page = this.pageAt(event.offsetX, event.offsetY);
      if (page) onPage(page);
    });
  }

  /** `pages` are the numbers of all pages. */
  setPages(pages) { this.pages = pages; this.drawSoon(); }

  set(page, state) { this.states.set(page, state); this.drawSoon(); }

  /** Where it is not known which pages they are: so many from the left. */
  setCounts(total, { done, failed, doubtful = 0 }) {
    const state = (at) => (at <= done - doubtful ? DONE : at <= done ? DOUBTFUL : at > total - failed ? FAILED : OPEN);
    this.pages = Array.from({ length: total }, (_, at) => at + 1);
    this.states = new Map(this.pages.map((page) => [page, state(page)]));
    this.drawSoon();
  }

  drawSoon() { this.due ??= requestAnimationFrame(() => this.draw()); }

  grid() {
    const width = this.canvas.clientWidth || 300;
    const fits = Math.max(1, Math.floor(width / SMALLEST));
    const count = this.pages.length;
    const share = Math.max(1, Math.ceil(count / (fits * this.rows)));
    const cells = Math.ceil(count / share);
    const rows = Math.max(1, Math.ceil(cells / fits));
    const columns = Math.max(1, Math.ceil(cells / rows));
    return { width, share, cells, rows, columns, size: Math.min(WIDEST, width / columns) };
  }

  /** The page at a place on the canvas, if there is one. */
  pageAt(x, y) {
    const { share, columns, size } = this.grid();
    const column = Math.floor(x / size);
    if (column >= columns) return undefined;
    return this.pages[(Math.floor(y / this.height) * columns + column) * share];
  }

  draw() {
    this.due = null;
    const { width, share, cells, rows, columns, size } = this.grid();
    const scale = devicePixelRatio || 1, context = this.canvas.getContext("2d");
    this.canvas.style.height = `${rows * this.height}px`;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(rows * this.height * scale);
    context.scale(scale, scale);
    const css = getComputedStyle(this.canvas), color = (name) => css.getPropertyValue(name);
    const [open, done, failed, doubt, now, ground] = ["--open", "--done", "--failed", "--doubt", "--now", "--paper"].map(color);
    const gap = size > 3 ? 1 : 0, high = this.height - 2;
    for (let cell = 0; cell < cells; cell++) {
      const pages = this.pages.slice(cell * share, (cell + 1) * share);
      const states = pages.map((page) => this.states.get(page) ?? OPEN);
      const [left, top] = [(cell % columns) * size, Math.floor(cell / columns) * this.height], wide = Math.max(size - gap, 0.5);
      const fill = (style, from, to) => {
        context.fillStyle = style;
        context.fillRect(left, top + high * from, wide, high * (to - from));
      };
      const has = (state) => states.includes(state);
      fill(open, has(OPEN) && states.every((state) => state === OPEN) ? 0.35 : 0, 1);
      if (has(FAILED)) {
        fill(failed, 0, 1);
        fill(ground, 0.4, 0.6);
      } else if (has(DOUBTFUL)) {
        fill(doubt, 0.45, 1);
      } else if (has(DONE)) {
        fill(done, 1 - states.filter((state) => state === DONE).length / states.length, 1);
      }
      if (pages.includes(this.current)) {
        context.strokeStyle = now;
        context.lineWidth = 2;
        context.strokeRect(left + 1, top + 1, Math.max(wide - 2, 2), high - 2);
      }
    }
  }

  end() { this.watcher.disconnect(); this.scheme.removeEventListener("change", this.redraw); }
}
