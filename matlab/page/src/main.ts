// Puts the parts of the page together.
import { CommandLine } from "./commandline";
import { CommandWindow } from "./commandwindow";
import { Completion } from "./completion";
import { Connection, NotConnected, Refused } from "./connection";
import { Documents } from "./documents";
import { $ } from "./dom";
import { Editor } from "./editor";
import { Files } from "./files";
import { layOut } from "./layout";
import { followTheme } from "./theme";
import { Toolbar } from "./toolbar";
import { Transcript } from "./transcript";
import { translateDocument, words } from "./words";

const HOME = "/home/matlab/shared";
const NOTICE_SECONDS = 5;
const NO_SUCH_METHOD = -32601;

translateDocument();
followTheme();
layOut();

const connection = new Connection();
const files = new Files(connection);
const completion = new Completion(connection);
const documents = new Documents(() => editor.newScript());
const editor = new Editor(documents, {
  files, completion, run, say, fail,
  folder: () => "",
  absolute: (path) => `${HOME}/${path}`,
});
const transcript = new Transcript((file, line) => { void editor.openFile(file.replace(`${HOME}/`, ""), line); });
const line = new CommandLine($("command-line"), completion, run);
const commandWindow = new CommandWindow(connection, transcript, line);
const toolbar = new Toolbar(connection, say);

function run(code: string): boolean {
  if (/^\s*clc\s*;?\s*$/.test(code)) transcript.clear();
  else if (!code.trim()) transcript.command("");
  else if (!connection.open) {
    say(words().notConnected);
    return false;
  } else connection.call("eval", { code }).catch(fail);
  line.remember(code);
  transcript.follow();
  return true;
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
connection.on("hello", () => {
  if (wasLost) say(words().back);
  wasLost = false;
});
addEventListener("online", () => connection.hurry());
document.addEventListener("visibilitychange", () => { if (!document.hidden) connection.hurry(); });

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
    if (toolbar.busy) toolbar.interrupt();
    else if (line.view.hasFocus) line.clear();
    else return;
  } else if (key === "l" && ctrlKey && !altKey && !shiftKey && line.view.hasFocus) commandWindow.clear();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

void editor.bringBack();
connection.connect();
line.focus();
