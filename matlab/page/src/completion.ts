// Tab: what the session knows that goes on like this. One possibility is written at once, several are offered.
import { autocompletion, startCompletion, type CompletionResult } from "@codemirror/autocomplete";
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import type { Connection } from "./connection";

const MOST_OFFERED = 300;
const MOST_BEFORE = 4096; // characters before the cursor that the session is asked about

export class Completion {
  private offered: CompletionResult | null = null;

  constructor(private readonly connection: Connection) {}

  readonly extension: Extension = autocompletion({
    override: [() => this.offered],
    activateOnTyping: false,
    icons: false,
    interactionDelay: 0,
  });

  /** For a Tab in `view`; false where there is nothing to complete. */
  readonly complete = (view: EditorView): boolean => {
    const { main } = view.state.selection;
    const line = view.state.doc.lineAt(main.head);
    const before = line.text.slice(0, main.head - line.from);
    if (!main.empty || !/[\w.'"/(]$/.test(before)) return false;
    void this.ask(view, before.slice(-MOST_BEFORE), main.head);
    return true;
  };

  private async ask(view: EditorView, before: string, at: number): Promise<void> {
    const known = view.state.doc;
    const found = await this.connection.call("complete", { code: before }).catch(() => null);
    if (!found?.matches.length || view.state.doc !== known || view.state.selection.main.head !== at) return;
    const from = at - [...before].slice(found.start).join("").length; // a character may be two of JavaScript's
    const typed = at - from;
    const common = found.matches.reduce(commonBeginning);
    if (common.length > typed || found.matches.length === 1) {
      view.dispatch({
        changes: { from, to: at, insert: common }, selection: { anchor: from + common.length }, userEvent: "input.complete",
      });
    }
    if (found.matches.length === 1) return;
    this.offered = {
      from,
      options: found.matches.slice(0, MOST_OFFERED).map((label) => ({ label })),
      validFor: /^[\w.]*$/,
    };
    startCompletion(view);
  }
}

function commonBeginning(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}
