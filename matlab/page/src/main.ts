// Puts the parts of the page together.
import { CommandLine } from "./commandline";
import { CommandWindow } from "./commandwindow";
import { Completion } from "./completion";
import { Connection, NotConnected, Refused } from "./connection";
import { Documents } from "./documents";
import { $ } from "./dom";
import { Editor } from "./editor";
import { Figures } from "./figures";
import { absolute, Files, joined, quoted } from "./files";
import { Folder } from "./folder";
import { layOut } from "./layout";
import type { Variable } from "./protocol";
import { followTheme } from "./theme";
import { Toolbar } from "./toolbar";
import { Transcript } from "./transcript";
import { Viewer } from "./viewer";
import { translateDocument, words } from "./words";
import { Workspace } from "./workspace";

const NOTICE_SECONDS = 5;
const NO_SUCH_METHOD = -32601;
const WRONG_PARAMS = -32602;
const EDIT = /^\s*edit(?:\s+([\w./-]+))?\s*;?\s*$/;
const LOOK_EVERY = 4000; // ms between looks at memory and processors

translateDocument();
followTheme();
layOut();

const connection = new Connection();
const files = new Files(connection);
const completion = new Completion(connection);
const documents = new Documents(() => editor.newScript());
const folder = new Folder(files, {
  run: runSilently, say, fail,
  open: (path) => {
    if (/\.mat$/i.test(path)) run(`load (${quoted(absolute(path))})`);
    else void editor.openFile(path);
  },
  runFile: (path) => void files.read(path).then(({ text }) => editor.runFile(path, text), fail),
  renamed: (from, to) => editor.renamed(from, to),
  busy: () => toolbar.busy,
});
const editor = new Editor(documents, {
  files, completion, run, say, fail, folder: () => folder.current, here: () => folder.here,
});
const workspace = new Workspace({ run, open: openVariable });
const figures = new Figures(connection, { run: runSilently, fail });
const transcript = new Transcript((path, line) => void editor.openFile(path, line));
const line = new CommandLine($("command-line"), completion, enter);
const commandWindow = new CommandWindow(connection, transcript, line);
const toolbar = new Toolbar(connection, say, () => transcript.unfinished);
const viewers = new Set<Viewer>();

/** What was typed: a command, or the answer to one that asks. False if it was not taken. */
function enter(code: string): boolean {
  if (!connection.open) {
    say(words().notConnected);
    return false;
  }
  transcript.follow();
  if (toolbar.asking) {
    const { asking } = toolbar;
    connection.call("input", { text: code }).catch((error: unknown) => {
      fail(error);
      if (error instanceof Refused && error.code === WRONG_PARAMS) toolbar.ask(asking); // it asks still
    });
    toolbar.ask(null);
    return true;
  }
  line.remember(code);
  if (EDIT.test(code) && folder.here !== null) edit(code, folder.here);
  else if (code.trim()) connection.call("eval", { code }).catch(fail);
  else transcript.command("");
  return true;
}

/** `edit NAME` is for the page: the interpreter has no editor. */
function edit(command: string, here: string): void {
  transcript.command(command);
  const [, name = ""] = EDIT.exec(command)!;
  if (name) void editor.openOrMake(joined(here, /\.\w+$/.test(name) ? name : `${name}.m`));
  else editor.newScript();
}

/** What was chosen somewhere on the page. A debugger takes it as if it was typed; it is no answer to other questions. */
function run(code: string, recalled = false): void {
  if (toolbar.asking?.kind === "debugger") enter(code);
  else if (toolbar.asking) say(words().answerFirst);
  else if (!connection.open) say(words().notConnected);
  else {
    transcript.follow();
    if (recalled) line.remember(code);
    connection.call("eval", { code }).catch(fail);
  }
}

/** What the page itself has to do in the interpreter, and nobody need see in the command window. */
function runSilently(code: string): void {
  if (toolbar.asking || !connection.open) run(code);
  else connection.call("eval", { code, silent: true }).then(({ error }) => { if (error) say(error.message); }, fail);
}

function openVariable(name: string): void {
  const open = documents.find(`variable:${name}`);
  if (open) return documents.show(open);
  const viewer = new Viewer(name, connection, () => viewers.delete(viewer));
  viewers.add(viewer);
  documents.add(viewer);
}

let noticeTimer = 0;

function say(text: string, stays = false): void {
  const notice = $("notice");
  clearTimeout(noticeTimer);
  notice.textContent = text;
  notice.hidden = !text;
  if (!stays) noticeTimer = setTimeout(() => { notice.hidden = true; }, NOTICE_SECONDS * 1000);
}

function fail(error: unknown): void {
  if (error instanceof NotConnected) say(words().notConnected);
  else if (error instanceof Refused && error.code === NO_SUCH_METHOD) say(words().noSuchMethod);
  else say(error instanceof Error ? error.message : String(error));
}

let wasLost = false;
connection.onLost(() => {
  wasLost = true;
  toolbar.lost();
  say(words().lost, true);
});
connection.on("hello", ({ figures: open, status }) => {
  if (wasLost) say(words().back);
  wasLost = false;
  figures.show(open);
  void folder.refresh();
  if (status.state === "idle") void lookAround();
});
connection.on("figures", ({ figures: open }) => figures.show(open));
connection.on("idle", () => void lookAround());
connection.on("exited", () => {
  showVariables([]);
  figures.show([]);
});

let looking = false;
let lookAgain = false;

/** After a command: what it may have changed. One look at a time, and one more if there was another command. */
async function lookAround(): Promise<void> {
  lookAgain = true;
  if (looking) return;
  looking = true;
  try {
    while (lookAgain) {
      lookAgain = false;
      const [{ variables }] = await Promise.all([connection.call("whos", {}), look(), folder.refresh(), editor.refresh()]);
      showVariables(variables);
    }
  } catch {
    // the connection is lost or the interpreter ended: there is another look when it is back
  } finally {
    looking = false;
  }
}

function showVariables(variables: Variable[]): void {
  workspace.show(variables);
  for (const viewer of viewers) viewer.follow(variables.some(({ name }) => name === viewer.name));
}

async function look(): Promise<void> {
  const status = await connection.call("status", {});
  toolbar.look(status);
  folder.follow(status.folder);
}

setInterval(() => { if (connection.open && !document.hidden) look().catch(() => {}); }, LOOK_EVERY);
addEventListener("online", () => connection.hurry());
document.addEventListener("visibilitychange", () => { if (!document.hidden) connection.hurry(); });

function offerWhatCanBeDone(): void {
  for (const id of ["save", "run", "run-section", "run-selection"]) $<HTMLButtonElement>(id).disabled = !editor.active;
}
documents.onChange(offerWhatCanBeDone);
offerWhatCanBeDone();

$("new-script").onclick = () => editor.newScript();
$("save").onclick = () => { if (editor.active) void editor.save(editor.active); };
$("run").onclick = () => void editor.run();
$("run-section").onclick = () => editor.runSection();
$("run-selection").onclick = () => editor.runSelection();

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  const control = (ctrlKey || metaKey) && !shiftKey;
  if (key === "F5" && !control && !shiftKey) void editor.run();
  else if (key === "F9" && !control && !shiftKey) editor.runSelection();
  else if (key === "Enter" && control) editor.runSection();
  else if (key === "s" && control && !altKey) { if (editor.active) void editor.save(editor.active); }
  else if (key === "n" && control && altKey) editor.newScript();
  else if (key === "c" && ctrlKey && !metaKey && !altKey && !shiftKey && !String(getSelection())) { // with a selection it copies
    if (toolbar.stoppable) {
      if (toolbar.asking) line.clear(); // nobody asks any more
      toolbar.interrupt();
    } else if (line.view.hasFocus) line.clear();
    else return;
  } else if (key === "Escape" && figures.enlarged && !document.querySelector(".menu")) figures.enlarge(false);
  else if (key === "l" && ctrlKey && !altKey && !shiftKey && line.view.hasFocus) commandWindow.clear();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

void editor.bringBack();
connection.connect();
line.focus();
