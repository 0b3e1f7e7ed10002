// MATLAB's language for CodeMirror: its colours, its comments, and how far a line is indented. A mode of our own: the
// ready-made one takes `'` after a space in `[a 'b']` for a transposition and knows neither `...` nor `\"`.
import {
  HighlightStyle, indentService, StreamLanguage, syntaxHighlighting, type IndentContext, type StringStream,
} from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { tags } from "@lezer/highlight";

const KEYWORDS = new Set(
  ("break case catch classdef continue do else elseif end end_try_catch end_unwind_protect endclassdef endfor endfunction "
    + "endif endparfor endswitch endwhile enumeration events for function global if methods otherwise parfor persistent "
    + "properties return switch try until unwind_protect unwind_protect_cleanup while").split(" "),
);

interface Place {
  /** How deep in block comments. */
  comments: number;
  /** The brackets that are open. */
  brackets: string;
  /** Whether a `'` here transposes what stands before it. */
  operand: boolean;
  field: boolean;
}

const language = StreamLanguage.define<Place>({
  name: "matlab",
  startState: () => ({ comments: 0, brackets: "", operand: false, field: false }),
  copyState: (place) => ({ ...place }),
  token,
  languageData: {
    commentTokens: { line: "%", block: { open: "%{", close: "%}" } },
    closeBrackets: { brackets: ["(", "[", "{", '"'] }, // not ': it transposes
    indentOnInput: /^\s*(end\w*|else|elseif|case|otherwise|catch|unwind_protect_cleanup|until)$/,
  },
});

function token(stream: StringStream, place: Place): string | null {
  if (stream.sol()) {
    place.operand = place.field = false;
    if (/^\s*[%#]\{\s*$/.test(stream.string)) place.comments++;
    if (place.comments) {
      if (/^\s*[%#]\}\s*$/.test(stream.string)) place.comments--;
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match(/^\s*(%%|##)(\s.*)?$/)) return "heading";
  }
  const inMatrix = /[[{]$/.test(place.brackets);
  if (stream.eatSpace()) {
    if (inMatrix) place.operand = false;
    return null;
  }
  if (stream.match(/^\.\.\..*/) || stream.match(/^[%#].*/)) return "comment";
  const wasOperand = place.operand;
  const wasField = place.field;
  place.operand = place.field = false;
  if (stream.match(/^\.?'/, false) && wasOperand) {
    stream.match(/^\.?'/);
    place.operand = true;
    return "operator";
  }
  if (stream.match(/^'([^']|'')*'/) || stream.match(/^"(\\.|""|[^"\\])*"/)) {
    place.operand = true;
    return "string";
  }
  if (stream.match(/^['"].*/)) return "invalid";
  if (stream.match(/^(0x[\da-f]+|0b[01]+|(\d+(\.(?![*/\\^'])\d*)?|\.\d+)([ed][+-]?\d+)?[ij]?)/i)) {
    place.operand = true;
    return "number";
  }
  const word = stream.match(/^[A-Za-z_]\w*/);
  if (word) {
    const name = (word as RegExpMatchArray)[0];
    const keyword = KEYWORDS.has(name) && !wasField && !place.brackets;
    place.operand = !keyword;
    return keyword ? "keyword" : "variableName";
  }
  const character = stream.next()!;
  if ("([{".includes(character)) place.brackets += character;
  else if (")]}".includes(character)) {
    place.brackets = place.brackets.slice(0, -1);
    place.operand = true;
  } else if (character === ".") place.field = true;
  return null;
}

const OPENS = /^\s*(if|for|parfor|while|switch|try|do|unwind_protect|else|elseif|case|otherwise|catch|unwind_protect_cleanup|function|classdef|properties|methods|events|enumeration)\b/;
const CLOSES = /^\s*(end\w*|else|elseif|catch|unwind_protect_cleanup|until)\b/;
const CASE = /^\s*(case|otherwise)\b/;
const SWITCH = /^\s*switch\b/;
const ENDS_HERE = /\b(end\w*|until\b.*)[\s;,]*([%#].*)?$/; // `if x, y, end` on one line

function indentation(context: IndentContext, pos: number): number {
  const here = context.lineAt(pos, 1).text;
  let above = context.simulatedBreak === pos ? context.lineAt(pos, -1).text : "";
  let number = context.state.doc.lineAt(pos).number;
  while (!above.trim() && --number > 0) above = context.state.doc.line(number).text;
  const base = /^\s*/.exec(above)![0].replaceAll("\t", " ".repeat(context.state.tabSize)).length;
  const opens = OPENS.test(above) && !ENDS_HERE.test(above);
  const closes = CLOSES.test(here) || (CASE.test(here) && !SWITCH.test(above));
  return Math.max(0, base + (opens ? context.unit : 0) - (closes ? context.unit : 0));
}

const colours = HighlightStyle.define([
  { tag: tags.keyword, class: "tok-keyword" },
  { tag: tags.string, class: "tok-string" },
  { tag: tags.comment, class: "tok-comment" },
  { tag: tags.heading, class: "tok-heading" },
  { tag: tags.number, class: "tok-number" },
  { tag: tags.invalid, class: "tok-invalid" },
]);

export function octave(): Extension {
  return [language, indentService.of(indentation), syntaxHighlighting(colours)];
}
