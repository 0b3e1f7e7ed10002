// The workspace: the session's variables with their values, sizes and classes.
import { openMenu, type Choice } from "./dialog";
import { $, h } from "./dom";
import { readable } from "./folder";
import { keep, kept } from "./memory";
import type { Summary, Variable } from "./protocol";
import { speak, words } from "./words";

const COLUMNS = ["name", "value", "size", "class"] as const;
type Column = typeof COLUMNS[number];

interface Surroundings {
  open(name: string): void;
  run(code: string): void;
}

export class Workspace {
  private variables: Variable[] = [];
  private order = kept<{ by: Column | "bytes"; down: boolean }>("workspace-order", { by: "name", down: false });
  private selected: string | null = null;
  private readonly pane = $("variables");

  constructor(private readonly around: Surroundings) { speak(() => this.draw()); }

  show(variables: Variable[]): void {
    if (JSON.stringify(variables) === JSON.stringify(this.variables)) return; // somebody may be clicking there
    this.variables = variables;
    this.draw();
  }

  private draw(): void {
    if (!this.variables.length) {
      this.pane.replaceChildren(h(
        "div", { class: "empty" }, h("strong", {}, words().noVariables), h("span", {}, words().noVariablesHint),
      ));
      return;
    }
    const heads = COLUMNS.map((column) => h("th", {
      scope: "col", class: column, "aria-sort": this.order.by !== column ? "none" : this.order.down ? "descending" : "ascending",
    }, h("button", { type: "button", onclick: () => this.sortBy(column) }, words()[column])));
    const table = h(
      "table", { class: "grid variables", role: "grid", "aria-labelledby": "workspace-title" },
      h("thead", {}, h("tr", {}, ...heads)),
      h("tbody", {}, ...this.sorted().map((variable) => this.row(variable))),
    );
    const hadFocus = this.pane.querySelector("tbody")?.contains(document.activeElement);
    this.pane.replaceChildren(table);
    this.select(this.selected);
    if (hadFocus) this.pane.querySelector<HTMLElement>("tbody tr[tabindex='0']")?.focus();
  }

  private row(variable: Variable): HTMLElement {
    const { name } = variable;
    return h(
      "tr", {
        "data-name": name, tabindex: -1, title: `${name}: ${words().bytes} ${readable(variable.bytes)}`,
        onclick: () => this.select(name),
        onfocus: () => this.select(name),
        ondblclick: () => this.around.open(name),
        onkeydown: (event: KeyboardEvent) => this.key(event, name),
        oncontextmenu: (event: MouseEvent) => this.menu(event, variable),
      },
      h("td", { class: "name" }, name), h("td", { class: "value" }, inShort(variable)),
      h("td", { class: "size" }, sizeText(variable.size)), h("td", { class: "class" }, classText(variable)),
    );
  }

  private select(name: string | null): void {
    this.selected = name;
    const rows = [...this.pane.querySelectorAll<HTMLElement>("tbody tr")];
    const chosen = rows.find((row) => row.dataset.name === name);
    for (const row of rows) {
      row.ariaSelected = String(row === chosen);
      row.tabIndex = row === (chosen ?? rows[0]) ? 0 : -1; // Tab comes here once, arrow keys go on
    }
  }

  private key(event: KeyboardEvent, name: string): void {
    const row = event.currentTarget as HTMLElement;
    if (event.key === "Enter") this.around.open(name);
    else if (event.key === "Delete") this.around.run(`clear ${name}`);
    else if (event.key === "ArrowDown") (row.nextElementSibling as HTMLElement | null)?.focus();
    else if (event.key === "ArrowUp") (row.previousElementSibling as HTMLElement | null)?.focus();
    else return;
    event.preventDefault();
  }

  private menu(event: MouseEvent, variable: Variable): void {
    event.preventDefault();
    const { name } = variable;
    this.select(name);
    const choices: Choice[] = [{ label: words().open, choose: () => this.around.open(name) }];
    if (isNumeric(variable)) choices.push({ label: words().plotVariable, choose: () => this.around.run(`plot (${name})`) });
    choices.push({ label: words().clearVariable, danger: true, choose: () => this.around.run(`clear ${name}`) });
    openMenu(event, event.currentTarget as Element, choices);
  }

  private sortBy(column: Column): void {
    this.order = { by: column, down: this.order.by === column && !this.order.down };
    keep("workspace-order", this.order);
    this.draw();
  }

  private sorted(): Variable[] {
    const { by, down } = this.order;
    const keyed = (variable: Variable): string | number => {
      if (by === "size" || by === "bytes") return variable.bytes;
      return by === "value" ? inShort(variable) : variable[by];
    };
    const natural = new Intl.Collator(undefined, { numeric: true });
    const sign = down ? -1 : 1;
    return [...this.variables].sort((a, b) => {
      const [x, y] = [keyed(a), keyed(b)];
      return sign * (typeof x === "number" && typeof y === "number" ? x - y : natural.compare(String(x), String(y)));
    });
  }
}

export function sizeText(size: number[]): string { return size.join("×"); }

export function classText(value: Summary & { global?: boolean }): string {
  const more = [value.global && words().global, value.complex && words().complex, value.sparse && words().sparse].filter(Boolean);
  return value.class + (more.length ? words().attributes(more.join(", ")) : "");
}

export function inShort(value: Summary): string { return value.text || `${sizeText(value.size)} ${value.class}`; }

function isNumeric(value: Summary): boolean {
  return /^(double|single|logical|u?int\d+)$/.test(value.class) && value.size.some((n) => n > 1);
}
