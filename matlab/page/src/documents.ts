// The area above the command window: a row of tabs, each with a file or a variable behind it.
import { confirmed } from "./dialog";
import { $, h, drawn } from "./dom";
import { speak, words } from "./words";

export interface Document {
  /** What tells it from the others: opening it twice shows the same tab. */
  readonly key: string;
  readonly element: HTMLElement;
  title(): string;
  hint(): string;
  unsaved(): boolean;
  shown(): void;
  closed(): void;
}

export class Documents {
  private readonly open: Document[] = [];
  private current: Document | null = null;
  private readonly tabs = $("tabs");
  private readonly area = $("document");
  private readonly empty = h("div", { class: "empty" });
  private changed: () => void = () => {};

  constructor(private readonly newScript: () => void) {
    speak(() => {
      this.empty.replaceChildren(
        h("strong", {}, words().nothingOpen), h("span", {}, words().nothingOpenHint),
        h("button", { type: "button", onclick: () => this.newScript() }, words().newScriptHint),
      );
      this.draw();
    });
    this.tabs.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.current) return;
      this.show(this.open[(this.open.indexOf(this.current) + step + this.open.length) % this.open.length]!);
      this.tabs.querySelector<HTMLElement>("[aria-selected=true]")?.focus();
    });
  }

  onChange(changed: () => void): void { this.changed = changed; }

  get all(): readonly Document[] { return this.open; }
  get active(): Document | null { return this.current; }

  find(key: string): Document | undefined { return this.open.find((document) => document.key === key); }

  add(document: Document, show = true): void {
    document.element.classList.add("document");
    document.element.hidden = true;
    document.element.role = "tabpanel";
    this.open.push(document);
    this.area.append(document.element);
    if (show) this.show(document);
    else this.draw();
  }

  show(document: Document | null): void {
    this.current = document;
    for (const other of this.open) other.element.hidden = other !== document;
    this.draw();
    document?.shown();
  }

  async close(document: Document): Promise<void> {
    if (document.unsaved() && !await confirmed(document.title(), words().closeUnsaved, words().close)) return;
    this.remove(document);
  }

  remove(document: Document): void {
    const place = this.open.indexOf(document);
    if (place < 0) return;
    this.open.splice(place, 1);
    document.element.remove();
    document.closed();
    if (this.current === document) this.show(this.open[Math.min(place, this.open.length - 1)] ?? null);
    else this.draw();
  }

  /** Titles, or what is unsaved, may have changed. */
  draw(): void {
    const tabs = this.open.map((document) => {
      const selected = document === this.current;
      const tab = h("div", {
        class: "tab", role: "tab", "aria-selected": String(selected), tabindex: selected ? 0 : -1, title: document.hint(),
        onpointerdown: (event: PointerEvent) => { if (event.button === 0) this.show(document); },
        onauxclick: (event: MouseEvent) => { if (event.button === 1) void this.close(document); },
      }, h("span", {}, document.title()));
      if (document.unsaved()) tab.append(h("i", { class: "unsaved", title: words().unsaved, "aria-label": words().unsaved }));
      const close = h("button", {
        type: "button", class: "icon", tabindex: -1, title: words().close, "aria-label": `${words().close} ${document.title()}`,
        onpointerdown: (event: Event) => event.stopPropagation(), onclick: () => void this.close(document),
      });
      close.append(drawn("close"));
      tab.append(close);
      return tab;
    });
    this.tabs.replaceChildren(...tabs);
    this.tabs.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (this.open.length) this.empty.remove();
    else this.area.append(this.empty);
    this.changed();
  }
}
