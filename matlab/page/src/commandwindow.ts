// The command window: what was said to the session by anyone, what it answered, and the line that is typed into.
import type { CommandLine } from "./commandline";
import type { Connection } from "./connection";
import { $, iconButton } from "./dom";
import type { Past } from "./protocol";
import type { Transcript } from "./transcript";
import { speak, words } from "./words";

export class CommandWindow {
  private service?: string; // when the service started that we talked to last

  constructor(connection: Connection, private readonly transcript: Transcript, private readonly line: CommandLine) {
    const pane = $("window");
    pane.addEventListener("mouseup", (event) => {
      if (!String(getSelection()) && !(event.target as HTMLElement).closest("button")) line.focus();
    });
    speak(() => $("command-tools").replaceChildren(iconButton("erase", words().clearWindow, () => this.clear())));

    connection.on("hello", ({ status, transcript: past }) => {
      const { started_at } = status.process;
      if (this.service && this.service !== started_at) transcript.note(words().renewed); // its past is gone, ours need not be
      else {
        transcript.clear();
        const commands = past.filter(isCommand).map(({ params }) => (params as { code: string }).code);
        if (!commands.length) transcript.hint(words().welcome);
        if (line.remembersNothing) commands.forEach((code) => line.remember(code));
        for (const { method, params } of past) connection.hear(method, params);
      }
      this.service = started_at;
    });
    connection.on("busy", ({ eval_id, code, silent }) => { if (eval_id && !silent) transcript.command(code); });
    connection.on("output", ({ text }) => transcript.print(text));
    connection.on("missed", ({ characters }) => transcript.note(words().missed(characters)));
    connection.on("idle", ({ status, error, silent }) => {
      if (silent) return;
      transcript.endOutput();
      if (status === "interrupted") transcript.note(words().stopped);
      else if (error && status !== "died") transcript.error(status, error); // `exited` tells of a death
    });
    connection.on("ready", ({ safe_mode }) => { if (safe_mode) transcript.note(words().safeModeNote); });
    connection.on("exited", ({ requested, exit_code }) => {
      transcript.note(requested ? words().restarted
        : exit_code < 0 ? words().endedBySignal(-exit_code) : words().endedWithCode(exit_code));
    });
  }

  clear(): void {
    this.transcript.clear();
    this.line.focus();
  }
}

function isCommand({ method, params }: Past): boolean { return method === "busy" && (params as { eval_id: number }).eval_id > 0; }
