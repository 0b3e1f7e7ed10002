// A row of tabs: chosen with mouse, arrow keys, Home and End; closed with their cross, the middle button or Delete.
import { drawn, h } from "./dom";

interface Tab {
  title: string;
  hint: string;
  /** What stands between the title and the cross. */
  mark?: HTMLElement;
  closeHint: string;
  selected: boolean;
  choose(): void;
  close(): void;
}

/** Show these tabs in place of those that were there; the focus stays on the one that is selected. */
export function showTabs(list: HTMLElement, tabs: Tab[]): void {
  const hadFocus = list.contains(document.activeElement);
  list.replaceChildren(...tabs.map((tab, place) => element(tab, (key) => {
    const next = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: -1 }[key];
    if (next === undefined) return false;
    tabs.at(next % tabs.length)!.choose();
    list.querySelector<HTMLElement>("[aria-selected=true]")?.focus();
    return true;
  })));
  const selected = list.querySelector<HTMLElement>("[aria-selected=true]");
  if (selected) bringIn(list, selected);
  if (hadFocus) selected?.focus();
}

/** Scroll the row alone: what lies around it stays where its reader is, also where the panes stand one below the other. */
function bringIn(list: HTMLElement, tab: HTMLElement): void {
  const [row, one] = [list.getBoundingClientRect(), tab.getBoundingClientRect()];
  if (one.left < row.left) list.scrollLeft += one.left - row.left;
  else if (one.right > row.right) list.scrollLeft += one.right - row.right;
}

function element({ title, hint, mark, closeHint, selected, choose, close }: Tab, move: (key: string) => boolean): HTMLElement {
  // no button inside a tab for those who cannot see it: Delete closes
  const cross = h("span", {
    class: "icon", title: closeHint, "aria-hidden": "true", onpointerdown: (event: Event) => event.stopPropagation(), onclick: close,
  });
  cross.append(drawn("close"));
  return h("div", {
    class: "tab", role: "tab", "aria-selected": String(selected), tabindex: selected ? 0 : -1, title: hint, "aria-keyshortcuts": "Delete",
    onpointerdown: (event: PointerEvent) => { if (event.button === 0) choose(); },
    onmousedown: (event: Event) => event.preventDefault(), // the focus goes to what is shown, or stays where it was
    onauxclick: (event: MouseEvent) => { if (event.button === 1) close(); },
    onkeydown: (event: KeyboardEvent) => {
      if (event.key === "Delete") close();
      else if (event.key === "Enter" || event.key === " ") choose();
      else if (!move(event.key)) return;
      event.preventDefault();
    },
  }, h("span", {}, title), mark, cross);
}
