// Questions in the middle of the page. The browser's own confirm() and prompt() are suppressed in an iframe of another
// site.
import { h } from "./dom";
import { words } from "./words";

/** Ask for a name; null if the person thought better of it. */
export function askName(title: string, proposal: string): Promise<string | null> {
  const input = h("input", { type: "text", value: proposal, "aria-label": title, autocomplete: "off", spellcheck: "false" });
  const answer = show(title, input, words().ok, false, () => input.value.trim() || null);
  const dot = proposal.lastIndexOf(".");
  input.setSelectionRange(0, dot > 0 ? dot : proposal.length);
  return answer;
}

/** `dangerous`: Enter means no. */
export async function confirmed(title: string, hint: string, yes: string, dangerous = true): Promise<boolean> {
  return await show(title, hint ? h("p", {}, hint) : h("p", { hidden: true }), yes, dangerous, () => true) ?? false;
}

function show<T>(title: string, body: HTMLElement, yes: string, dangerous: boolean, value: () => T | null): Promise<T | null> {
  return new Promise((answered) => {
    const cancel = h("button", { type: "button", onclick: () => dialog.close() }, words().cancel);
    const form = h(
      "form", { method: "dialog" },
      h("h2", {}, title), body,
      h("div", { class: "answers" }, cancel, h("button", { class: dangerous ? "danger" : "primary", value: "yes" }, yes)),
    );
    const before = document.activeElement as HTMLElement | null;
    const dialog = h("dialog", {
      "aria-label": title,
      onclose: () => {
        answered(dialog.returnValue === "yes" ? value() : null);
        dialog.remove();
        before?.focus();
      },
    }, form);
    document.body.append(dialog);
    dialog.showModal();
    (body.matches("input") ? body : dangerous ? cancel : form.querySelector<HTMLElement>("[value=yes]"))?.focus();
  });
}

export interface Choice { label: string; danger?: boolean; choose: () => void }

/** A menu where the mouse is, or below `element` where none was used; it goes with the next click, Escape or a choice. */
export function openMenu(event: MouseEvent, element: Element, choices: Choice[]): void {
  const before = document.activeElement as HTMLElement | null;
  const menu = h("div", { class: "menu", role: "menu", tabindex: -1 });
  const away = (event: Event) => { if (!menu.contains(event.target as Node)) close(); };
  const close = () => {
    document.removeEventListener("pointerdown", away, true);
    removeEventListener("blur", close);
    menu.remove();
    before?.focus({ preventScroll: true });
  };
  for (const { label, danger, choose } of choices) {
    menu.append(h("button", {
      type: "button", role: "menuitem", class: danger ? "danger" : undefined, onclick: () => { close(); choose(); },
    }, label));
  }
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.querySelectorAll("button")];
    const here = items.indexOf(document.activeElement as HTMLButtonElement);
    if (event.key === "Escape" || event.key === "Tab") close();
    else if (event.key === "ArrowDown") items[(here + 1) % items.length]!.focus();
    else if (event.key === "ArrowUp") items[(here - 1 + items.length) % items.length]!.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.querySelector("main")!.append(menu);
  const { left, bottom } = element.getBoundingClientRect();
  const [x, y] = byMouse(event) ? [event.clientX, event.clientY] : [left, bottom];
  menu.style.left = `${Math.max(0, Math.min(x, innerWidth - menu.offsetWidth - 4))}px`;
  menu.style.top = `${Math.max(0, Math.min(y, innerHeight - menu.offsetHeight - 4))}px`;
  menu.querySelector("button")?.focus({ preventScroll: true });
  document.addEventListener("pointerdown", away, true);
  addEventListener("blur", close);
}

/** Whether a click or a wish for a menu came from the mouse: keys report a place, too, but not where anybody looks. */
export function byMouse(event: MouseEvent): boolean { return event.type === "contextmenu" ? event.button === 2 : event.detail > 0; }
