// The controller's words for programs, as people say them: types and reasons of conditions, kinds and reasons of events.
import type { Condition } from "./types";
import { words } from "./words";

export const conditionWords = words<Record<Condition["type"], string>>(
  {
    Ready: "Ready", Reconciling: "Reconciling", Stalled: "Stalled", Degraded: "Degraded", WebReady: "Page", SessionReady: "Interpreter",
    Busy: "Busy", Enclosed: "Enclosed", WithinQuota: "Within quota",
  },
  {
    Ready: "就绪", Reconciling: "收敛中", Stalled: "卡住", Degraded: "降级", WebReady: "页面", SessionReady: "解释器",
    Busy: "忙碌", Enclosed: "隔离", WithinQuota: "配额内",
  },
);

export const reasonWords = words<Record<string, string>>(
  {
    SafeMode: "Safe mode", InterpreterDown: "Interpreter down", NetworkOpen: "Network open", NodeLost: "Node lost", Deferred: "From the next start on", Changed: "Changed by hand", MadeOtherwise: "Older version",
    DiskQuotaExceeded: "Over quota", Recovering: "Recovering", Paused: "Paused",
  },
  {
    SafeMode: "安全模式", InterpreterDown: "解释器已退出", NetworkOpen: "网络未隔离", NodeLost: "节点失联", Deferred: "下次启动起生效", Changed: "被手工改动", MadeOtherwise: "旧版本创建",
    DiskQuotaExceeded: "超出配额", Recovering: "恢复中", Paused: "已暂停",
  },
);

export const eventWords = words<Record<string, string>>(
  {
    Added: "declared", Changed: "changed", Removed: "taken out", DefaultChanged: "default changed", Paused: "paused", Resumed: "resumed", Begun: "begun",
    Refused: "file refused", Merged: "two writers met", Held: "held", Approved: "approved", Rejected: "rejected", Withdrawn: "withdrawn",
    ActionDone: "done", ActionFailed: "failed", Ready: "ready", NotReady: "not ready", OverQuota: "over quota", WithinQuota: "within quota",
    Lost: "lost", Reached: "reached", Open: "network open", Enclosed: "network closed", TokenMade: "made", TokenRevoked: "revoked",
    GaveUp: "given up", Draining: "to be empty", Activated: "takes sessions", Fenced: "switched off", NotFenced: "not switched off",
  },
  {
    Added: "已声明", Changed: "已更改", Removed: "已移除", DefaultChanged: "默认值已更改", Paused: "已暂停", Resumed: "已继续", Begun: "已开始",
    Refused: "文件被拒", Merged: "两处写入相遇", Held: "被拦下", Approved: "已批准", Rejected: "已拒绝", Withdrawn: "已撤回",
    ActionDone: "已完成", ActionFailed: "失败", Ready: "就绪", NotReady: "未就绪", OverQuota: "超出配额", WithinQuota: "回到配额内",
    Lost: "失去联系", Reached: "已连上", Open: "网络开放", Enclosed: "网络封闭", TokenMade: "已创建", TokenRevoked: "已吊销",
    GaveUp: "已放弃", Draining: "正在清空", Activated: "接收会话", Fenced: "已断电", NotFenced: "未能断电",
  },
);
