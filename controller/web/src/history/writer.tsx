// Who wrote a generation, in a person's words: the controller keeps it as one line (`api <request id>, token ci, from …`).
import { words } from "../words";

const t = words(
  {
    api: "API call", dashboard: "Dashboard", matlabctl: (who: string) => `matlabctl, by ${who}`, file: "Edit of the file",
    start: "Found at the start", commit: (id: string, who: string) => `Commit ${id} by ${who}`, token: (name: string) => `token ${name}`,
    from: (address: string) => `from ${address}`, rollback: (to: string) => `rollback to ${to}`, approved: (by: string) => `approved: ${by}`,
  },
  {
    api: "API 调用", dashboard: "管理界面", matlabctl: (who: string) => `matlabctl（${who}）`, file: "编辑文件",
    start: "启动时发现", commit: (id: string, who: string) => `提交 ${id}（${who}）`, token: (name: string) => `令牌 ${name}`,
    from: (address: string) => `来自 ${address}`, rollback: (to: string) => `回滚到第 ${to} 代`, approved: (by: string) => `批准：${by}`,
  },
);

const APPROVED = ", approved by ";
const API = /^api (\S+?)(?:, token ([\w.-]+))?(?:, ((?:user|uid) [^,]+))?(?:, from ([0-9A-Fa-f.:]+))?(?:, rollback to (\d+))?$/;

/** The id of the call that wrote it, where one did. */
export function requestOf(writer: string): string | null {
  return API.exec(writer.split(APPROVED)[0]!)?.[1] ?? null;
}

export function tellWriter(writer: string): string {
  const at = writer.lastIndexOf(APPROVED);
  if (at >= 0) return [tellWriter(writer.slice(0, at)), t.value.approved(tellWriter(writer.slice(at + APPROVED.length)))].join("; ");
  if (writer === "file" || writer === "start") return t.value[writer];
  const commit = /^commit ([0-9a-f]+) by (.*)$/.exec(writer);
  if (commit) return t.value.commit(commit[1]!.slice(0, 10), commit[2]!.replace(/\s*<.*>$/, ""));
  const call = API.exec(writer);
  if (!call) return writer;
  const [, request = "", token, hand, address, rollback] = call;
  const by = /^matlabctl:(.+):[^:]+$/.exec(request)?.[1];
  const program = by ? t.value.matlabctl(by) : request.startsWith("dashboard:") ? t.value.dashboard : t.value.api;
  const more = [rollback && t.value.rollback(rollback), token && t.value.token(token), !by && hand, address && t.value.from(address)];
  return [program, ...more.filter(Boolean)].join(", ");
}
