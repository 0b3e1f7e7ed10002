// Two texts compared, side by side where there is room, else one through the other. A chunk of its own, with the editor.
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { readOnly, yamlText } from "../desired/yaml";

interface Side { text: string; label: string }

interface Shape {
  besides: boolean;
  /** Every line, not only those around the differences. */
  whole: boolean;
}

/** What shows it, in `parent`; call what is returned to take it away. */
export function compare(parent: HTMLElement, before: Side, after: Side, { besides, whole }: Shape): () => void {
  const common = [lineNumbers(), yamlText, EditorView.lineWrapping];
  const collapseUnchanged = whole ? undefined : { margin: 3, minSize: 6 };
  if (besides) {
    const side = ({ text, label }: Side) => ({ doc: text, extensions: [...common, readOnly(label)] });
    const view = new MergeView({ parent, a: side(before), b: side(after), collapseUnchanged, gutter: true });
    return () => view.destroy();
  }
  const merged = unifiedMergeView({ original: before.text, mergeControls: false, collapseUnchanged, gutter: true });
  const state = EditorState.create({ doc: after.text, extensions: [...common, readOnly(`${before.label} → ${after.label}`), merged] });
  const view = new EditorView({ parent, state });
  return () => view.destroy();
}
