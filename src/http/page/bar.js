// A bar in which each page is a cell.

export const OPEN = 0, DONE = 1, FAILED = 2, DOUBTFUL = 3;
const SMALLEST = 5;

/** Draws on a canvas. `rows` is how many it may have; what does not fit shares cells. */
export class Bar {
  constructor(canvas, rows, onPage) {
    Object.assign(this, { canvas, rows, pages: [], states: new Map(), current: null });
    this.watcher = new ResizeObserver(() => this.draw());
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
  setPages(pages) { this.pages = pages; this.draw(); }

  set(page, state) { this.states.set(page, state); this.drawSoon(); }

  /** Where it is not known which pages they are: so many from the left. */
  setCounts(total, { done, failed, doubtful = 0 }) {
    const state = (at) => (at <= done - doubtful ? DONE : at <= done ? DOUBTFUL : at > total - failed ? FAILED : OPEN);
    this.pages = Array.from({ length: total }, (_, at) => at + 1);
    this.states = new Map(this.pages.map((page) => [page, state(page)]));
    this.draw();
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
    return { width, share, cells, rows, columns, size: width / columns, height: 14 };
  }

  pageAt(x, y) {
    const { share, columns, size, height } = this.grid();
    const cell = Math.floor(y / height) * columns + Math.floor(x / size);
    return this.pages[cell * share];
  }

  draw() {
    this.due = null;
    const { width, share, cells, rows, columns, size, height } = this.grid();
    const scale = devicePixelRatio || 1, context = this.canvas.getContext("2d");
    this.canvas.style.height = `${rows * height}px`;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(rows * height * scale);
    context.scale(scale, scale);
    const css = getComputedStyle(this.canvas), color = (name) => css.getPropertyValue(name);
    const [open, done, failed, doubt, now] = ["--open", "--done", "--failed", "--doubt", "--now"].map(color);
    const gap = size > 3 ? 1 : 0;
    for (let cell = 0; cell < cells; cell++) {
      const pages = this.pages.slice(cell * share, (cell + 1) * share);
      const states = pages.map((page) => this.states.get(page) ?? OPEN);
      const [left, top] = [(cell % columns) * size, Math.floor(cell / columns) * height];
      const fill = (style, part) => {
        context.fillStyle = style;
        context.fillRect(left, top + (1 - part) * (height - 2), Math.max(size - gap, 0.5), (height - 2) * part);
      };
      fill(open, 1);
      const ready = states.filter((state) => state === DONE || state === DOUBTFUL).length / states.length;
      if (ready) fill(done, ready);
      if (states.includes(DOUBTFUL)) fill(doubt, Math.max(0.5, states.filter((state) => state === DOUBTFUL).length / states.length));
      if (states.includes(FAILED)) fill(failed, Math.max(0.35, 1 - ready));
      if (pages.includes(this.current)) {
        context.strokeStyle = now;
        context.lineWidth = 2;
        context.strokeRect(left, top, Math.max(size - gap, 2), height - 2);
      }
    }
  }

  end() { this.watcher.disconnect(); this.scheme.removeEventListener("change", this.redraw); }
}
