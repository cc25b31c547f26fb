/**
 * A run as `GET /api/runs` tells it (`hub/state.py`): the same facts, the same names.
 */

import type { RunStatus } from "./model";

export interface ClientState {
  readonly client_id: string;
  readonly status: "waiting" | "training" | "sent" | "failed" | "finished";
  readonly round: number;
  readonly local_epoch: number;
  readonly step: number | null;
  readonly total_steps: number | null;
  readonly sent: boolean;
  readonly failed: boolean;
  readonly error: string | null;
  readonly started: string | null;
  readonly last_seen: string | null;
  readonly durations: readonly number[];
}

export interface RunState {
  readonly run_id: string;
  readonly experiment_name: string;
  readonly mode: string;
  readonly status: RunStatus;
  readonly sentence: string;
  readonly detail_sentence: string;
  readonly attempt: number;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly updated_at: string | null;
  readonly epoch: number;
  readonly total_epochs: number | null;
  readonly step: number | null;
  readonly total_steps: number | null;
  readonly round: number;
  readonly total_rounds: number | null;
  readonly num_clients: number | null;
  readonly clients: readonly ClientState[];
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly metrics_at: number | null;
  readonly best: { readonly metric: string; readonly value: number; readonly at: number } | null;
  readonly final_metrics: Readonly<Record<string, number | string | null>> | null;
  readonly error: string | null;
  readonly phantom: boolean;
  readonly name: string;
  readonly tags: readonly string[];
  readonly notes: string;
  readonly hears_cancel: boolean;
  readonly cancel_asked: string | null;
  readonly key_series: readonly (readonly [number, number | null])[];
  readonly n: number | null;
}
