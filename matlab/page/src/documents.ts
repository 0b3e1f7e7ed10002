// The area above the command window: a row of tabs, each with a file or a variable behind it.
import { confirmed } from "./dialog";
import { $, h } from "./dom";
import { showTabs } from "./tabs";
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
  private readonly area = $("document");
  private readonly empty = h("div", { class: "empty" });
  private readonly changed: (() => void)[] = [];

  constructor(private readonly newScript: () => void) {
    speak(() => {
      this.empty.replaceChildren(
        h("strong", {}, words().nothingOpen), h("span", {}, words().nothingOpenHint),
        h("button", { type: "button", onclick: () => this.newScript() }, words().newScriptHint),
      );
      this.draw();
    });
  }

  onChange(changed: () => void): void { this.changed.push(changed); }

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
    showTabs($("tabs"), this.open.map((document) => {
      const title = document.element.ariaLabel = document.title();
      return {
        title,
        hint: document.hint(),
        mark: document.unsaved() ? h("i", { class: "unsaved", role: "img", title: words().unsaved, "aria-label": words().unsaved }) : undefined,
        closeHint: words().close,
        selected: document === this.current,
        choose: () => this.show(document),
        close: () => void this.close(document),
      };
    }));
    if (this.open.length) this.empty.remove();
    else this.area.append(this.empty);
    this.changed.forEach((changed) => changed());
  }
}
