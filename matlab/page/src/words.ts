// Every word the page says, in both languages, and which language that is: the person's choice, else the browser's.
import { keep, kept } from "./memory";

const en = {
  title: "MATLAB session",
  connecting: "Connecting…", starting: "Starting…", idle: "Ready", busy: "Busy", down: "Restarting…",
  waitingForInput: "Waiting for input", waitingForKey: "Paused: press Enter",
  user: "User", safeMode: "safe mode",
  newScript: "New", newScriptHint: "New script (Ctrl-Alt-N)",
  save: "Save", saveHint: "Save the file (Ctrl-S)",
  run: "Run", runHint: "Save and run the file (F5)",
  runSection: "Section", runSectionHint: "Run the section between %% lines (Ctrl-Enter)",
  runSelection: "Selection", runSelectionHint: "Run the selection, or the line (F9)",
  stop: "Stop", stopHint: "Stop the running command (Ctrl-C)", force: "Force restart",
  forceHint: "End the interpreter and start a new one; all variables are lost",
  restart: "Restart", restartHint: "Start a new interpreter; all variables are lost",
  reallyRestart: "Lose all variables?",
  memory: "Memory", cpu: "CPU",
  loadHint: (memory: string, cpu: string) => `This session uses ${memory} of memory and ${cpu} of its processors`,
  theme: "Light or dark", themeSystem: "Theme: as the system", themeLight: "Theme: light", themeDark: "Theme: dark",
  language: "中文", languageHint: "用中文显示",
  toggleLeft: "Show or hide Current Folder", toggleRight: "Show or hide Workspace and Figures",
  toolbar: "Commands",

  lostMeanwhile: "the connection was lost.",
  lost: "The connection is lost. Trying again…",
  back: "Connected again.",
  renewed: "The session's container was started anew. All variables are gone.",
  stuck: "The command does not react to Stop. A forced restart ends it, and all variables with it.",
  answerFirst: "The running command waits for an answer in the Command Window.",
  notConnected: "There is no connection to the session at the moment.",
  noSuchMethod: "This session's service is older than the page and cannot do that.",

  commandWindow: "Command Window",
  transcript: "Commands and their output",
  commandLine: "Command line",
  tabLeaves: "Escape, then Tab, leads to what comes next.",
  welcome: "Type a command and press Enter.  Tab completes, ↑ brings back earlier commands, Ctrl-C stops.",
  stopped: "Stopped.",
  safeModeNote: "Safe mode: your startup.m ended the interpreter, so it was left out. Mend it, then press Restart.",
  notRun: "Not run: ",
  missed: (n: number) => `… ${n} characters were left out: they came faster than this page could take …`,
  moreLines: (n: number) => `… ${n} more lines`,
  inFile: (name: string, line: number) => `in ${name}, line ${line}`,
  inLine: (line: number) => `in line ${line}`,
  restarted: "The interpreter was restarted. All variables are gone.",
  endedBySignal: (n: number) => `The interpreter was ended by signal ${n} and starts again. All variables are gone.`,
  endedWithCode: (n: number) => `The interpreter ended (exit code ${n}) and starts again. All variables are gone.`,
  clearWindow: "Clear the window (Ctrl-L)",

  editor: "Editor",
  nothingOpen: "No file is open",
  nothingOpenHint: "Open one from Current Folder, or begin with a new script.",
  untitled: (n: number) => (n > 1 ? `untitled${n}.m` : "untitled.m"),
  close: "Close",
  closeUnsaved: "Not saved. Close all the same?",
  unsaved: "not saved",
  line: "Ln", column: "Col",
  changedOnDisk: (name: string) => `${name} was changed by someone else since you opened it.`,
  overwrite: "Save mine",
  saveAs: "Save as",
  makeFile: (name: string) => `There is no ${name} yet. Create it?`, make: "Create",
  notText: (name: string) => `${name} is not a text file. Download it to look at it.`,

  currentFolder: "Current Folder",
  home: "Home",
  newFile: "New file", newFolder: "New folder", upload: "Upload", refresh: "Refresh",
  folderEmpty: "This folder is empty",
  folderEmptyHint: "Drop files here to upload them.",
  open: "Open", runFile: "Run", rename: "Rename", download: "Download", remove: "Delete",
  reallyRemove: (name: string) => `Delete ${name}?`,
  reallyRemoveHint: "It cannot be brought back.",
  cancel: "Cancel", ok: "OK",
  uploading: (name: string, percent: number) => `Uploading ${name}: ${percent} %`,
  uploaded: (n: number) => (n === 1 ? "1 file is uploaded." : `${n} files are uploaded.`),
  notUploaded: (name: string, why: string) => `${name} could not be uploaded: ${why}`,
  replaceFile: (name: string) => `${name} is there already. Replace it?`, replace: "Replace",
  folderOnly: "Only files can be uploaded, not folders.",
  more: "More",

  workspace: "Workspace",
  noVariables: "No variables",
  noVariablesHint: "They appear here as soon as a command makes one.",
  name: "Name", value: "Value", size: "Size", class: "Class", bytes: "Bytes",
  attributes: (words: string) => ` (${words})`,
  global: "global", complex: "complex", sparse: "sparse",
  variable: "Variable",
  variableGone: (name: string) => `There is no variable ${name} any more.`,
  rows: "Rows", columns: "Columns", page: "Page", items: "Elements",
  emptyValue: "This value is empty.",
  plotVariable: "Plot", clearVariable: "Clear",
  field: "Field",

  figures: "Figures",
  noFigures: "No figures",
  noFiguresHint: "Try",
  figure: (n: number) => `Figure ${n}`,
  closeFigure: "Close the figure",
  enlarge: "Enlarge or shrink the figures",
  exportFigure: "Save as PNG, SVG or PDF",
  exportAs: (format: string) => `Save as ${format}`,
  resetView: "Original view",
  rotateHint: "Drag to rotate, scroll to zoom",
  zoomHint: "Drag to zoom, double-click for the original view",
  asPicture: "This figure is shown as a picture: it has parts that the page cannot draw.",

  splitter: "Resize",
};

type Words = typeof en;

const zh: Words = {
  title: "MATLAB 会话",
  connecting: "正在连接…", starting: "正在启动…", idle: "就绪", busy: "忙", down: "正在重启…",
  waitingForInput: "等待输入", waitingForKey: "已暂停：按 Enter 继续",
  user: "用户", safeMode: "安全模式",
  newScript: "新建", newScriptHint: "新建脚本 (Ctrl-Alt-N)",
  save: "保存", saveHint: "保存文件 (Ctrl-S)",
  run: "运行", runHint: "保存并运行文件 (F5)",
  runSection: "运行节", runSectionHint: "运行 %% 之间的当前节 (Ctrl-Enter)",
  runSelection: "运行所选", runSelectionHint: "运行所选内容或当前行 (F9)",
  stop: "停止", stopHint: "停止正在运行的命令 (Ctrl-C)", force: "强制重启",
  forceHint: "结束解释器并启动新的解释器，所有变量都会丢失",
  restart: "重启", restartHint: "启动新的解释器，所有变量都会丢失",
  reallyRestart: "变量将丢失，确定？",
  memory: "内存", cpu: "CPU",
  loadHint: (memory, cpu) => `本会话占用内存 ${memory}，处理器 ${cpu}`,
  theme: "浅色或深色", themeSystem: "主题：跟随系统", themeLight: "主题：浅色", themeDark: "主题：深色",
  language: "English", languageHint: "Show in English",
  toggleLeft: "显示或隐藏当前文件夹", toggleRight: "显示或隐藏工作区和图窗",
  toolbar: "命令",

  lostMeanwhile: "连接已断开。",
  lost: "连接已断开，正在重试…",
  back: "已重新连接。",
  renewed: "会话容器已重新启动，所有变量已清除。",
  stuck: "命令没有响应“停止”。强制重启会结束它，所有变量也会丢失。",
  answerFirst: "正在运行的命令在命令行窗口中等待您的输入。",
  notConnected: "当前未连接到会话。",
  noSuchMethod: "会话服务的版本比页面旧，不支持此操作。",

  commandWindow: "命令行窗口",
  transcript: "命令及其输出",
  commandLine: "命令行",
  tabLeaves: "先按 Esc，再按 Tab，可移到下一项。",
  welcome: "输入命令后按 Enter 运行。Tab 补全，↑ 调出历史命令，Ctrl-C 停止。",
  stopped: "已停止。",
  safeModeNote: "安全模式：您的 startup.m 使解释器退出，因此已跳过。请修正后点击“重启”。",
  notRun: "未运行：",
  missed: (n) => `… 输出过快，此处省略 ${n} 个字符 …`,
  moreLines: (n) => `… 另有 ${n} 行`,
  inFile: (name, line) => `位于 ${name}，第 ${line} 行`,
  inLine: (line) => `位于第 ${line} 行`,
  restarted: "解释器已重启，所有变量已清除。",
  endedBySignal: (n) => `解释器已结束（信号 ${n}），正在重新启动，所有变量已清除。`,
  endedWithCode: (n) => `解释器已结束（退出码 ${n}），正在重新启动，所有变量已清除。`,
  clearWindow: "清空窗口 (Ctrl-L)",

  editor: "编辑器",
  nothingOpen: "没有打开的文件",
  nothingOpenHint: "从当前文件夹打开文件，或新建脚本。",
  untitled: (n) => (n > 1 ? `untitled${n}.m` : "untitled.m"),
  close: "关闭",
  closeUnsaved: "尚未保存，仍要关闭吗？",
  unsaved: "未保存",
  line: "行", column: "列",
  changedOnDisk: (name) => `${name} 在您打开后已被他人修改。`,
  overwrite: "保存我的版本",
  saveAs: "另存为",
  makeFile: (name) => `${name} 尚不存在，要创建吗？`, make: "创建",
  notText: (name) => `${name} 不是文本文件，请下载后查看。`,

  currentFolder: "当前文件夹",
  home: "主文件夹",
  newFile: "新建文件", newFolder: "新建文件夹", upload: "上传", refresh: "刷新",
  folderEmpty: "此文件夹为空",
  folderEmptyHint: "将文件拖放到此处即可上传。",
  open: "打开", runFile: "运行", rename: "重命名", download: "下载", remove: "删除",
  reallyRemove: (name) => `删除 ${name}？`,
  reallyRemoveHint: "删除后无法恢复。",
  cancel: "取消", ok: "确定",
  uploading: (name, percent) => `正在上传 ${name}：${percent}%`,
  uploaded: (n) => `已上传 ${n} 个文件。`,
  notUploaded: (name, why) => `无法上传 ${name}：${why}`,
  replaceFile: (name) => `${name} 已存在，要替换吗？`, replace: "替换",
  folderOnly: "只能上传文件，不能上传文件夹。",
  more: "更多",

  workspace: "工作区",
  noVariables: "没有变量",
  noVariablesHint: "命令创建的变量会显示在这里。",
  name: "名称", value: "值", size: "大小", class: "类", bytes: "字节",
  attributes: (words) => `（${words}）`,
  global: "全局", complex: "复数", sparse: "稀疏",
  variable: "变量",
  variableGone: (name) => `变量 ${name} 已不存在。`,
  rows: "行", columns: "列", page: "页", items: "元素",
  emptyValue: "此值为空。",
  plotVariable: "绘图", clearVariable: "清除",
  field: "字段",

  figures: "图窗",
  noFigures: "没有图窗",
  noFiguresHint: "试试",
  figure: (n) => `图窗 ${n}`,
  closeFigure: "关闭图窗",
  enlarge: "放大或缩小图窗",
  exportFigure: "另存为 PNG、SVG 或 PDF",
  exportAs: (format) => `另存为 ${format}`,
  resetView: "原始视图",
  rotateHint: "拖动旋转，滚轮缩放",
  zoomHint: "拖动缩放，双击恢复原始视图",
  asPicture: "此图窗以图片显示：其中有页面无法绘制的部分。",

  splitter: "调整大小",
};

const TONGUES = { en, zh };
type Language = keyof typeof TONGUES;

let language: Language = kept<Language | null>("language", null)
  ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

export function words(): Words { return TONGUES[language]; }

const listeners: (() => void)[] = [];

/** Say something now, and again whenever the language changes. */
export function speak(say: () => void): void {
  listeners.push(say);
  say();
}

export function otherLanguage(): void {
  language = language === "en" ? "zh" : "en";
  keep("language", language);
  translateDocument();
  listeners.forEach((say) => say());
}

/** Elements that name their words in the markup: `data-t` for the text, `data-title`, `data-label` for attributes. */
export function translateDocument(): void {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll<HTMLElement>("[data-t], [data-title], [data-label]")) {
  const { t, title, label } = element.dataset;
  if (t) element.textContent = plain(t);
  if (title) element.title = plain(title);
  if (label) element.ariaLabel = plain(label);
  }
}

function plain(key: string): string {
  const said = words()[key as keyof Words];
  if (typeof said !== "string") throw new Error(`no plain words for ${key}`);
  return said;
}
