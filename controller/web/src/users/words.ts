// Words that several parts of this view say.
import { words } from "../words";

export const t = words(
  {
    title: "Users",
    user: "User", users: (count: number) => (count === 1 ? "1 user" : `${count} users`), state: "State", notes: "What stands out", session: "Session",
    profile: "Profile", uptime: "Uptime", cpu: "CPU", memory: "Memory", disk: "Disk", needs: "Needs attention",
    open: "Open the session", more: "More", details: "Details",
    start: "Start", stop: "Stop", restart: "Restart", destroy: "Destroy", pause: "Pause", resume: "Resume", change: "Change profile",
    paused: "Paused: the controller leaves it alone",
    none: "–", notDeclared: "not declared",
    idle: "idle", busy: "busy", last: "last seen:", nothing: "no container", never: "never",
  },
  {
    title: "用户",
    user: "用户", users: (count: number) => `${count} 位用户`, state: "状态", notes: "需留意", session: "会话",
    profile: "配置档", uptime: "已运行", cpu: "CPU", memory: "内存", disk: "磁盘", needs: "需要处理",
    open: "打开会话", more: "更多", details: "详情",
    start: "启动", stop: "停止", restart: "重启", destroy: "销毁", pause: "暂停", resume: "恢复", change: "更换配置档",
    paused: "已暂停：控制器不触碰它",
    none: "–", notDeclared: "未声明",
    idle: "空闲", busy: "忙碌", last: "最后所知：", nothing: "没有容器", never: "从未见到",
  },
);
