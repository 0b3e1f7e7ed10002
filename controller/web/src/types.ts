// What the API answers, as far as the dashboard reads it: the shapes of controller/shapes.py by their names there.

export type Truth = "True" | "False" | "Unknown";
export type Phase = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

export interface Condition {
  type: "Ready" | "Reconciling" | "Stalled" | "Degraded" | "WebReady" | "SessionReady" | "Busy" | "Enclosed" | "WithinQuota";
  status: Truth;
  reason: string;
  message: string;
  since: string | null;
  observed_generation: number;
}

export interface Asked { generation: number; at: string; writer: string }

export interface Usage { cpu_percent: number; memory: number; memory_limit: number; sampled_at: string }

export interface User {
  user_id: number;
  container_id: string;
  addresses: { host: string; http_port: number; ws_port: number };
  access_url: string | null;
  ws_url: string | null;
  desired: null | {
    state: "running" | "stopped";
    profile: string;
    session_id: string | null;
    restart_at: string | null;
    paused: boolean;
    resources: { image: string; cpus: number; memory: number } | null;
  };
  observed: {
    status: Phase | null;
    observed_at: string | null;
    stale?: true;
    container: null | {
      id: string; name: string; phase: Phase; created_at: string; started_at: string | null; exit_code: number; oom_killed: boolean;
      error: string; image: string; cpus: number; memory: number; session_id: string | null; data_folder: string;
    };
    services: { web: Service; websocket: Service; checked_at: string | null; ready_since: string | null; detail: string };
    session: null | { state: string; since: string | null; last_activity: string; interpreter: string; restarts: number; safe_mode: boolean };
    usage: Usage | null;
    disk: null | { size: number; complete: boolean; quota: number | null; over_since: string | null; measured_at: string };
  };
  progress: {
    passes: number; generation: number; settled: boolean; doing: string; last: string; error: string; code: string; hint: string;
    permanent: boolean; failures: number; failing_since: string | null; next_try: string | null;
  };
  conditions: Condition[];
  why: string;
  paused: boolean;
  asked: Asked | null;
  generation: number;
}

export type Service = "healthy" | "unhealthy" | "unknown";

export interface Problem { line: number; column: number; message: string }

export interface Pending {
  id: string; since: string; source: string; writer: string; removes: number[]; stops: number[]; remakes: number[]; why: string;
}

export interface Status {
  version: string;
  instance: string;
  generation: number;
  desired_state: {
    source: string; valid: boolean; problems: Problem[]; since: string;
    git: null | { state: string; url: string; branch: string; path: string; write: boolean; in_force: string | null; fetched_at: string | null; error: string };
  };
  paused: boolean;
  pending: Pending | null;
  policy: { standing: string; exceeded: string };
  engine: { reachable: boolean; version: string; last_seen: string | null; error: string; open: string; stale?: true; age_seconds?: number | null };
  queue: { queued: number; working: number; starting: number; backing_off: number; resyncs: number; resync_ms: number };
  users: { declared: number; containers: number; running: number; ready: number };
}

export interface Happened {
  id: number; at: string; kind: "wish" | "conflict" | "brake" | "action" | "token" | "session" | "engine"; reason: string; message: string;
  user_id: number | null; generation: number | null; container: string | null; writer: string; before: number | null; request_id?: string;
}

export interface Sample { at: string; users: Record<string, [cpuPercent: number, memoryBytes: number]> }

export interface EntryChange { user_id: number | null; before: string | null; after: string | null }

export interface Step { user_id: number; action: string; reason: string; [more: string]: unknown }

export interface DesiredText { generation: number; text: string; refused: string | null; waiting: string | null }

export interface Planned { generation: number; actions: Step[]; changes: EntryChange[]; problems: Problem[]; held: string }

export interface GenerationTold { generation: number; at: string; writer: string; summary: string; in_force: boolean }

export interface OneGeneration extends GenerationTold { text: string; changes: EntryChange[] | null }
