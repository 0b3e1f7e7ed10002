// A button that opens a list of things to do: the browser's own popover, so that it lies above everything, and Esc or a click
// elsewhere closes it. Arrow keys go through the list.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import { Icon, type IconName } from "./icon";

interface MenuItem { text: string; icon?: IconName; danger?: boolean; disabled?: boolean; checked?: boolean; run: () => void }

interface MenuProps {
  /** What the button says to the screen reader. */
  label: string;
  /** Asked for when it is opened. */
  items: () => readonly MenuItem[];
  class?: string;
  disabled?: boolean;
  children: ComponentChildren;
}

export function Menu({ label, items, class: more = "quiet", disabled, children }: MenuProps) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const open = useSignal(false); // nothing is in the list before: a table has a hundred of them

  const place = () => {
    const by = button.current!.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = list.current!;
    const below = by.bottom + 4;
    list.current!.style.left = `${Math.max(8, Math.min(by.left, document.documentElement.clientWidth - width - 8))}px`;
    list.current!.style.top = `${below + height > innerHeight - 8 ? Math.max(8, by.top - height - 4) : below}px`;
  };
  const step = (event: KeyboardEvent) => {
    const all = [...list.current!.querySelectorAll<HTMLButtonElement>("button:not(:disabled)")];
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all.at(to % all.length)?.focus();
  };
  const toggled = (event: Event) => {
    if (!opens(event)) return;
    place();
    list.current!.querySelector<HTMLButtonElement>("button:not(:disabled)")?.focus();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class={more}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open.value}
        disabled={disabled}
        popovertarget={id}
        onClick={(event) => event.stopPropagation()}
      >
        {children}
      </button>
      <div
        ref={list}
        id={id}
        popover="auto"
        class="menu"
        role="menu"
        aria-label={label}
        onBeforeToggle={(event: Event) => void (open.value = opens(event))}
        onToggle={toggled}
        onKeyDown={step}
        onClick={(event) => event.stopPropagation()}
      >
        {open.value && items().map((each) => (
          <button
            key={each.text}
            type="button"
            role={each.checked === undefined ? "menuitem" : "menuitemradio"}
            aria-checked={each.checked}
            tabIndex={-1}
            class={each.danger ? "danger" : ""}
            disabled={each.disabled}
            onClick={() => {
              list.current!.hidePopover();
              each.run();
            }}
          >
            {each.icon && <Icon name={each.icon} />}
            <span>{each.text}</span>
            {each.checked && <Icon name="check" class="menu-check" />}
          </button>
        ))}
      </div>
    </>
  );
}

const opens = (event: Event) => (event as ToggleEvent).newState === "open";
