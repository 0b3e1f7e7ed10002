// A variable in a tab: a matrix block by block, a struct or cell level by level.
import type { Connection } from "./connection";
import { NotConnected } from "./connection";
import type { Document } from "./documents";
import { h } from "./dom";
import type { Item, Step, Value } from "./protocol";
import { speak, words } from "./words";
import { classText, inShort, sizeText } from "./workspace";

const ROWS = 100; // of a matrix, or items of a list, shown at once
const COLUMNS = 30;

export class Viewer implements Document {
  readonly key: string;
  readonly element = h("div", { class: "viewer" });
  private path: Step[] = [];
  private row = 1;
  private column = 1;
  private page = 1;
  private value: Value | null = null;
  private problem = "";
  private exists = true;
  private visible = false;

  constructor(readonly name: string, private readonly connection: Connection, private readonly gone: () => void) {
    this.key = `variable:${name}`;
    speak(() => this.draw());
  }

  title(): string { return this.name; }
  hint(): string { return `${words().variable} ${this.name}`; }
  unsaved(): boolean { return false; }
  closed(): void { this.gone(); }

  shown(): void {
    this.visible = true;
    void this.refresh();
  }

  /** A command is over: the variable may have another value, or be gone. */
  follow(exists: boolean): void {
    this.exists = exists;
    if (exists) void this.refresh();
    else this.draw();
  }

  private async refresh(): Promise<void> {
    if (this.element.hidden && this.visible) return;
    const { name, path, row, column, page } = this;
    try {
      const value = await this.connection.call("value", { name, path, row, column, rows: ROWS, columns: COLUMNS, page });
      if (path !== this.path || row !== this.row || column !== this.column || page !== this.page) return;
      [this.value, this.problem] = [value, ""];
    } catch (error) {
      if (error instanceof NotConnected) return;
      this.problem = (error as Error).message;
    }
    this.draw();
  }

  private goTo(path: Step[]): void {
    [this.path, this.row, this.column, this.page] = [path, 1, 1, 1];
    void this.refresh();
  }

  private move(to: { row?: number; column?: number; page?: number }): void {
    Object.assign(this, to);
    void this.refresh();
  }

  private draw(): void {
    const { value } = this;
    const problem = this.exists ? this.problem : words().variableGone(this.name);
    if (problem || !value) {
      const back = this.path.length > 0
        && h("button", { type: "button", onclick: () => this.goTo([]) }, this.name);
      this.element.replaceChildren(h("div", { class: "empty" }, h("strong", {}, problem), back));
      return;
    }
    const scroller = h("div", { class: "contents", tabindex: 0, role: "group", "aria-label": this.hint() }, this.body(value));
    const before = this.element.querySelector(".contents");
    const [top, left] = [before?.scrollTop ?? 0, before?.scrollLeft ?? 0];
    this.element.replaceChildren(this.head(value), scroller);
    scroller.scrollTo({ top, left });
  }

  private head(value: Value): HTMLElement {
    const crumb = (text: string, depth: number) => h("button", {
      type: "button", onclick: () => this.goTo(this.path.slice(0, depth)),
    }, text);
    const crumbs = [
      crumb(this.name, 0),
      ...this.path.map((step, i) => crumb(typeof step === "string" ? `.${step}` : this.bracketed(step), i + 1)),
    ];
    return h(
      "header", {}, h("nav", { "aria-label": this.hint() }, ...crumbs),
      h("span", { class: "what" }, `${sizeText(value.size)} ${classText(value)}`), ...this.turners(value),
    );
  }

  private bracketed(step: number): string { return `(${step})`; }

  /** Buttons to the parts that are not shown. */
  private turners(value: Value): Node[] {
    const { size } = value;
    const found: Node[] = [];
    const turner = (label: string, from: number, step: number, all: number, turn: (to: number) => void) => {
      if (all <= step) return;
      const last = Math.min(all, from + step - 1);
      found.push(h(
        "span", { class: "turner" },
        h("button", { type: "button", class: "icon", disabled: from <= 1, "aria-label": `${label} −`, onclick: () => turn(Math.max(1, from - step)) }, "‹"),
        `${label} ${step === 1 ? from : `${from}–${last}`} / ${all}`,
        h("button", { type: "button", class: "icon", disabled: last >= all, "aria-label": `${label} +`, onclick: () => turn(from + step) }, "›"),
      ));
    };
    if (value.kind === "matrix") {
      turner(words().rows, this.row, ROWS, size[0] ?? 0, (row) => this.move({ row }));
      turner(words().columns, this.column, COLUMNS, size[1] ?? 0, (column) => this.move({ column }));
      turner(words().page, value.page ?? 1, 1, size.slice(2).reduce((a, b) => a * b, 1), (page) => this.move({ page }));
    } else if (value.kind === "list") {
      turner(words().items, this.row, ROWS, size.reduce((a, b) => a * b, 1), (row) => this.move({ row }));
    }
    return found;
  }

  private body(value: Value): HTMLElement {
    switch (value.kind) {
      case "matrix": return value.size.includes(0) ? nothing() : this.matrix(value);
      case "struct":
      case "list": return value.items?.length ? this.items(value) : nothing();
      case "text": return h("pre", {}, value.content ?? "");
    }
  }

  private matrix({ values = [], imaginary, first: [top = 1, left = 1] }: Value): HTMLElement {
    const heads = (values[0] ?? []).map((_, i) => h("th", { scope: "col" }, String(left + i)));
    const rows = values.map((row, i) => h(
      "tr", {}, h("th", { scope: "row" }, String(top + i)),
      ...row.map((real, k) => h("td", {}, numberText(real, imaginary?.[i]?.[k]))),
    ));
    return h("table", { class: "grid numbers" }, h("thead", {}, h("tr", {}, h("td"), ...heads)), h("tbody", {}, ...rows));
  }

  private items({ items = [], kind, size }: Value): HTMLElement {
    const heads = [kind === "struct" ? words().field : "#", words().value, words().size, words().class];
    const rows = items.map((item) => h(
      "tr", { ondblclick: () => this.goTo([...this.path, item.step]) },
      h("td", { class: "name" }, h("button", { type: "button", onclick: () => this.goTo([...this.path, item.step]) }, stepText(item, size))),
      h("td", { class: "value" }, inShort(item)), h("td", { class: "size" }, sizeText(item.size)),
      h("td", { class: "class" }, classText(item)),
    ));
    return h(
      "table", { class: "grid variables" },
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, ...rows),
    );
  }
}

/** The name of a field, or where an element lies: its row and column if there is more than one of each. */
function stepText({ step }: Item, size: number[]): string {
  if (typeof step === "string") return step;
  const [rows = 1, columns = 1] = size;
  return size.length === 2 && rows > 1 && columns > 1 ? `${(step - 1) % rows + 1}, ${Math.ceil(step / rows)}` : String(step);
}

function nothing(): HTMLElement { return h("div", { class: "empty" }, h("span", {}, words().emptyValue)); }

function numberText(real: number | string, imaginary?: number | string): string {
  if (imaginary === undefined) return inDigits(real);
  const text = inDigits(imaginary);
  return `${inDigits(real)} ${text.startsWith("-") ? "−" : "+"} ${text.replace("-", "")}i`;
}

/** As `format short g` shows it. */
function inDigits(value: number | string): string {
  if (typeof value === "string" || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e7 ? String(Number(value.toPrecision(6))) : value.toExponential(4);
}
