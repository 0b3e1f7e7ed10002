// The editor of the desired state's text. It comes as a chunk of its own, once somebody looks at the desired state: nothing
// else on the page waits for it.
import {
  acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentLess, indentMore, toggleComment } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, Transaction } from "@codemirror/state";
import {
  drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers,
} from "@codemirror/view";
import type { Problem } from "../types";
import { language, words } from "../words";
import { offers, tells, type Schema } from "./schema";
import { phrases, yamlText } from "./yaml";

const t = words(
  { label: "Text of the desired state", tab: "Tab indents; press Escape, then Tab, to leave the editor." },
  { label: "期望状态的文本", tab: "Tab 键用于缩进；先按 Esc 再按 Tab 可离开编辑器。" },
);

interface Told {
  changed(text: string): void;
  apply(): void;
  schema(): Schema | null;
  tellUser(id: number): string;
}

export interface Editor {
  readonly text: string;
  /** Others gave it this text: undo does not go back behind it. */
  replace(text: string): void;
  mark(problems: readonly Problem[]): void;
  goTo(problem: Problem): void;
  lock(locked: boolean): void;
  close(): void;
}

export function openEditor(parent: HTMLElement, text: string, told: Told): Editor {
  const locked = new Compartment();
  const spoken = new Compartment();
  const said = () => [phrases(), EditorView.contentAttributes.of({ "aria-label": t.value.label, "aria-description": t.value.tab })];
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of([
          { key: "Mod-s", run: () => (told.apply(), true), preventDefault: true },
          { key: "Tab", run: (view) => acceptCompletion(view) || indentMore(view), shift: indentLess },
          { key: "Mod-/", run: toggleComment },
          ...closeBracketsKeymap, ...searchKeymap, ...completionKeymap, ...foldKeymap, ...lintKeymap, ...defaultKeymap, ...historyKeymap,
        ]),
        lineNumbers(), foldGutter(), lintGutter(), highlightActiveLine(), highlightActiveLineGutter(), highlightSpecialChars(),
        history(), drawSelection(), bracketMatching(), closeBrackets(), indentOnInput(), indentUnit.of("  "),
        highlightSelectionMatches(), search({ top: true }), yamlText,
        autocompletion({ override: [offers(told.schema)], interactionDelay: 0, activateOnCompletion: ({ type }) => type === "property", icons: false }),
        tells(told.schema, told.tellUser),
        locked.of([]), spoken.of(said()),
        EditorView.updateListener.of((update) => update.docChanged && told.changed(update.state.doc.toString())),
      ],
    }),
  });
  const unspoken = language.subscribe(() => view.dispatch({ effects: spoken.reconfigure(said()) }));
  return {
    get text() { return view.state.doc.toString(); },
    replace(text) {
      const { main } = view.state.selection;
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: text },
        selection: { anchor: Math.min(main.anchor, text.length) },
        annotations: Transaction.addToHistory.of(false),
      });
    },
    mark: (problems) => view.dispatch(setDiagnostics(view.state, problems.filter((each) => each.line > 0).map((each) => diagnostic(view.state, each)))),
    goTo(problem) {
      const { from } = diagnostic(view.state, problem);
      view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
      view.focus();
    },
    lock: (is) => view.dispatch({ effects: locked.reconfigure(is ? [EditorState.readOnly.of(true)] : []) }),
    close: () => (unspoken(), view.destroy()),
  };
}

/** The word at the place of a problem: the controller counts characters from 1, this counts UTF-16 from 0. */
function diagnostic({ doc }: EditorState, { line, column, message }: Problem): Diagnostic {
  const { from, to, text } = doc.line(Math.min(Math.max(line, 1), doc.lines));
  const start = Math.min(from + [...text].slice(0, Math.max(column - 1, 0)).join("").length, to);
  const word = /^[^\s,:{}]+/.exec(text.slice(start - from))?.[0].length ?? 1;
  return { from: start, to: Math.min(start + word, to), severity: "error", message };
}
