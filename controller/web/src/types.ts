// What the API answers, as far as the dashboard reads it: the shapes of controller/*shapes.py by their names there.

type Truth = "True" | "False" | "Unknown";
type Phase = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

export interface Condition {
  type: "Ready" | "Reconciling" | "Stalled" | "Degraded" | "WebReady" | "SessionReady" | "Busy" | "Enclosed" | "WithinQuota";
  status: Truth;
  reason: string;
  message: string;
  since: string | null;
}

interface Asked { generation: number; at: string; writer: string }

interface Usage { cpu_percent: number; memory: number; memory_limit: number }

export interface User {
  user_id: number;
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
      id: string; name: string; phase: Phase; started_at: string | null; exit_code: number; oom_killed: boolean;
      image: string; cpus: number; memory: number; session_id: string | null; data_folder: string;
      deferred: string[]; node: null | { name: string; address: string; lost: string; leaving: boolean; id: string };
    };
    session: null | { state: string; since: string | null };
    usage: Usage | null;
    disk: null | { size: number; complete: boolean; quota: number | null; over_since: string | null };
  };
  progress: { settled: boolean; doing: string; error: string; hint: string; next_try: string | null };
  conditions: Condition[];
  why: string;
  paused: boolean;
  asked: Asked | null;
}

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
    git: null | { branch: string; path: string; write: boolean; fetched_at: string | null; error: string };
  };
  paused: boolean;
  pending: Pending | null;
  policy: { exceeded: string };
  engine: { reachable: boolean; version: string; last_seen: string | null; error: string; open: string };
  queue: { queued: number; starting: number; backing_off: number };
}

export interface Happened {
  id: number; at: string; kind: "wish" | "conflict" | "brake" | "action" | "token" | "node" | "session" | "engine" | "webhook"; reason: string; message: string;
  user_id: number | null; generation: number | null; container: string | null; writer: string; request_id?: string;
}

export interface Sample { at: string; users: Record<string, [cpuPercent: number, memoryBytes: number]> }

export interface EntryChange { user_id: number | null; before: string | null; after: string | null }

export interface Step { user_id: number; action: string; reason: string; [more: string]: unknown }

export interface DesiredText { generation: number; text: string; refused: string | null; waiting: string | null }

export interface Planned { generation: number; actions: Step[]; changes: EntryChange[]; problems: Problem[]; held: string }

export interface GenerationTold { generation: number; at: string; writer: string; summary: string; in_force: boolean }

export interface OneGeneration extends GenerationTold { text: string; changes: EntryChange[] | null }

export interface SwarmNode {
  id: string; name: string; address: string; role: string; state: string; availability: string; updated_at: string | null; leaving_since: string | null;
  labels: Record<string, string>; cpus: number; memory: number; reserved_cpus: number; reserved_memory: number; sessions: number[];
}

export interface SwarmNodes { nodes: SwarmNode[]; moving: number[]; waiting: number[]; moves_at_once: number }
