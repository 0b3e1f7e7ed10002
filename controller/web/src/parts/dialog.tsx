// A question that has to be answered before anything else: the browser's own dialog, so that the keyboard stays in it, Esc
// leaves it, and the focus goes back to where it was.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { words } from "../words";
import { Icon } from "./icon";

const t = words({ close: "Close" }, { close: "关闭" });

interface DialogProps {
  title: ComponentChildren;
  /** Esc, the cross, a click beside it: whatever is not one of its own buttons. */
  onClose: () => void;
  /** The buttons; one with `autofocus` gets the focus, which is the one that does nothing where something could be lost. */
  foot?: ComponentChildren;
  /** As wide as the window has room for, for texts and differences. */
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, foot, wide, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const back = document.activeElement as HTMLElement | null;
    const shown = dialog.current!;
    shown.showModal();
    return () => {
      shown.close();
      back?.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby={heading}
      onCancel={(event) => (event.preventDefault(), onClose())}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <div class="dialog-inside">
        <header class="dialog-head">
          <h2 id={heading}>{title}</h2>
          <button type="button" class="quiet square" aria-label={t.value.close} onClick={onClose}><Icon name="close" /></button>
        </header>
        <div class="dialog-body">{children}</div>
        {foot && <footer class="dialog-foot">{foot}</footer>}
      </div>
    </dialog>
  );
}
