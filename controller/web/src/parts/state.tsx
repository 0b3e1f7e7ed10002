// A user's state as a pill: the word, its drawing and its colour, the same wherever a user is shown.
import type { Standing, State } from "../standing";
import { said, words } from "../words";
import type { IconName } from "./icon";
import { Pill, type Tone } from "./pill";
import { Until } from "./time";

export const stateWords = words<Record<State, string>>(
  {
    ready: "Ready", busy: "Busy", degraded: "Degraded", starting: "Starting", stopping: "Stopping", waiting: "Waiting",
    paused: "Paused", failed: "Failed", stuck: "Stuck", stopped: "Stopped", unknown: "Unknown",
  },
  {
    ready: "就绪", busy: "忙碌", degraded: "降级", starting: "启动中", stopping: "停止中", waiting: "等待中",
    paused: "已暂停", failed: "失败", stuck: "卡住", stopped: "已停止", unknown: "未知",
  },
);

export const LOOKS: Record<State, { tone: Tone; icon: IconName }> = {
  ready: { tone: "good", icon: "ready" },
  busy: { tone: "good", icon: "busy" },
  degraded: { tone: "warn", icon: "warn" },
  starting: { tone: "working", icon: "working" },
  stopping: { tone: "working", icon: "working" },
  waiting: { tone: "warn", icon: "waiting" },
  paused: { tone: "off", icon: "pause" },
  failed: { tone: "bad", icon: "failed" },
  stuck: { tone: "bad", icon: "alarm" },
  stopped: { tone: "off", icon: "stop" },
  unknown: { tone: "off", icon: "unknown" },
};

export function StatePill({ standing }: { standing: Standing }) {
  const { tone, icon } = LOOKS[standing.state];
  return (
    <Pill tone={tone} icon={icon} title={said(standing.detail) || undefined}>
      {stateWords.value[standing.state]}
      {standing.next && <> · <Until at={standing.next} /></>}
    </Pill>
  );
}
