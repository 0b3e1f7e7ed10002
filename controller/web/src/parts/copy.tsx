// Puts a text where other programs can take it from, and says so.
import { useSignal } from "@preact/signals";
import { words } from "../words";
import { Icon } from "./icon";

const t = words({ copy: "Copy", copied: "Copied" }, { copy: "复制", copied: "已复制" });
const SHOWN = 1500; // ms

/** `what` names it for the screen reader: "the log". */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const done = useSignal(false);
  const copy = async () => {
    await put(text);
    done.value = true;
    setTimeout(() => (done.value = false), SHOWN);
  };
  return (
    <button type="button" class="quiet small" aria-label={`${t.value.copy}: ${what}`} onClick={copy}>
      <Icon name={done.value ? "check" : "copy"} />
      <span aria-live="polite">{done.value ? t.value.copied : t.value.copy}</span>
    </button>
  );
}

/** Pages that came by plain HTTP from another machine have no clipboard but the old one. */
async function put(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
