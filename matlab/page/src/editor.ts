// Files in the editor: opened, changed, saved and run. What is not saved is remembered by the browser.
import { acceptCompletion, closeBrackets, closeBracketsKeymap, completionStatus } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentLess, indentMore, insertNewlineAndIndent, toggleComment } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import {
  Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, ViewPlugin,
  type DecorationSet, type ViewUpdate,
} from "@codemirror/view";
import type { Completion } from "./completion";
import { askName, confirmed } from "./dialog";
import type { Document, Documents } from "./documents";
import { h } from "./dom";
import { Refused } from "./connection";
import { absolute, type Files, folderOf, joined, nameOf, quoted } from "./files";
import { keep, kept } from "./memory";
import { octave } from "./octave";
import { speak, words } from "./words";

const REMEMBER_AFTER = 400; // ms
const LARGEST_DRAFT = 1024 * 1024; // characters

interface Kept { path: string | null; number: number; text: string | null; revision: string | null; shown: boolean }

interface Surroundings {
  files: Files;
  completion: Completion;
  /** Where a new script is saved. */
  folder(): string;
  /** The interpreter's current folder. */
  here(): string | null;
  /** `recalled`: the arrow keys of the command line bring it back. */
  run(code: string, recalled: boolean): void;
  say(text: string): void;
  fail(error: unknown): void;
}

export class Editor {
  private readonly open: FileDocument[] = [];
  private timer = 0;

  constructor(private readonly documents: Documents, private readonly around: Surroundings) {}

  get active(): FileDocument | null {
    const { active } = this.documents;
    return active instanceof FileDocument ? active : null;
  }

  newScript(): void {
    const taken = new Set(this.open.filter(({ path }) => path === null).map(({ number }) => number));
    let number = 1;
    while (taken.has(number)) number++;
    this.add({ path: null, number, text: "", revision: null }, "", true);
    this.rememberSoon();
  }

  async openFile(path: string, line?: number): Promise<void> {
    let document = this.open.find((other) => other.path === path);
    if (!document) {
      try {
        const { text, revision } = await this.around.files.read(path);
        document = this.open.find((other) => other.path === path) ?? this.add({ path, number: 0, text, revision }, text, false);
      } catch (error) {
        if (error instanceof Refused && ["not_text", "too_large"].includes(error.reason)) this.around.say(words().notText(nameOf(path)));
        else this.around.fail(error);
        return;
      }
    }
    this.documents.show(document);
    if (line) document.goTo(line);
    this.rememberSoon();
  }

  async openOrMake(path: string): Promise<void> {
    try {
      await this.around.files.read(path);
    } catch (error) {
      if (!(error instanceof Refused && error.reason === "not_found")) return this.around.fail(error);
      if (!await confirmed(words().makeFile(nameOf(path)), "", words().make, false)) return;
      await this.around.files.write(path, "", null).catch(this.around.fail);
    }
    await this.openFile(path);
  }

  /** Saved under its name, or one that is asked for. False if it is not saved in the end. */
  async save(document: FileDocument): Promise<boolean> {
    let { path } = document;
    if (path === null) {
      const name = await askName(words().saveAs, document.title());
      if (!name) return false;
      path = joined(this.around.folder(), name.replace(/^\/+/, ""));
    }
    try {
      await this.write(document, path, document.revision);
      return true;
    } catch (error) {
      if (!(error instanceof Refused && error.reason === "changed")) {
        this.around.fail(error);
        return false;
      }
    }
    const agreed = document.path === null
      ? confirmed(words().replaceFile(nameOf(path)), "", words().replace)
      : confirmed(words().changedOnDisk(nameOf(path)), "", words().overwrite);
    if (!await agreed) return false;
    try {
      await this.write(document, path, undefined);
      return true;
    } catch (error) {
      this.around.fail(error);
      return false;
    }
  }

  async run(): Promise<void> {
    const document = this.active;
    if (!document || ((document.unsaved() || document.path === null) && !await this.save(document))) return;
    this.runFile(document.path!, document.text);
  }

  runFile(path: string, text: string): void {
    const name = nameOf(path).replace(/\.m$/, "");
    const isName = /^[A-Za-z]\w*$/.test(name);
    const here = folderOf(path) === this.around.here();
    const isFunction = /^(\s*([%#].*)?\n)*\s*function\b/.test(text);
    if (isName && here) this.around.run(name, true);
    else if (isName && isFunction) this.around.run(`addpath (${quoted(absolute(folderOf(path)))}); ${name}`, true);
    else this.around.run(`run (${quoted(absolute(path))})`, true);
  }

  runSection(): void { this.runText(this.active?.section(), false); }
  runSelection(): void { this.runText(this.active?.selection(), true); }

  renamed(from: string, to: string): void {
    for (const document of this.open) {
      if (document.path === from) document.moved(to);
      else if (document.path?.startsWith(`${from}/`)) document.moved(to + document.path.slice(from.length));
    }
    this.documents.draw();
    this.rememberSoon();
  }

  /** What other sessions of this browser and the time before a reload left open. */
  async bringBack(): Promise<void> {
    const before = kept<Kept[]>("documents", []);
    let shown: FileDocument | null = null;
    for (const { path, number, text, revision, shown: wasShown } of before) {
      let document: FileDocument;
      if (path === null || text !== null) {
        document = this.add({ path, number, text: text ?? "", revision }, path === null ? "" : null, false);
      } else {
        const read = await this.around.files.read(path).catch(() => null);
        if (!read) continue;
        document = this.add({ path, number, ...read }, read.text, false);
      }
      if (wasShown) shown = document;
    }
    if (shown) this.documents.show(shown);
    this.documents.onChange(() => this.rememberSoon());
  }

  /** Files that others changed are shown as they are now, unless they were changed here, too. */
  async refresh(): Promise<void> {
    for (const document of this.open) {
      if (document.path === null || document.unsaved()) continue;
      const read = await this.around.files.read(document.path).catch(() => null);
      if (read && !document.unsaved() && read.revision !== document.revision) document.replace(read.text, read.revision);
    }
  }

  private runText(text: string | undefined, recalled: boolean): void { if (text?.trim()) this.around.run(text, recalled); }

  private async write(document: FileDocument, path: string, revision: string | null | undefined): Promise<void> {
    const { text } = document;
    const written = await this.around.files.write(path, text, revision);
    document.keptAs(path, text, written);
    this.documents.draw();
    this.rememberSoon();
  }

  private add(kept: Omit<Kept, "shown">, saved: string | null, show: boolean): FileDocument {
    const document = new FileDocument(kept.path, kept.number, kept.text ?? "", saved, kept.revision, this.around.completion, {
      changed: () => { this.documents.draw(); this.rememberSoon(); },
      closed: () => { this.open.splice(this.open.indexOf(document), 1); this.rememberSoon(); },
      edited: () => this.rememberSoon(),
    });
    this.open.push(document);
    this.documents.add(document, show);
    return document;
  }

  private rememberSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => keep("documents", this.open.map((document): Kept => ({
      path: document.path,
      number: document.number,
      text: document.unsaved() && document.text.length < LARGEST_DRAFT ? document.text : null,
      revision: document.revision,
      shown: document === this.documents.active,
    }))), REMEMBER_AFTER);
  }
}

interface Told { changed(): void; edited(): void; closed(): void }

class FileDocument implements Document {
  readonly key: string;
  readonly element = h("div", { class: "file" });
  private readonly view: EditorView;
  private readonly place = h("span", { class: "place" });
  private readonly spoken = new Compartment();
  private lineBreak: string;
  private saved: string | null;

  /** `saved`: the text that the file has; null if that is not known. */
  constructor(
    public path: string | null, readonly number: number, text: string, saved: string | null,
    public revision: string | null, completion: Completion, private readonly told: Told,
  ) {
    this.key = `file:${path ?? number}`;
    this.lineBreak = lineBreakOf(text);
    this.saved = saved === null ? null : inLines(saved);
    this.view = new EditorView({
      parent: this.element,
      state: EditorState.create({
        doc: text,
        extensions: [
          Prec.high(keymap.of([
            {
              key: "Tab",
              run: (view) => acceptCompletion(view) || (completionStatus(view.state) === null && completion.complete(view))
                || (view.state.selection.main.empty ? insertTab(view) : indentMore(view)),
            },
            { key: "Shift-Tab", run: indentLess },
            { key: "Enter", run: (view) => acceptCompletion(view) || insertNewlineAndIndent(view) },
            { key: "Mod-r", run: toggleComment }, // as in MATLAB
            { key: "Mod-/", run: toggleComment },
          ])),
          lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), history(), drawSelection(),
          EditorState.allowMultipleSelections.of(true), EditorState.tabSize.of(4), indentUnit.of("    "),
          bracketMatching(), closeBrackets(), indentOnInput(), highlightSelectionMatches(), search({ top: true }),
          octave(), sections, completion.extension, this.spoken.of([]),
          keymap.of([...closeBracketsKeymap, ...searchKeymap, ...defaultKeymap, ...historyKeymap]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) {
              this.told.edited();
              if (this.unsaved() !== this.wasUnsaved) this.told.changed();
              this.wasUnsaved = this.unsaved();
            }
            if (update.docChanged || update.selectionSet) this.showPlace();
          }),
        ],
      }),
    });
    this.wasUnsaved = this.unsaved();
    this.element.append(h("footer", {}, this.place));
    speak(() => this.label());
  }

  private wasUnsaved: boolean;

  /** With the line breaks that the file came with: the editor knows one kind only. */
  get text(): string {
    const { lines } = this;
    return this.lineBreak === "\n" ? lines : lines.replaceAll("\n", this.lineBreak);
  }

  private get lines(): string { return this.view.state.doc.toString(); }

  title(): string { return this.path === null ? words().untitled(this.number) : nameOf(this.path); }
  hint(): string { return this.path ?? this.title(); }
  unsaved(): boolean { return this.saved === null || this.saved !== this.lines; }
  closed(): void { this.view.destroy(); this.told.closed(); }

  shown(): void {
    this.view.requestMeasure();
    this.view.focus();
  }

  goTo(line: number): void {
    const { doc } = this.view.state;
    const { from } = doc.line(Math.max(1, Math.min(line, doc.lines)));
    this.view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
    this.view.focus();
  }

  /** The file has this text now; what was typed meanwhile is unsaved. */
  keptAs(path: string, text: string, revision: string): void {
    this.saved = inLines(text);
    this.revision = revision;
    this.wasUnsaved = this.unsaved();
    this.moved(path);
  }

  moved(path: string): void {
    this.path = path;
    this.label();
  }

  /** Others gave the file this text. */
  replace(text: string, revision: string): void {
    this.saved = inLines(text);
    this.lineBreak = lineBreakOf(text);
    this.revision = revision;
    const { main } = this.view.state.selection;
    this.view.dispatch({
      changes: { from: 0, to: this.view.state.doc.length, insert: text },
      selection: { anchor: Math.min(main.anchor, this.saved.length) },
    });
  }

  /** What is selected; the cursor's line if nothing is. */
  selection(): string {
    const { doc, selection: { main } } = this.view.state;
    return main.empty ? doc.lineAt(main.head).text : doc.sliceString(main.from, main.to);
  }

  /** The lines around the cursor between two that begin with `%%`. */
  section(): string {
    const { doc, selection } = this.view.state;
    const { from, to } = sectionAround(this.view.state, selection.main.head);
    return doc.sliceString(doc.line(from).from, doc.line(to).to);
  }

  /** The language may be another than before, or the name. */
  private label(): void {
    this.showPlace();
    this.view.dispatch({
      effects: this.spoken.reconfigure([
        EditorState.phrases.of(phrases()),
        EditorView.contentAttributes.of({
          "aria-label": `${words().editor}: ${this.title()}`, "aria-description": words().tabLeaves,
        }),
      ]),
    });
  }

  private showPlace(): void {
    const { doc, selection } = this.view.state;
    const line = doc.lineAt(selection.main.head);
    this.place.textContent = `${words().line} ${line.number}  ${words().column} ${selection.main.head - line.from + 1}`;
  }
}

function lineBreakOf(text: string): string { return text.includes("\r\n") ? "\r\n" : "\n"; }
function inLines(text: string): string { return text.replace(/\r\n?/g, "\n"); }

const SECTION = /^\s*%%(\s|$)/;

/** Numbers of the first and the last line. */
function sectionAround({ doc }: EditorState, pos: number): { from: number; to: number } {
  const here = doc.lineAt(pos).number;
  let [from, to] = [here, here];
  while (from > 1 && !SECTION.test(doc.line(from).text)) from--;
  while (to < doc.lines && !SECTION.test(doc.line(to + 1).text)) to++;
  return { from, to };
}

/** A line above every section, and the section of the cursor set off from the others. */
const sections = ViewPlugin.fromClass(class {
  decorations: DecorationSet;

  constructor(view: EditorView) { this.decorations = decorate(view); }

  update(update: ViewUpdate): void {
    if (update.docChanged || update.selectionSet || update.viewportChanged) this.decorations = decorate(update.view);
  }
}, { decorations: (plugin) => plugin.decorations });

function decorate(view: EditorView): DecorationSet {
  const { state } = view;
  const { from, to } = sectionAround(state, state.selection.main.head);
  const whole = from === 1 && to === state.doc.lines;
  const found = [];
  for (const range of view.visibleRanges) {
    for (let pos = range.from; pos <= range.to;) {
      const line = state.doc.lineAt(pos);
      const begins = SECTION.test(line.text) && line.number > 1;
      const current = !whole && line.number >= from && line.number <= to;
      if (begins || current) {
        const names = [begins && "section-begins", current && "section-current"].filter(Boolean).join(" ");
        found.push(Decoration.line({ class: names }).range(line.from));
      }
      pos = line.to + 1;
    }
  }
  return Decoration.set(found, true);
}

function insertTab(view: EditorView): boolean {
  const { head } = view.state.selection.main;
  const column = head - view.state.doc.lineAt(head).from;
  view.dispatch(view.state.replaceSelection(" ".repeat(4 - (column % 4))), { userEvent: "input" });
  return true;
}

function phrases(): Record<string, string> {
  if (document.documentElement.lang === "en") return {};
  return {
    Find: "查找", Replace: "替换", next: "下一个", previous: "上一个", all: "全选", "match case": "区分大小写",
    regexp: "正则表达式", "by word": "全字匹配", replace: "替换", "replace all": "全部替换", close: "关闭",
    "Go to line": "转到行", go: "转到",
  };
}
