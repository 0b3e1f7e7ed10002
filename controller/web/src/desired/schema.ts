// What may be written where in the desired state, by its JSON Schema: what is offered while somebody types, and what is told
// of a word under the pointer.
//
// Where one is, the tree tells as far as something is closed (braces, quotes, comments). Of a line that is still being
// typed it only says that this is no YAML yet, so between lines the indentation tells.
import { snippet, type Completion, type CompletionSource } from "@codemirror/autocomplete";
import { syntaxTree } from "@codemirror/language";
import type { EditorState } from "@codemirror/state";
import { hoverTooltip } from "@codemirror/view";
import type { SyntaxNode } from "@lezer/common";
import { words } from "../words";

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  anyOf?: Schema[];
  type?: string;
  format?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  propertyNames?: { enum?: string[] };
}

/** In the words of the file; what the schema says of a key is the controller's own, and English. */
const t = words(
  {
    mapping: "fields", text: "text", number: "number", moment: "moment", choice: "one of", now: "now: it is restarted at once",
    free: "not declared yet", about: {} as Record<string, string>,
  },
  {
    mapping: "字段", text: "文本", number: "数字", moment: "时刻", choice: "取值", now: "现在：立即重启",
    free: "尚未声明",
    about: {
      version: "此文件格式的版本：1。",
      generation: "由控制器维护：这份文本是从哪一代编辑而来。请保持原样。",
      paused: "暂时不动任何容器。",
      defaults: "对没有另行说明的用户一律生效。",
      "defaults.profile": "没有写明配置档的用户所用的配置档。",
      users: "按编号列出每个用户。没有列出的用户没有会话；用户数据在任何情况下都会保留。",
      "users.*": "一个用户的会话。`{}` 表示运行，全部使用默认值。",
      "users.*.state": "会话是否运行。停止的会话保留其容器。不写：运行。",
      "users.*.profile": "会话使用运维者提供的哪个配置档：镜像、CPU、内存等。",
      "users.*.session_id": "会话的归属，用请求它的程序的说法：1 到 128 个字母、数字以及 `-` `_` `.` `:` `@`。",
      "users.*.restart_at": "会话必须在此刻或之后启动（以引擎的时钟为准）：更早启动的会话到时会被重启。须带时区，如 2026-11-22T10:00:00Z。",
      "users.*.paused": "不管条目其余内容如何，都不动这个用户的容器。",
    } as Record<string, string>,
  },
);

/** What holds at a path from the top; `null` where nothing may be. */
function rulesAt(root: Schema, path: readonly string[]): Schema | null {
  let here = followed(root, root);
  for (const step of path) {
    const next = here.properties?.[step] ?? Object.entries(here.patternProperties ?? {}).find(([key]) => new RegExp(key).test(step))?.[1];
    if (!next) return null;
    here = followed(next, root);
  }
  return here;
}

/** References are followed, and of alternatives the one that says something. */
function followed(schema: Schema, root: Schema): Schema {
  const { description } = schema;
  if (schema.$ref) return { ...followed(root.$defs![schema.$ref.split("/").at(-1)!]!, root), ...(description && { description }) };
  const one = schema.anyOf?.find((each) => each.type !== "null");
  return one ? { ...followed(one, root), ...(description && { description }) } : schema;
}

function about(schema: Schema, path: readonly string[]): string {
  const place = path.map((step) => (/^\d+$/.test(step) ? "*" : step)).join(".");
  return t.value.about[place] ?? schema.description ?? "";
}

function kind(schema: Schema): string {
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.format === "date-time") return t.value.moment;
  if (schema.type === "boolean") return "true | false";
  return { object: t.value.mapping, string: t.value.text, integer: t.value.number }[schema.type ?? ""] ?? "";
}

// ---------------------------------------------------------------- where one is

interface Place {
  /** Of the mapping that one is in; of the key too, where its value is being typed. */
  path: string[];
  value: boolean;
  /** Where the word begins that is being typed. */
  from: number;
  /** Keys that the mapping has already. */
  taken: Set<string>;
  /** Within braces, where nothing else has to stand on a line of its own. */
  braced: boolean;
}

function placeAt(state: EditorState, pos: number): Place | null {
  let braces: SyntaxNode | null = null;
  for (let node: SyntaxNode | null = syntaxTree(state).resolveInner(pos, -1); node; node = node.parent) {
    if (["Comment", "QuotedLiteral", "BlockLiteral"].includes(node.name) && pos > node.from) return null;
    const open = pos > node.from && (pos < node.to || state.sliceDoc(node.to - 1, node.to) !== "}");
    if (node.name === "FlowMapping" && open) braces ??= node;
  }
  return braces ? inBraces(state, braces, pos) : onLine(state, pos);
}

function inBraces(state: EditorState, braces: SyntaxNode, pos: number): Place | null {
  const typed = state.sliceDoc(braces.from + 1, pos);
  const found = /^\s*([\w-]*)(?::\s+([^\s"']*))?$/.exec(typed.slice(typed.lastIndexOf(",") + 1));
  if (!found) return null;
  const [, name = "", value] = found;
  const path = pathOf(state, braces);
  const others = braces.getChildren("Pair").filter((pair) => pos < pair.from || pos > pair.to);
  const taken = new Set(others.map((pair) => keyOf(state, pair)));
  if (value === undefined) return { path, value: false, from: pos - name.length, taken, braced: true };
  return { path: [...path, name], value: true, from: pos - value.length, taken, braced: true };
}

function onLine(state: EditorState, pos: number): Place | null {
  const line = state.doc.lineAt(pos);
  const found = /^( *)([\w-]*)(?:(:\s+)([^\s"']*))?$/.exec(line.text.slice(0, pos - line.from));
  if (!found) return null;
  const [, indent = "", name = "", colon, value = ""] = found;
  const path = pathAbove(state, line.number, indent.length);
  if (!path) return null;
  const taken = new Set<string>();
  for (const step of [-1, 1]) {
    for (let number = line.number + step; number >= 1 && number <= state.doc.lines; number += step) {
      const { depth, key } = read(state.doc.line(number).text);
      if (depth < indent.length) break;
      if (depth === indent.length && key) taken.add(key);
    }
  }
  if (!colon) return { path, value: false, from: pos - name.length, taken, braced: false };
  return { path: [...path, name], value: true, from: pos - value.length, taken, braced: false };
}

/** The keys that a line of this indentation stands under; `null` if it stands under none. */
function pathAbove(state: EditorState, below: number, indent: number): string[] | null {
  const path: string[] = [];
  let least = indent;
  for (let number = below - 1; number >= 1 && least > 0; number--) {
    const { depth, key, alone } = read(state.doc.line(number).text);
    if (depth >= least) continue;
    if (!alone) return null;
    path.unshift(key);
    least = depth;
  }
  return least === 0 ? path : null;
}

/** A line's indentation (endless: it says nothing), its key, and whether what belongs to that follows below. */
function read(line: string): { depth: number; key: string; alone: boolean } {
  const found = /^( *)(?:["']?([\w-]+)["']?:(\s+#.*|\s*)?(.*)|[^\s#].*)$/.exec(line);
  if (!found) return { depth: Infinity, key: "", alone: false };
  const [, indent = "", key = "", , rest] = found;
  return { depth: indent.length, key, alone: rest === "" };
}

function pathOf(state: EditorState, node: SyntaxNode): string[] {
  const path: string[] = [];
  for (let at: SyntaxNode | null = node.parent; at; at = at.parent) {
    if (at.name === "Pair") path.unshift(keyOf(state, at));
  }
  return path;
}

function keyOf(state: EditorState, pair: SyntaxNode): string {
  const key = pair.getChild("Key");
  return key ? state.sliceDoc(key.from, key.to).trim().replace(/^["']|["']$/g, "") : "";
}

// ---------------------------------------------------------------- what is offered

export function offers(schema: () => Schema | null): CompletionSource {
  return (context) => {
    const root = schema();
    const place = root && placeAt(context.state, context.pos);
    if (!root || !place) return null;
    if (!context.explicit && place.from === context.pos && !place.value && !place.braced) return null;
    const rules = rulesAt(root, place.path);
    const options = !rules ? [] : place.value ? valuesOf(rules) : keysOf(root, rules, place, context.state.sliceDoc(0, place.from));
    return options.length ? { from: place.from, options, validFor: /^[\w.-]*$/ } : null;
  };
}

function keysOf(root: Schema, rules: Schema, place: Place, before: string): Completion[] {
  if (rules.patternProperties) return idsOf(rules, place, before);
  const keys = Object.entries(rules.properties ?? {}).filter(([key]) => !place.taken.has(key));
  return keys.map(([key, value], order) => {
    const rule = followed(value, root);
    const lines = rule.type === "object" && !place.braced && rule.patternProperties;
    const text = lines ? `${key}:\n  #{}` : rule.type === "object" ? `${key}: \\{#{}\\}` : `${key}: #{}`;
    const info = about(rule, [...place.path, key]);
    return { label: key, type: "property", detail: kind(rule), apply: snippet(text), boost: -order, ...(info && { info }) };
  });
}

/** The one after the user above the cursor first. */
function idsOf(rules: Schema, place: Place, before: string): Completion[] {
  const above = Number(/(?:^|[\n{,])\s*(\d+):[^\n]*\n?[^\n\d]*$/.exec(before)?.[1] ?? 0);
  const ids = (rules.propertyNames?.enum ?? []).filter((id) => !place.taken.has(id)).map(Number);
  const next = ids.find((id) => id > above);
  return ids.map((id) => ({
    label: String(id), type: "constant", detail: t.value.free, apply: snippet(`${id}: \\{#{}\\}`), boost: id === next ? 99 : -id / 100,
  }));
}

function valuesOf(rules: Schema): Completion[] {
  const offered = rules.enum ?? (rules.const !== undefined ? [rules.const] : rules.type === "boolean" ? ["true", "false"] : []);
  if (rules.format === "date-time") {
    return [{ label: new Date().toISOString().replace(/\.\d+/, ""), type: "constant", detail: t.value.now }];
  }
  return offered.map((value, order) => ({ label: String(value), type: "enum", boost: -order }));
}

// ---------------------------------------------------------------- what is told

/** `tellUser`: how a user stands, in a sentence. */
export function tells(schema: () => Schema | null, tellUser: (id: number) => string) {
  return hoverTooltip((view, pos, side) => {
    const root = schema();
    const node = syntaxTree(view.state).resolveInner(pos, side);
    if (!root || !["Literal", "QuotedLiteral", "Key"].includes(node.name)) return null;
    const path = pathOf(view.state, node);
    const rules = path.length ? rulesAt(root, path) : null;
    if (!rules) return null;
    const key = path.at(-1)!;
    const user = path.length === 2 && path[0] === "users" ? tellUser(Number(key)) : "";
    return {
      pos: node.from,
      end: node.to,
      above: true,
      create: () => {
        const dom = document.createElement("div");
        dom.className = "hovered";
        dom.append(line("strong", key), line("code", kind(rules)), line("p", about(rules, path)), line("p", user));
        return { dom };
      },
    };
  });
}

function line(tag: string, text: string): Node {
  if (!text) return document.createDocumentFragment();
  return Object.assign(document.createElement(tag), { textContent: text });
}
