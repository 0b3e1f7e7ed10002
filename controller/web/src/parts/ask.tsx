// A question with two answers, of which Enter gives the one that does nothing, unless a field in it has the focus first. What
// was refused is told in it, and nothing that was given is lost.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { words } from "../words";
import { Dialog } from "./dialog";
import { ErrorNote } from "./error";

const t = words({ cancel: "Cancel" }, { cancel: "取消" });

interface AskProps {
  title: string;
  action: string;
  danger?: boolean;
  /** What the other answer is called. */
  leave?: string;
  /** There is enough to do it with. */
  ready?: boolean;
  wide?: boolean;
  run: () => Promise<void>;
  close: () => void;
  children: ComponentChildren;
}

/** `run` is given the answer; the question is closed unless it throws. */
export function Ask({ title, action, danger, leave, ready = true, wide, run, close, children }: AskProps) {
  const busy = useSignal(false);
  const wrong = useSignal<unknown>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!ready || busy.value) return;
    busy.value = true;
    wrong.value = null;
    try {
      await run();
      close();
    } catch (error) {
      wrong.value = error;
    } finally {
      busy.value = false;
    }
  };
  return (
    <Dialog
      title={title}
      wide={wide}
      onClose={close}
      foot={
        <>
          <button type="button" autofocus onClick={close}>{leave ?? t.value.cancel}</button>
          <button type="submit" form="asking" class={danger ? "danger" : "primary"} disabled={!ready || busy.value}>{action}</button>
        </>
      }
    >
      <form id="asking" onSubmit={submit}>
        {children}
        {wrong.value !== null && <ErrorNote error={wrong.value} />}
      </form>
    </Dialog>
  );
}
