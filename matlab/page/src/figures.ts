// The session's figures: one tab each, zoomed and rotated on the page, exported by the session.
import { openMenu } from "./dialog";
import { $, h, iconButton } from "./dom";
import type { Connection } from "./connection";
import { Drawing, kindOf } from "./drawing";
import { saveAs } from "./files";
import type { Figure, FigureData, Format } from "./protocol";
import { showTabs } from "./tabs";
import { onTheme } from "./theme";
import { speak, words } from "./words";

const FORMATS: Record<Format, string> = { png: "image/png", svg: "image/svg+xml", pdf: "application/pdf" };
const RESIZED_AFTER = 120; // ms

interface Surroundings {
  run(code: string): void;
  fail(error: unknown): void;
}

export class Figures {
  private figures: Figure[] = [];
  private current = 0;
  private data: FigureData | null = null;
  private asked = 0;
  private resizeTimer = 0;
  private readonly body = $("figure");
  private readonly place = h("div", { id: "plot" });
  private readonly note = h("p", { class: "caption" });
  private readonly drawing = new Drawing(this.place);

  constructor(private readonly connection: Connection, private readonly around: Surroundings) {
    speak(() => this.draw());
    onTheme(() => void this.render());
    new ResizeObserver(() => {
      clearTimeout(this.resizeTimer);
      this.resizeTimer = setTimeout(() => void this.render(), RESIZED_AFTER);
    }).observe(this.body);
  }

  show(figures: Figure[]): void {
    const known = new Map(this.figures.map(({ number, revision }) => [number, revision]));
    const changed = figures.filter(({ number, revision }) => known.get(number) !== revision);
    this.figures = figures;
    if (!figures.some(({ number }) => number === this.current)) this.current = 0;
    this.current = changed.at(-1)?.number ?? (this.current || figures.at(-1)?.number || 0);
    this.draw();
    if (this.revision !== this.data?.revision || this.data?.number !== this.current) void this.fetch();
  }

  get enlarged(): boolean { return $("desk").classList.contains("enlarged"); }
  enlarge(large: boolean): void { $("desk").classList.toggle("enlarged", large); }

  private get revision(): number | undefined { return this.figures.find(({ number }) => number === this.current)?.revision; }

  private choose(number: number): void {
    this.current = number;
    this.draw();
    void this.fetch();
  }

  private async fetch(): Promise<void> {
    const { current: number } = this;
    if (!number) return;
    const asked = ++this.asked;
    try {
      const data = await this.connection.call("figure.data", { number });
      if (asked !== this.asked) return;
      this.data = data;
      await this.render();
    } catch (error) {
      if (asked === this.asked && this.figures.some((figure) => figure.number === number)) this.around.fail(error);
    }
  }

  private async render(): Promise<void> {
    const { data } = this;
    if (!data || data.number !== this.current || !this.place.isConnected || !this.place.clientWidth) return;
    const kind = kindOf(data);
    this.note.textContent = kind === "solid" ? words().rotateHint : kind === "flat" ? words().zoomHint
      : words().asPicture;
    this.place.dataset.kind = kind;
    if (kind === "picture") await this.picture(data);
    else await this.drawing.draw(data, kind);
    this.place.dataset.drawn = `${data.number}.${data.revision}`;
  }

  /** What the page cannot draw, the session does. */
  private async picture(data: FigureData): Promise<void> {
    const { number } = data;
    const [width, height] = [Math.max(200, this.place.clientWidth), Math.max(150, this.place.clientHeight)];
    const { content } = await this.connection.call("figure.export", { number, format: "png", width, height });
    if (this.data !== data) return;
    this.drawing.clear();
    this.place.append(h("img", { src: `data:image/png;base64,${content}`, alt: words().figure(number) }));
  }

  private draw(): void {
    showTabs($("figure-tabs"), this.figures.map(({ number, name }) => ({
      title: name || (this.figures.length > 2 ? String(number) : words().figure(number)),
      hint: name ? `${words().figure(number)}: ${name}` : words().figure(number),
      closeHint: words().closeFigure,
      selected: number === this.current,
      choose: () => this.choose(number),
      close: () => this.around.run(`close (${number})`),
    })));
    const some = this.figures.length > 0;
    const enlarge = iconButton("enlarge", words().enlarge, () => this.enlarge(!this.enlarged));
    enlarge.id = "enlarge";
    const save = iconButton("download", words().exportFigure, (event) => openMenu(event, save, (
      (["png", "svg", "pdf"] as const).map((format) => ({
        label: words().exportAs(format.toUpperCase()), choose: () => void this.export(format),
      }))
    )));
    save.id = "export-figure";
    $("figure-tools").replaceChildren(...(some
      ? [iconButton("reset", words().resetView, () => void this.drawing.resetView()), save, enlarge] : []));
    if (some) {
      if (!this.place.isConnected) this.body.replaceChildren(this.place, this.note);
      return;
    }
    this.data = null;
    this.drawing.clear();
    this.enlarge(false);
    this.body.replaceChildren(h(
      "div", { class: "empty" }, h("strong", {}, words().noFigures),
      h("span", {}, words().noFiguresHint, " ", h("code", {}, "surf(peaks)")),
    ));
  }

  private async export(format: Format): Promise<void> {
    const { current: number } = this;
    try {
      const { encoding, content } = await this.connection.call("figure.export", { number, format });
      const bytes = encoding === "text" ? content : Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      const address = URL.createObjectURL(new Blob([bytes], { type: FORMATS[format] }));
      saveAs(address, `figure${number}.${format}`);
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      this.around.fail(error);
    }
  }
}
