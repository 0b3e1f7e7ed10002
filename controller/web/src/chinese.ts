// The controller's sentences in Chinese, as gettext does it: each is looked up by the English one with `{}` where a value
// stands, and what stands there is looked up as well. What is not there is shown as the controller says it.
//
// tests/unit/test_dashboard_chinese.py finds the sentences in the controller's source, and misses none.
import chinese from "./chinese.json";

interface Entry { pattern: RegExp; said: string }

const VALUE = /\{(\d*)\}/g;
const BETWEEN = [["; ", "；"], [". ", "。"], [": ", "："], [", ", "，"]] as const;
const bare = (text: string) => text.replace(/\.$/, "");

/** What says most comes first. */
const CATALOGUE: readonly Entry[] = Object.entries(chinese)
  .map(([english, said]) => ({ literal: bare(english).split("{}"), said: said.replace(/。$/, "") }))
  .sort((one, other) => other.literal.join("").length - one.literal.join("").length)
  .map(({ literal, said }) => ({ pattern: new RegExp(`^${literal.map(escaped).join(value(literal))}$`, "is"), said }));

/** `{} s` is like anything that ends so: what stands there has to be one word. */
function value(literal: readonly string[]): string {
  return literal[0] === "" && literal.join("").length < 5 ? "(\\S+)" : "(.+?)";
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/** Rows are drawn anew again and again with what they said before. */
const known = new Map<string, string>();
const KEPT = 2000;
/** Letters; what is longer is no sentence of ours. */
const LONGEST = 500;

/** In Chinese, as far as it is known. */
export function inChinese(text: string): string {
  let found = known.get(text);
  if (found === undefined) {
    if (known.size === KEPT) known.clear();
    known.set(text, (found = translated(text)));
  }
  return found;
}

function translated(text: string): string {
  if (text.length > LONGEST) return text;
  if (text.endsWith(".")) {
    const said = inChinese(bare(text));
    return said === bare(text) ? text : `${said}。`;
  }
  return [text, ...readings(text)].reduce((best, each) => (foreign(each) < foreign(best) ? each : best));
}

/** How much of it is in letters. */
const foreign = (text: string) => text.match(/[a-z]+/gi)?.length ?? 0;

/** A text may be read in several ways, `a: b` as a sentence with a value or as one that is followed by what it is about. */
function* readings(text: string): Generator<string> {
  for (const { pattern, said } of CATALOGUE) {
    const values = pattern.exec(text)?.slice(1);
    if (!values) continue;
    let next = 0;
    yield said.replace(VALUE, (_, at: string) => inChinese(values[at ? Number(at) : next++]!));
    if (!values.length) return;
  }
  for (const [between, said] of BETWEEN) {
    for (let at = text.indexOf(between); at > 0; at = text.indexOf(between, at + 1)) {
      yield `${inChinese(text.slice(0, at))}${said}${inChinese(text.slice(at + between.length))}`;
    }
  }
}
