// The session's protocol (docs/session-protocol.md) as types: what the page sends, and what it may hear.

export type State = "starting" | "idle" | "busy" | "down";

export interface Interpreter {
  name: string;
  version: string;
  pid: number | null;
  restarts: number;
  safe_mode: boolean;
}

export interface Status {
  state: State;
  since: string;
  interpreter: Interpreter;
  process: { pid: number; started_at: string };
}

export interface CodeError {
  identifier: string;
  message: string;
  stack: { file: string | null; name: string; line: number; column: number }[];
}

export type Ending = "ok" | "error" | "interrupted" | "died" | "aborted";

export interface Past { method: keyof Notifications; params: never }

export interface Notifications {
  hello: { session: { user_id?: string; session_id?: string }; status: Status; transcript: Past[] };
  busy: { eval_id: number; code: string; since: string };
  output: { eval_id: number | null; text: string };
  idle: { eval_id: number; status: Ending; error: CodeError | null; elapsed: number };
  exited: { exit_code: number; requested: boolean; message: string; restart_in: number; safe_mode: boolean };
  ready: Interpreter;
  missed: { characters: number };
}

type Nothing = Record<string, never>;

export interface Calls {
  eval: { params: { code: string }; result: { status: Ending } };
  interrupt: { params: Nothing; result: { interrupted: boolean } };
  restart: { params: Nothing; result: Status };
  status: { params: Nothing; result: Status };
  complete: { params: { code: string; cursor: number }; result: { matches: string[]; start: number } };
  "files.list": { params: { path: string }; result: { entries: Entry[] } };
  "files.mkdir": { params: { path: string }; result: object };
  "files.rename": { params: { from: string; to: string }; result: object };
  "files.delete": { params: { path: string }; result: object };
}

export interface Entry { name: string; type: "file" | "folder"; size: number; modified: string }
