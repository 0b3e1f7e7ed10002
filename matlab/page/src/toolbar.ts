// The bar at the top: what the session is doing, Stop and Restart, whose it is, and how much it uses.
import type { Connection } from "./connection";
import { $ } from "./dom";
import { readable } from "./folder";
import type { Asking, Interpreter, State, Status, Usage } from "./protocol";
import { otherLanguage, speak, words } from "./words";

const STUCK_AFTER = 3000; // ms without a reaction to Stop
const SURE_FOR = 4000; // ms in which the second click on Restart counts

export class Toolbar {
  private state: State | "connecting" = "connecting";
  private since = 0;
  private asks: Asking | null = null;
  private worked: { seconds: number; at: number } | null = null;
  private owner: { user_id?: string; session_id?: string } = {};
  private interpreter?: Interpreter;
  private hangs = false; // on a question of some page's: commands wait, and none runs
  private forcing = false;
  private sure = false;
  private stuckTimer = 0;
  private sureTimer = 0;
  private readonly stop = $<HTMLButtonElement>("stop");
  private readonly restart = $<HTMLButtonElement>("restart");

  /** `prompt`: what a command that asks has printed last. */
  constructor(
    private readonly connection: Connection, private readonly say: (text: string) => void, private readonly prompt: () => string,
  ) {
    connection.on("hello", ({ session, status }) => {
      this.owner = session;
      this.interpreter = status.interpreter;
      this.enter(status.state, Date.now());
      this.ask(status.asks);
    });
    connection.on("busy", () => this.enter("busy", Date.now()));
    connection.on("input_request", (asking) => this.ask(asking));
    connection.on("output", () => { if (this.asks) this.ask(null); }); // someone answered: all see the answer
    connection.on("idle", () => this.enter("idle"));
    connection.on("exited", () => this.enter("down"));
    connection.on("ready", (interpreter) => {
      this.interpreter = interpreter;
      this.draw();
    });
    this.stop.onclick = () => this.interrupt();
    this.restart.onclick = () => this.askOrRestart();
    $("language").onclick = otherLanguage;
    setInterval(() => this.drawElapsed(), 1000);
    speak(() => this.draw());
  }

  get busy(): boolean { return this.state === "busy"; }
  get stoppable(): boolean { return this.busy || this.hangs; }

  lost(): void { this.enter("connecting"); }

  /** Ctrl-C; the second time, if the first was not heard, a restart. */
  interrupt(): void {
    if (!this.stoppable) return;
    if (this.forcing) {
      this.connection.call("restart", {}).catch(() => {});
      this.calm();
      return;
    }
    this.connection.call("interrupt", {}).catch(() => {});
    this.stuckTimer ||= setTimeout(() => {
      this.forcing = true;
      this.say(words().stuck);
      this.draw();
    }, STUCK_AFTER);
  }

  /** A command waits for an answer of the person; null: no longer. */
  ask(asking: Asking | null): void {
    this.asks = asking;
    this.draw();
  }

  get asking(): Asking | null { return this.asks; }

  /** At what the session says of itself from time to time. */
  look({ state, waiting, usage }: Status): void {
    const hung = this.hangs;
    this.hangs = state === "idle" && waiting > 0;
    if (hung !== this.hangs) this.draw();
    this.showUsage(usage);
  }

  private showUsage({ memory, memory_limit, cpu_seconds, cpus }: Usage): void {
    const now = performance.now() / 1000;
    const share = cpu_seconds !== null && this.worked && now > this.worked.at
      ? Math.min(1, Math.max(0, (cpu_seconds - this.worked.seconds) / (now - this.worked.at) / cpus)) : 0;
    this.worked = cpu_seconds === null ? null : { seconds: cpu_seconds, at: now };
    $("load").hidden = memory === null;
    if (memory === null) return;
    const percent = `${Math.round(100 * share)} %`;
    $<HTMLMeterElement>("memory").value = memory_limit ? memory / memory_limit : 0;
    $<HTMLMeterElement>("cpu").value = share;
    $("memory-text").textContent = readable(memory);
    $("cpu-text").textContent = percent;
    $("load").title = words().loadHint(memory_limit ? `${readable(memory)} / ${readable(memory_limit)}` : readable(memory), percent);
  }

  private enter(state: State | "connecting", since = 0): void {
    this.state = state;
    this.since = since;
    this.hangs = false;
    this.calm();
    if (!this.busy) this.asks = null;
    this.draw();
  }

  /** The command reacted: Stop is Stop again. */
  private calm(): void {
    clearTimeout(this.stuckTimer);
    this.stuckTimer = 0;
    if (this.forcing) this.say("");
    this.forcing = false;
  }

  private askOrRestart(): void {
    clearTimeout(this.sureTimer);
    this.sure = !this.sure;
    if (this.sure) this.sureTimer = setTimeout(() => { this.sure = false; this.draw(); }, SURE_FOR);
    else this.connection.call("restart", {}).catch(() => {});
    this.draw();
  }

  private draw(): void {
    document.body.dataset.state = this.asks ? "asking" : this.state;
    document.title = this.busy ? `● ${words().title}` : words().title;
    $("state").textContent = !this.asks ? words()[this.state]
      : this.asks.kind === "key" ? words().waitingForKey : words().waitingForInput;
    $("prompt").textContent = this.asks ? this.prompt() : ">>";
    this.stop.disabled = !this.stoppable;
    this.stop.title = this.forcing ? words().forceHint : words().stopHint;
    this.stop.classList.toggle("force", this.forcing);
    $("stop-text").textContent = this.forcing ? words().force : words().stop;
    this.restart.textContent = this.sure ? words().reallyRestart : words().restart;
    this.restart.classList.toggle("danger", this.sure);
    const { version, safe_mode } = this.interpreter ?? {};
    const facts = [
      this.owner.user_id && `${words().user} ${this.owner.user_id}`, this.owner.session_id,
      version && `Octave ${version}`, safe_mode && words().safeMode,
    ].filter(Boolean).join(" · ");
    $("who").textContent = $("who").title = facts;
    this.drawElapsed();
  }

  private drawElapsed(): void {
    const seconds = this.busy && this.since ? Math.floor((Date.now() - this.since) / 1000) : 0;
    const minutes = Math.floor(seconds / 60);
    $("elapsed").textContent = seconds < 2 ? "" : minutes ? `${minutes}:${String(seconds % 60).padStart(2, "0")}` : `${seconds} s`;
  }
}
