// What the keyboard does: each view says which keys it takes while it is shown, and `?` lists them all. Keys that are typed into
// a field, and those with Ctrl, Alt or the command key, are left alone; so is everything while a dialog is open.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { words } from "../words";
import { Dialog } from "./dialog";

const t = words(
  { title: "Keys", help: "This list", close: "Close" },
  { title: "键盘快捷键", help: "显示此列表", close: "关闭" },
);

interface Key {
  /** As `KeyboardEvent.key` has it: any of these. */
  keys: readonly string[];
  /** What it does; left out: it is not listed. */
  about?: string;
  /** `false`: it was not for us after all. */
  run: (event: KeyboardEvent) => void | false;
}

const taken: { current: Key[] }[] = [];
export const helpShown = signal(false);

const allTaken = () => taken.flatMap((each) => each.current);

/** Takes these keys as long as the part that calls it is shown; what was shown last is asked first. */
export function useKeys(keys: Key[]): void {
  const mine = useRef(keys);
  mine.current = keys;
  useEffect(() => {
    taken.unshift(mine);
    return () => void taken.splice(taken.indexOf(mine), 1);
  }, []);
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open], :popover-open")) return;
  const target = event.target as HTMLElement;
  const typing = target.matches("input:not([type=checkbox]), select, textarea, [contenteditable]") && event.key !== "Escape";
  if (typing || target.closest("[contenteditable]")) return;
  for (const key of [...allTaken(), { keys: ["?"], run: () => void (helpShown.value = true) }]) {
    if (!key.keys.includes(event.key) || key.run(event) === false) continue;
    event.preventDefault();
    return;
  }
});

const NAMES: Record<string, string> = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc", " ": "␣" };

export function KeysHelp() {
  if (!helpShown.value) return null;
  const all = [...allTaken(), { keys: ["?"], about: t.value.help }].filter((each) => each.about);
  return (
    <Dialog title={t.value.title} onClose={() => (helpShown.value = false)}>
      <table class="keys">
        <tbody>
          {all.map((each) => (
            <tr key={each.about}>
              <th scope="row">{each.keys.map((key) => <kbd key={key}>{NAMES[key] ?? key}</kbd>)}</th>
              <td>{each.about}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
