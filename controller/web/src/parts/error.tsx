// A call that went wrong, in the controller's own words, with the number under which its log has more.
import { Refused } from "../api";
import { said, words } from "../words";
import { Icon } from "./icon";

const t = words(
  { unreachable: "The controller cannot be reached.", again: "Try again", request: "Request" },
  { unreachable: "无法连接控制器。", again: "重试", request: "请求编号" },
);

export function errorWords(error: unknown): { sentence: string; details: string; request: string } {
  if (!(error instanceof Refused)) return { sentence: String(error), details: "", request: "" };
  const sentence = error.status ? error.body.error : t.value.unreachable;
  return { sentence: said(sentence), details: said(error.body.details ?? ""), request: error.body.request_id ?? "" };
}

export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  const { sentence, details, request } = errorWords(error);
  return (
    <div class="error-note" role="alert">
      <Icon name="failed" />
      <div>
        <div>{sentence}</div>
        {details && <div class="soft">{details}</div>}
        {request && <div class="soft">{t.value.request} <code>{request}</code></div>}
      </div>
      {retry && <button type="button" onClick={retry}>{t.value.again}</button>}
    </div>
  );
}
