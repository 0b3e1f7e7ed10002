// What became of something that was just asked for: said once, in a corner, to the screen reader as well. What went wrong
// stays until it is closed.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Refused } from "../api";
import { words } from "../words";
import { errorWords } from "./error";
import { Icon } from "./icon";

const t = words({ close: "Close", label: "Messages" }, { close: "关闭", label: "消息" });
const STAYS = 8000; // ms

interface Toast {
  id: number;
  tone: "good" | "bad";
  text: ComponentChildren;
  /** A second line, smaller. */
  more?: ComponentChildren;
  /** Buttons and links. */
  actions?: ComponentChildren;
}

const shown = signal<readonly Toast[]>([]);
let last = 0;

export function toast(told: Omit<Toast, "id">): () => void {
  const id = ++last;
  shown.value = [...shown.value, { ...told, id }].slice(-4);
  const close = () => (shown.value = shown.value.filter((each) => each.id !== id));
  if (told.tone === "good") setTimeout(close, STAYS);
  return close;
}

/** The same for what a call threw. */
export function toastError(error: unknown, what?: string): void {
  const { sentence, details, request } = errorWords(error);
  const number = request && <span class="mono">{request}</span>;
  toast({ tone: "bad", text: what ? `${what}: ${sentence}` : sentence, more: <>{details} {number}</> });
}

/** Whether a call was answered with this word for programs. */
export function isRefused(error: unknown, code: string): error is Refused {
  return error instanceof Refused && error.body.code === code;
}

export function Toasts() {
  return (
    <section class="toasts" aria-live="polite" aria-label={t.value.label}>
      {shown.value.map((each) => (
        <div key={each.id} class={`toast ${each.tone}`}>
          <Icon name={each.tone === "good" ? "ready" : "failed"} />
          <div class="toast-text">
            <div>{each.text}</div>
            {each.more && <div class="toast-more">{each.more}</div>}
            {each.actions && <div class="toast-actions">{each.actions}</div>}
          </div>
          <button
            type="button"
            class="quiet square"
            aria-label={t.value.close}
            onClick={() => (shown.value = shown.value.filter((one) => one.id !== each.id))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </section>
  );
}
