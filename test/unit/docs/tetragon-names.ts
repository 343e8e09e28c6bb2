/**
 * Names of Tetragon (main of August 2026): the flags of its agent, and its metrics. The names of its protocol are in
 * proto/tetragon, and the fields of policies in lib/policy/language.
 */

const split = (text: string): readonly string[] => text.trim().split(/\s+/);

export const FLAGS = split(`
  bpf-dir bpf-lib btf cgroup-rate cluster-name config-dir cpuprofile cri-endpoint data-cache-size debug
  disable-kprobe-multi enable-ancestors enable-cgidmap enable-cgidmap-debug enable-cgtrackerid enable-cri
  enable-deprecated-tracingpolicy-grpc enable-export-aggregation enable-k8s-api enable-msg-handling-latency
  enable-pid-set-filter enable-pod-annotations enable-pod-info enable-policy-filter enable-policy-filter-cgroup-map
  enable-policy-filter-debug enable-process-cred enable-process-environment-variables enable-process-ns
  enable-tracing-policy-crd event-cache-retries event-cache-retry-delay event-queue-size execve-map-entries
  execve-map-size export-aggregation-buffer-size export-aggregation-window-size export-allowlist export-denylist
  export-file-compress export-file-max-backups export-file-max-size-mb export-file-perm export-file-rotation-interval
  export-filename export-rate-limit expose-stack-addresses field-filters filter-environment-variables
  force-large-progs force-small-progs generate-docs gops-address health-server-address health-server-interval
  k8s-controlplane-retry k8s-kubeconfig-path keep-sensors-on-exit kernel log-file log-format log-level memprofile
  metrics-label-filter metrics-server netns-dir parents-map-enabled parents-map-entries parents-map-size
  persist-grpc-policies persist-grpc-policies-dir pprof-address process-cache-gc-interval process-cache-size procfs
  rb-queue-size rb-size rb-size-total redaction-filters release-pinned-bpf retprobes-cache-size server-address
  tracing-policy tracing-policy-dir use-perf-ring-buffer username-metadata verbose
`);

export const METRICS = split(`
  bpf_missed_events_total build_info cri_cgidmap_resolutions_errors_total cri_cgidmap_resolutions_total
  data_cache_capacity data_cache_evictions_total data_cache_misses_total data_cache_size data_event_size
  data_events_total enforcer_missed_notifications_total errors_total event_cache_entries event_cache_errors_total
  event_cache_fetch_failures_total event_cache_fetch_retries_total event_cache_inserts_total
  events_exported_bytes_total events_exported_total events_last_exported_timestamp
  events_missing_process_info_total events_total export_ratelimit_events_dropped_total flags_total
  generic_kprobe_merge_errors_total generic_kprobe_merge_ok_total generic_kprobe_merge_pushed_total
  handler_errors_total handling_latency map_capacity map_entries map_errors_delete_total map_errors_update_total
  missed_link_probes_total missed_prog_probes_total msg_op_total notify_overflowed_events_total
  observer_ringbuf_errors_total observer_ringbuf_events_lost_total observer_ringbuf_events_received_total
  observer_ringbuf_queue_events_lost_total observer_ringbuf_queue_events_received_total overhead_program_runs_total
  overhead_program_seconds_total policy_events_total policyfilter_hook_container_image_missing_total
  policyfilter_hook_container_name_missing_total policyfilter_operations_total process_cache_capacity
  process_cache_evictions_total process_cache_misses_total process_cache_size process_loader_stats syscalls_total
  tracingpolicy_kernel_memory_bytes tracingpolicy_loaded watcher_delete_pod_cache_hits watcher_errors_total
  watcher_events_total
`).map((name) => `tetragon_${name}`);
