// The session's page: a command window. It talks to `ws` beside the page itself, so that it works wherever the page
// does (another host port, a reverse proxy, a path prefix, an iframe) without being told an address.

const TEXTS = {
  en: {
    title: "MATLAB session", connecting: "Connecting…", idle: "Ready", busy: "Busy", starting: "Starting…",
    down: "Restarting…", stop: "Stop", force: "Force restart", restart: "Restart",
    stopHint: "Stop the running command (Ctrl-C)", restartHint: "Start a new interpreter; all variables are lost",
    sure: "Really? All variables are lost", user: "User", safe: "safe mode",
    lost: "The connection is lost. Trying again…", back: "Connected again.",
    renewed: "The session's container was started anew. All variables are gone.",
    stuck: "The command does not react to Stop. A forced restart ends it, and all variables with it.",
    interrupted: "Stopped.", safeMode: "Safe mode: your startup.m ended the interpreter, so it was left out. Mend it, then restart.",
    notRun: "Not run: ", missed: (n) => `… ${n} characters were left out: they came faster than this page could take …`,
    at: (line, name) => name ? `    in ${name}, line ${line}` : `    in line ${line}`,
    exited: (p) => p.requested ? "The interpreter was restarted. All variables are gone."
      : `The interpreter ended (${p.exit_code < 0 ? `signal ${-p.exit_code}` : `exit code ${p.exit_code}`}) and starts again. All variables are gone.`,
    welcome: "Type a command and press Enter. Shift-Enter begins a new line, ↑ brings back earlier commands, Ctrl-C stops.",
  },
  zh: {
    title: "MATLAB 会话", connecting: "正在连接…", idle: "就绪", busy: "忙", starting: "正在启动…",
    down: "正在重启…", stop: "停止", force: "强制重启", restart: "重启",
    stopHint: "停止正在运行的命令 (Ctrl-C)", restartHint: "启动新的解释器，所有变量都会丢失",
    sure: "确定？所有变量都会丢失", user: "用户", safe: "安全模式",
    lost: "连接已断开，正在重试…", back: "已重新连接。",
    renewed: "会话容器已重新启动，所有变量已清除。",
    stuck: "命令没有响应“停止”。强制重启会结束它，所有变量也会丢失。",
    interrupted: "已停止。", safeMode: "安全模式：您的 startup.m 使解释器退出，因此已跳过。请修正后重启。",
    notRun: "未运行：", missed: (n) => `… 输出过快，此处省略 ${n} 个字符 …`,
    at: (line, name) => name ? `    位于 ${name}，第 ${line} 行` : `    位于第 ${line} 行`,
    exited: (p) => p.requested ? "解释器已重启，所有变量已清除。"
      : `解释器已结束（${p.exit_code < 0 ? `信号 ${-p.exit_code}` : `退出码 ${p.exit_code}`}），正在重新启动，所有变量已清除。`,
    welcome: "输入命令后按 Enter 运行；Shift-Enter 换行，↑ 调出历史命令，Ctrl-C 停止。",
  },
};
const LANGUAGE = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const T = TEXTS[LANGUAGE];

const MOST_ELEMENTS = 1000;         // older ones leave the window
const MOST_PIECES = 50;             // of printed text in one element
const STUCK_AFTER = 3000;           // ms without a reaction to Stop
const LONGEST_RETRY = 5000;         // ms between attempts to connect
const SURE_FOR = 4000;              // ms in which the second click on Restart counts
const KEPT_COMMANDS = 500;

const $ = (id) => document.getElementById(id);
const [light, stateText, who, stop, restart, notice, windowPane, transcript, form, command] =
  ["light", "state", "who", "stop", "restart", "notice", "window", "transcript", "line", "command"].map($);

// ---------------------------------------------------------------- what is shown

let output = null;                  // what printed text goes on in: an element, and in it the line that is still open

function show(kind, text) {
  output = null;
  const element = document.createElement("div");
  element.className = kind;
  element.textContent = text;
  append(element);
}

function print(text) {
  output ??= openOutput("");
  const whole = output.raw + text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
  const cut = whole.lastIndexOf("\n") + 1;
  output.line.before(written(whole.slice(0, cut)));
  output.raw = withoutOverwritten(whole.slice(cut));
  output.line.data = written(output.raw);
  if (cut && ++output.pieces > MOST_PIECES) {     // go on in a new element, so that old text can leave the window
    output.line.remove();
    output = openOutput(output.raw);
  }
  scroll();
}

function openOutput(raw) {
  const element = document.createElement("div");
  element.className = "output";
  const line = element.appendChild(document.createTextNode(written(raw)));
  append(element);
  return { element, line, raw, pieces: 0 };
}

// A carriage return begins the line anew, but only what comes next takes the old text away: so do progress bars.
function withoutOverwritten(text) { return text.replace(/[^\n]*\r(?=[^\r\n])/g, ""); }
function written(text) { return withoutOverwritten(text).replace(/\r/g, "").replace(/[^\n]\x08/g, ""); }

function append(element) {
  transcript.append(element);
  while (transcript.childElementCount > MOST_ELEMENTS) transcript.firstElementChild.remove();
  scroll();
}

function clear() { transcript.replaceChildren(); output = null; }

let following = true;
windowPane.addEventListener("scroll", () => {
  following = windowPane.scrollHeight - windowPane.scrollTop - windowPane.clientHeight < 40;
});
let scrolling = false;
function scroll() {
  if (!following || scrolling) return;
  scrolling = true;
  requestAnimationFrame(() => { scrolling = false; windowPane.scrollTop = windowPane.scrollHeight; });
}

function showState(state) {
  stateText.textContent = T[state];
  document.body.dataset.state = state;
  document.title = state === "busy" ? `● ${T.title}` : T.title;
  stop.disabled = state !== "busy";
  if (state !== "busy") calm();
}

let owner = {};                     // whose session this is, from `hello`
let service;                        // when the service started that we talked to last

function showWho({ version, safe_mode }) {
  const facts = [owner.user_id && `${T.user} ${owner.user_id}`, owner.session_id,
    version && `Octave ${version}`, safe_mode && T.safe];
  who.textContent = facts.filter(Boolean).join(" · ");
}

function say(text) { notice.textContent = text; notice.hidden = !text; }

function showError(status, error) {
  const where = error.stack.map((f) => T.at(f.line, f.name || f.file)).join("\n");
  const text = status === "aborted" ? T.notRun + error.message : error.message;
  show("error", [text, where].filter(Boolean).join("\n"));
}

// ---------------------------------------------------------------- what the session says

const hear = {
  hello({ session, status, transcript: past }) {
    const { started_at } = status.process;
    if (service && service !== started_at) show("note", T.renewed);   // its past is gone, ours need not be
    else {
      clear();
      if (!past.some(({ params }) => params.eval_id)) show("hint", T.welcome);
      past.forEach(({ method, params }) => hear[method]?.(params));
    }
    service = started_at;
    owner = session;
    showWho(status.interpreter);
    showState(status.state);
    say(wasLost ? T.back : "");
    if (wasLost) setTimeout(() => { if (notice.textContent === T.back) say(""); }, 3000);
    wasLost = false;
  },
  busy({ eval_id, code }) { if (eval_id) show("command", code); showState("busy"); },
  output({ text }) { print(text); },
  missed({ characters }) { show("note", T.missed(characters)); },
  idle({ status, error }) {
    output = null;
    if (status === "interrupted") show("note", T.interrupted);
    else if (error && status !== "died") showError(status, error);   // `exited` tells of a death
    showState("idle");
  },
  ready(interpreter) {
    showWho(interpreter);
    if (interpreter.safe_mode) show("note", T.safeMode);
  },
  exited(params) { show("note", T.exited(params)); showState("down"); },
};

// ---------------------------------------------------------------- the connection

let socket, retry = 0, nextId = 1, wasLost = false;
const answers = new Map();

function connect() {
  const address = new URL("ws?transcript=1", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.method) { retry = 0; hear[message.method]?.(message.params); return; }
    const answered = answers.get(message.id);
    answers.delete(message.id);
    if (message.error) show("error", message.error.message);
    else answered?.(message.result);
  };
  socket.onclose = () => {
    answers.clear();
    showState("connecting");
    say(T.lost);
    wasLost = true;
    setTimeout(connect, Math.min(LONGEST_RETRY, 250 * 2 ** retry++));
  };
}

function call(method, params = {}, answered = undefined) {
  if (socket.readyState !== WebSocket.OPEN) return false;
  const id = nextId++;
  answers.set(id, answered);
  socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  return true;
}

// ---------------------------------------------------------------- what the person does

let stuckTimer;

function interrupt() {
  if (stop.disabled) return;
  if (stop.dataset.force) { call("restart"); calm(); return; }
  call("interrupt");
  stuckTimer ??= setTimeout(() => { stop.dataset.force = "1"; stop.textContent = T.force; say(T.stuck); }, STUCK_AFTER);
}

function calm() {                   // the command reacted: Stop is Stop again
  clearTimeout(stuckTimer);
  stuckTimer = undefined;
  if (stop.dataset.force) say("");
  delete stop.dataset.force;
  stop.textContent = T.stop;
}

let sureTimer;

function askOrRestart() {           // no confirm(): browsers suppress it in an iframe of another site
  clearTimeout(sureTimer);
  if (restart.textContent === T.sure) { restart.textContent = T.restart; call("restart"); return; }
  restart.textContent = T.sure;
  sureTimer = setTimeout(() => { restart.textContent = T.restart; }, SURE_FOR);
}

const commands = readCommands();
let place = commands.length, draft = "";

function run() {
  const code = command.value;
  if (!code.trim()) { show("command", ""); command.value = ""; return; }
  if (/^\s*clc\s*;?\s*$/.test(code)) clear();
  else if (!call("eval", { code })) return;                // not connected: the text stays where it is
  if (commands.at(-1) !== code) commands.push(code);
  commands.splice(0, commands.length - KEPT_COMMANDS);
  keepCommands();
  [place, draft, command.value, following] = [commands.length, "", "", true];
  fit();
  scroll();
}

function readCommands() {           // an iframe of another site may be refused a memory of its own
  try { return JSON.parse(localStorage.getItem("commands")) ?? []; } catch { return []; }
}

function keepCommands() {
  try { localStorage.setItem("commands", JSON.stringify(commands)); } catch { /* until the page is closed, then */ }
}

function recall(step) {             // as in MATLAB: only commands that begin like what was typed
  if (place === commands.length) draft = command.value;
  let next = place + step;
  while (next >= 0 && next < commands.length && !commands[next].startsWith(draft)) next += step;
  if (next < 0) return;
  place = Math.min(next, commands.length);
  command.value = place === commands.length ? draft : commands[place];
  command.setSelectionRange(command.value.length, command.value.length);
  fit();
}

function fit() { command.style.height = "auto"; command.style.height = `${command.scrollHeight}px`; }

command.addEventListener("input", () => { place = commands.length; fit(); });
command.addEventListener("keydown", (event) => {
  const before = command.value.slice(0, command.selectionStart), after = command.value.slice(command.selectionEnd);
  if (event.isComposing) return;                           // an input method is choosing characters
  if (event.key === "Enter" && !event.shiftKey) run();
  else if (event.key === "ArrowUp" && !before.includes("\n")) recall(-1);
  else if (event.key === "ArrowDown" && !after.includes("\n")) recall(1);
  else if (event.key === "Escape") { command.value = ""; place = commands.length; fit(); }
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey || event.altKey || event.metaKey) return;
  const selected = String(getSelection()) || command.selectionStart !== command.selectionEnd;
  if (event.key === "c" && !selected) interrupt();         // with a selection Ctrl-C copies
  else if (event.key === "l") clear();
  else return;
  event.preventDefault();
});
windowPane.addEventListener("mouseup", () => { if (!String(getSelection())) command.focus(); });
form.addEventListener("submit", (event) => event.preventDefault());
stop.addEventListener("click", () => { interrupt(); command.focus(); });
restart.addEventListener("click", () => { askOrRestart(); command.focus(); });

document.documentElement.lang = LANGUAGE;
restart.textContent = T.restart;
stop.title = T.stopHint;
restart.title = T.restartHint;
showState("connecting");
connect();
