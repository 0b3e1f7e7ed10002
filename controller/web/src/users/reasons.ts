// The controller's words for programs, as people say them: types and reasons of conditions, kinds and reasons of events.
import type { Condition } from "../types";
import { words } from "../words";

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
    SafeMode: "Safe mode", InterpreterDown: "Interpreter down", NetworkOpen: "Network open", Changed: "Changed by hand", MadeOtherwise: "Older version",
    DiskQuotaExceeded: "Over quota", Recovering: "Recovering", Paused: "Paused",
  },
  {
    SafeMode: "安全模式", InterpreterDown: "解释器已退出", NetworkOpen: "网络未隔离", Changed: "被手工改动", MadeOtherwise: "旧版本创建",
    DiskQuotaExceeded: "超出配额", Recovering: "恢复中", Paused: "已暂停",
  },
);
