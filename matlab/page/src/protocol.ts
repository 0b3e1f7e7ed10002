// The session's protocol (docs/session-protocol.md) as types: what the page sends, and what it may hear.

export type State = "starting" | "idle" | "busy" | "down";
export type Ending = "ok" | "error" | "interrupted" | "died" | "aborted";

export interface Interpreter {
  name: string;
  version: string;
  safe_mode: boolean;
}

export interface Asking { eval_id: number; prompt: string; kind: "value" | "text" | "key" | "debugger" }

export interface Usage { memory: number | null; memory_limit: number | null; cpu_seconds: number | null; cpus: number }

export interface Status {
  state: State;
  since: string;
  waiting: number;
  asks: Asking | null;
  folder: string | null;
  interpreter: Interpreter;
  process: { pid: number; started_at: string };
  usage: Usage;
}

export interface CodeError {
  identifier: string;
  message: string;
  stack: { file: string | null; name: string; line: number; column: number }[];
}

export interface Summary { class: string; size: number[]; complex: boolean; sparse: boolean; text: string }
export interface Variable extends Summary { name: string; bytes: number; global: boolean }

export type Step = string | number;
export type Item = Summary & { step: Step };

export interface Value extends Summary {
  kind: "matrix" | "struct" | "list" | "text";
  first: number[];
  page?: number;
  values?: (number | string)[][];
  imaginary?: (number | string)[][];
  items?: Item[];
  content?: string;
}

export interface Figure { number: number; name: string; width: number; height: number; revision: number }

export type Json = { [name: string]: unknown };
export interface FigureData { number: number; revision: number; too_large: boolean; data: Json[]; layout: Json }

export type Format = "svg" | "png" | "pdf";

export interface Entry { name: string; kind: "file" | "folder" | "other"; size: number; modified: string; link: boolean }

export interface Past { method: keyof Notifications; params: never }

export interface Notifications {
  hello: {
    session: { user_id?: string; session_id?: string }; status: Status; figures: Figure[]; transcript: Past[];
  };
  busy: { eval_id: number; code: string; since: string; silent: boolean };
  output: { eval_id: number | null; text: string };
  input_request: Asking;
  figures: { figures: Figure[] };
  idle: { eval_id: number; status: Ending; error: CodeError | null; elapsed: number; silent: boolean };
  exited: { exit_code: number; requested: boolean; message: string; restart_in: number; safe_mode: boolean };
  ready: Interpreter;
  missed: { characters: number };
}

type Nothing = Record<string, never>;

export interface Calls {
  eval: { params: { code: string; silent?: boolean }; result: { status: Ending; error: CodeError | null } };
  interrupt: { params: Nothing; result: { interrupted: boolean } };
  restart: { params: Nothing; result: Status };
  input: { params: { text: string }; result: Nothing };
  status: { params: Nothing; result: Status };
  whos: { params: Nothing; result: { variables: Variable[] } };
  value: {
    params: { name: string; path: Step[]; row: number; column: number; rows: number; columns: number; page: number };
    result: Value;
  };
  complete: { params: { code: string; cursor?: number }; result: { matches: string[]; start: number } };
  "figure.data": { params: { number: number }; result: FigureData };
  "figure.export": {
    params: { number: number; format: Format; width?: number; height?: number };
    result: { encoding: "text" | "base64"; content: string };
  };
  "files.list": { params: { path: string }; result: { entries: Entry[]; truncated: boolean } };
  "files.read": { params: { path: string }; result: { text: string; revision: string } };
  "files.write": { params: { path: string; text: string; revision?: string | null }; result: { revision: string } };
  "files.rename": { params: { path: string; to: string }; result: Nothing };
  "files.remove": { params: { path: string }; result: Nothing };
  "files.mkdir": { params: { path: string }; result: Nothing };
}
