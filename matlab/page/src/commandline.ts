// The last line of the command window: an editor of its own, with history and completion.
import { acceptCompletion, completionStatus } from "@codemirror/autocomplete";
import { history, historyKeymap, insertNewlineAndIndent, standardKeymap } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap } from "@codemirror/view";
import type { Completion } from "./completion";
import { keep, kept } from "./memory";
import { octave } from "./octave";
import { speak, words } from "./words";

const KEPT_COMMANDS = 500;

export class CommandLine {
  readonly view: EditorView;
  private readonly commands = kept<string[]>("commands", []);
  private place = this.commands.length;
  private draft = "";
  private recalling = false;

  /** `run` is given what was typed; false if it was not taken, and is to stay where it is. */
  constructor(parent: HTMLElement, completion: Completion, private readonly run: (code: string) => boolean) {
    const spoken = new Compartment();
    const attributes = () => EditorView.contentAttributes.of({
      id: "command", "aria-label": words().commandLine, "aria-description": words().tabLeaves, autocapitalize: "off", autocorrect: "off", spellcheck: "false",
    });
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        extensions: [
          Prec.highest(keymap.of([
            { key: "Enter", run: (view) => acceptCompletion(view) || this.enter() },
            { key: "Shift-Enter", run: insertNewlineAndIndent },
            { key: "Tab", run: (view) => acceptCompletion(view) || completion.complete(view) || true },
            { key: "ArrowUp", run: (view) => this.onFirstLine(view) && this.recall(-1) },
            { key: "ArrowDown", run: (view) => this.onLastLine(view) && this.recall(1) },
            { key: "Escape", run: (view) => this.escape(view) },
          ])),
          history(), bracketMatching(), drawSelection(), EditorView.lineWrapping, octave(), completion.extension,
          keymap.of([...standardKeymap, ...historyKeymap]),
          spoken.of(attributes()),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !this.recalling) this.place = this.commands.length;
          }),
        ],
      }),
    });
    speak(() => this.view.dispatch({ effects: spoken.reconfigure(attributes()) }));
  }

  focus(): void { this.view.focus(); }

  clear(): void { this.write(""); }

  /** What was run elsewhere in this session can be brought back here, too. */
  remember(code: string): void {
    if (!code.trim() || this.commands.at(-1) === code) return;
    this.commands.push(code);
    this.commands.splice(0, this.commands.length - KEPT_COMMANDS);
    this.place = this.commands.length;
    keep("commands", this.commands);
  }

  get remembersNothing(): boolean { return this.commands.length === 0; }

  private enter(): boolean {
    const code = this.view.state.doc.toString();
    if (this.run(code)) {
      this.write("");
      this.place = this.commands.length;
    }
    return true;
  }

  /** False: the editor is to know of it, too, for it lets the next Tab lead out of it. */
  private escape(view: EditorView): boolean {
    if (completionStatus(view.state) === null) this.clear();
    return false;
  }

  private onFirstLine(view: EditorView): boolean {
    return completionStatus(view.state) === null && view.state.doc.lineAt(view.state.selection.main.head).number === 1;
  }

  private onLastLine(view: EditorView): boolean {
    const { doc, selection } = view.state;
    return completionStatus(view.state) === null && doc.lineAt(selection.main.head).number === doc.lines;
  }

  /** As in MATLAB: only commands that begin like what was typed. */
  private recall(step: 1 | -1): boolean {
    if (this.place === this.commands.length) this.draft = this.view.state.doc.toString();
    let next = this.place + step;
    while (next >= 0 && next < this.commands.length && !this.commands[next]!.startsWith(this.draft)) next += step;
    if (next < 0) return true;
    this.place = Math.min(next, this.commands.length);
    this.recalling = true;
    this.write(this.commands[this.place] ?? this.draft);
    this.recalling = false;
    return true;
  }

  private write(text: string): void {
    this.view.dispatch({
      changes: { from: 0, to: this.view.state.doc.length, insert: text },
      selection: { anchor: text.length },
      scrollIntoView: true,
    });
  }
}
