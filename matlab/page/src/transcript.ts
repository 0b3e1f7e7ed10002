// What the command window shows: commands, what they printed, errors and notes. Old text leaves it.
import { $, h } from "./dom";
import { relative } from "./files";
import type { CodeError, Ending } from "./protocol";
import { words } from "./words";

const MOST_CHARACTERS = 1_500_000;
const MOST_ELEMENTS = 4000;
const PIECE = 32 * 1024; // characters of printed text in one element
const COMMAND_LINES = 14; // of a longer command this many are shown
const NEAR_THE_END = 40; // pixels
const CLEAR = "\x1b[2J"; // what `clc` prints, as on a terminal

type Kind = "command" | "error" | "note" | "hint";
type OpenFile = (path: string, line: number) => void;

export class Transcript {
  private readonly pane = $("window");
  private readonly list = $("transcript");
  private output: { element: HTMLElement; line: HTMLElement; raw: string; size: number } | null = null;
  private size = 0;
  private following = true;
  private top = 0;
  private scrolling = false;

  constructor(private readonly openFile: OpenFile) {
    this.pane.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.pane;
      // what is printed meanwhile moves the end away, too; only a person goes up
      if (scrollHeight - scrollTop - clientHeight < NEAR_THE_END) this.following = true;
      else if (scrollTop < this.top) this.following = false;
      this.top = scrollTop;
    });
    new ResizeObserver(() => this.scroll()).observe(this.pane);
  }

  command(code: string): void {
    const lines = code.replace(/\n+$/, "").split("\n");
    const shown = lines.length > COMMAND_LINES ? lines.slice(0, COMMAND_LINES - 2) : lines;
    const more = shown === lines ? "" : h("i", {}, `\n${words().moreLines(lines.length - shown.length)}`);
    this.add("command", shown.join("\n"), more);
  }

  note(text: string): void { this.add("note", text); }
  hint(text: string): void { this.add("hint", text); }

  error(status: Ending, error: CodeError): void {
    const parts: (string | Node)[] = [status === "aborted" ? words().notRun : "", ...this.linked(error.message)];
    for (const { file, name, line } of error.stack) {
      if (!file && !name && line === 1) continue; // of a command that can be seen just above
      const text = name || file ? words().inFile(name || file!, line) : words().inLine(line);
      parts.push("\n    ", this.place(file, line, text));
    }
    this.add("error", ...parts);
  }

  print(text: string): void {
    const parts = text.split(CLEAR);
    if (parts.length > 1) this.clear();
    let output = this.output ??= this.openOutput("");
    const whole = output.raw + parts.at(-1)!.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
    const cut = whole.lastIndexOf("\n") + 1;
    output.line.before(written(whole.slice(0, cut)));
    output.raw = withoutErased(withoutOverwritten(whole.slice(cut)));
    output.line.textContent = written(output.raw);
    output.size += text.length;
    this.size += text.length;
    if (cut && output.size > PIECE) { // go on in a new element, so that old text can leave the window
      output.line.remove();
      output = this.output = this.openOutput(output.raw);
    }
    this.scroll();
  }

  /** What is printed next belongs to something else. */
  endOutput(): void { this.output = null; }

  /** The last line, if what is printed next goes on with it. */
  get unfinished(): string { return this.output?.line.textContent ?? ""; }

  clear(): void {
    this.list.replaceChildren();
    this.output = null;
    this.size = 0;
  }

  /** The person did something here, and wants to see what comes of it. */
  follow(): void {
    this.following = true;
    this.scroll();
  }

  /** A message with the place that it names, if it names one, to be clicked. */
  private linked(message: string): (string | Node)[] {
    const [named, line, file] = /line (\d+) of file (\/\S+)/.exec(message) ?? [];
    if (!named || !file) return [message];
    const [before, after] = message.split(named, 2);
    return [before!, this.place(file, Number(line), named), after!];
  }

  /** Something to be clicked, if the page can open that file. */
  private place(file: string | null, line: number, text: string): string | Node {
    const path = file && relative(file);
    return path ? h("button", { type: "button", class: "place", onclick: () => this.openFile(path, line) }, text) : text;
  }

  private add(kind: Kind, ...parts: (string | Node)[]): void {
    this.output = null;
    const element = h("div", { class: kind }, ...parts);
    this.size += element.textContent!.length;
    this.append(element);
  }

  private openOutput(raw: string) {
    const element = h("div", { class: "output" });
    const line = element.appendChild(h("span", { class: "unfinished" }, written(raw)));
    this.append(element);
    return { element, line, raw, size: 0 };
  }

  private append(element: HTMLElement): void {
    this.list.append(element);
    while (this.size > MOST_CHARACTERS || this.list.childElementCount > MOST_ELEMENTS) {
      const oldest = this.list.firstElementChild;
      if (!oldest || oldest === element) break;
      this.size -= oldest.textContent!.length;
      oldest.remove();
    }
    this.scroll();
  }

  private scroll(): void {
    if (!this.following || this.scrolling) return;
    this.scrolling = true;
    requestAnimationFrame(() => {
      this.scrolling = false;
      this.pane.scrollTop = this.pane.scrollHeight;
    });
  }
}

// A carriage return begins the line anew, but only what comes next takes the old text away: so do progress bars.
function withoutOverwritten(text: string): string { return text.replace(/[^\n]*\r(?=[^\r\n])/g, ""); }
function written(text: string): string { return withoutErased(withoutOverwritten(text).replace(/\r/g, "")); }

// A backspace takes the character before it away: so does the other kind of progress display.
function withoutErased(text: string): string {
  if (!text.includes("\b")) return text;
  const left: string[] = [];
  for (const character of text) {
    if (character !== "\b") left.push(character);
    else if (left.length && left.at(-1) !== "\n") left.pop();
  }
  return left.join("");
}
