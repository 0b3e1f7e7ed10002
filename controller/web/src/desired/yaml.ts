// How the desired state's text looks wherever it is shown: its language, its colours (by class, from the page's tokens), and
// the editor's own words in the person's language.
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { yaml } from "@codemirror/lang-yaml";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { language } from "../words";
import "./editor.css";

const colours = HighlightStyle.define([
  { tag: tags.definition(tags.propertyName), class: "yaml-key" },
  { tag: tags.string, class: "yaml-string" },
  { tag: tags.comment, class: "yaml-comment" },
  { tag: [tags.separator, tags.brace, tags.squareBracket, tags.punctuation], class: "yaml-mark" },
  { tag: tags.meta, class: "yaml-comment" },
]);

export const yamlText: Extension = [yaml(), syntaxHighlighting(colours), EditorState.tabSize.of(2)];

/** A text that is only read: it can be scrolled, searched and copied from by keyboard. */
export function readOnly(label: string): Extension {
  return [
    EditorState.readOnly.of(true),
    EditorView.editable.of(false),
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
    phrases(),
  ];
}

export function phrases(): Extension {
  return language.value === "en" ? [] : EditorState.phrases.of({
    Find: "查找", Replace: "替换", next: "下一个", previous: "上一个", all: "全选", "match case": "区分大小写",
    regexp: "正则表达式", "by word": "全字匹配", replace: "替换", "replace all": "全部替换", close: "关闭",
    "Go to line": "转到行", go: "转到", "current match": "当前匹配", "on line": "在行", "replaced match on line $": "已替换第 $ 行的匹配",
    "replaced $ matches": "已替换 $ 处匹配", Completions: "补全", Diagnostics: "问题", "No diagnostics": "没有问题",
    "Fold line": "折叠", "Unfold line": "展开", "folded code": "已折叠的文本", unfold: "展开", to: "至", "Folded lines": "已折叠的行",
    "Unfolded lines": "已展开的行", "$ unchanged lines": "$ 行未变", "Control character": "控制字符",
  });
}
