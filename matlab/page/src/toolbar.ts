// The bar at the top: what the session is doing, Stop and Restart, whose it is, and how much it uses.
import type { Connection } from "./connection";
import { $ } from "./dom";
import type { Interpreter, State, Status } from "./protocol";
import { otherLanguage, speak, words } from "./words";

const STUCK_AFTER = 3000; // ms without a reaction to Stop
const SURE_FOR = 4000; // ms in which the second click on Restart counts
const LOOK_EVERY = 3000; // ms between looks at memory and processors

export class Toolbar {
  private state: State | "connecting" = "connecting";
  private since = 0;
  private owner: { user_id?: string; session_id?: string } = {};
  private interpreter?: Interpreter;
  private forcing = false;
  private sure = false;
  private stuckTimer = 0;
  private sureTimer = 0;
  private readonly stop = $<HTMLButtonElement>("stop");
  private readonly restart = $<HTMLButtonElement>("restart");

  constructor(private readonly connection: Connection, private readonly say: (text: string) => void) {
    connection.on("hello", ({ session, status }) => {
      this.owner = session;
      this.interpreter = status.interpreter;
      this.enter(status.state, Date.now());
      void this.look();
    });
    connection.on("busy", () => this.enter("busy", Date.now()));
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
    setInterval(() => { if (!document.hidden) void this.look(); }, LOOK_EVERY);
    speak(() => this.draw());
  }

  get busy(): boolean { return this.state === "busy"; }

  lost(): void { this.enter("connecting"); }

  /** Ctrl-C; the second time, if the first was not heard, a restart. */
  interrupt(): void {
    if (!this.busy) return;
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

  private enter(state: State | "connecting", since = 0): void {
    this.state = state;
    this.since = since;
    if (!this.busy) this.calm();
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
    document.body.dataset.state = this.state;
    document.title = this.busy ? `● ${words().title}` : words().title;
    $("state").textContent = words()[this.state];
    this.stop.disabled = !this.busy;
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

  private async look(): Promise<void> {
    if (!this.connection.open) return;
    const status = await this.connection.call("status", {}).catch(() => null);
    if (status) this.drawLoad(status);
  }

  private drawLoad(_status: Status): void {}
}
