/** An independent definition of Tetragon's protocol. It does not use the files of the agent. */

export const PROTOCOL = `syntax = "proto3";
package tetragon;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum CapabilitiesType {
  CAP_CHOWN = 0;
  DAC_OVERRIDE = 1;
  CAP_DAC_READ_SEARCH = 2;
  CAP_FOWNER = 3;
  CAP_FSETID = 4;
  CAP_KILL = 5;
  CAP_SETGID = 6;
  CAP_SETUID = 7;
  CAP_SETPCAP = 8;
  CAP_LINUX_IMMUTABLE = 9;
  CAP_NET_BIND_SERVICE = 10;
  CAP_NET_BROADCAST = 11;
  CAP_NET_ADMIN = 12;
  CAP_NET_RAW = 13;
  CAP_IPC_LOCK = 14;
  CAP_IPC_OWNER = 15;
  CAP_SYS_MODULE = 16;
  CAP_SYS_RAWIO = 17;
  CAP_SYS_CHROOT = 18;
  CAP_SYS_PTRACE = 19;
  CAP_SYS_PACCT = 20;
  CAP_SYS_ADMIN = 21;
  CAP_SYS_BOOT = 22;
  CAP_SYS_NICE = 23;
  CAP_SYS_RESOURCE = 24;
  CAP_SYS_TIME = 25;
  CAP_SYS_TTY_CONFIG = 26;
  CAP_MKNOD = 27;
  CAP_LEASE = 28;
  CAP_AUDIT_WRITE = 29;
  CAP_AUDIT_CONTROL = 30;
  CAP_SETFCAP = 31;
  CAP_MAC_OVERRIDE = 32;
  CAP_MAC_ADMIN = 33;
  CAP_SYSLOG = 34;
  CAP_WAKE_ALARM = 35;
  CAP_BLOCK_SUSPEND = 36;
  CAP_AUDIT_READ = 37;
  CAP_PERFMON = 38;
  CAP_BPF = 39;
  CAP_CHECKPOINT_RESTORE = 40;
}
enum SecureBitsType {
  SecBitNotSet = 0;
  SecBitNoRoot = 1;
  SecBitNoRootLocked = 2;
  SecBitNoSetUidFixup = 4;
  SecBitNoSetUidFixupLocked = 8;
  SecBitKeepCaps = 16;
  SecBitKeepCapsLocked = 32;
  SecBitNoCapAmbientRaise = 64;
  SecBitNoCapAmbientRaiseLocked = 128;
}
enum ProcessPrivilegesChanged {
  PRIVILEGES_CHANGED_UNSET = 0;
  PRIVILEGES_RAISED_EXEC_FILE_CAP = 1;
  PRIVILEGES_RAISED_EXEC_FILE_SETUID = 2;
  PRIVILEGES_RAISED_EXEC_FILE_SETGID = 3;
}
enum BpfCmd {
  BPF_MAP_CREATE = 0;
  BPF_MAP_LOOKUP_ELEM = 1;
  BPF_MAP_UPDATE_ELEM = 2;
  BPF_MAP_DELETE_ELEM = 3;
  BPF_MAP_GET_NEXT_KEY = 4;
  BPF_PROG_LOAD = 5;
  BPF_OBJ_PIN = 6;
  BPF_OBJ_GET = 7;
  BPF_PROG_ATTACH = 8;
  BPF_PROG_DETACH = 9;
  BPF_PROG_TEST_RUN = 10;
  BPF_PROG_GET_NEXT_ID = 11;
  BPF_MAP_GET_NEXT_ID = 12;
  BPF_PROG_GET_FD_BY_ID = 13;
  BPF_MAP_GET_FD_BY_ID = 14;
  BPF_OBJ_GET_INFO_BY_FD = 15;
  BPF_PROG_QUERY = 16;
  BPF_RAW_TRACEPOINT_OPEN = 17;
  BPF_BTF_LOAD = 18;
  BPF_BTF_GET_FD_BY_ID = 19;
  BPF_TASK_FD_QUERY = 20;
  BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21;
  BPF_MAP_FREEZE = 22;
  BPF_BTF_GET_NEXT_ID = 23;
  BPF_MAP_LOOKUP_BATCH = 24;
  BPF_MAP_LOOKUP_AND_DELETE_BATCH = 25;
  BPF_MAP_UPDATE_BATCH = 26;
  BPF_MAP_DELETE_BATCH = 27;
  BPF_LINK_CREATE = 28;
  BPF_LINK_UPDATE = 29;
  BPF_LINK_GET_FD_BY_ID = 30;
  BPF_LINK_GET_NEXT_ID = 31;
  BPF_ENABLE_STATS = 32;
  BPF_ITER_CREATE = 33;
  BPF_LINK_DETACH = 34;
  BPF_PROG_BIND_MAP = 35;
  BPF_TOKEN_CREATE = 36;
}
enum BpfProgramType {
  BPF_PROG_TYPE_UNSPEC = 0;
  BPF_PROG_TYPE_SOCKET_FILTER = 1;
  BPF_PROG_TYPE_KPROBE = 2;
  BPF_PROG_TYPE_SCHED_CLS = 3;
  BPF_PROG_TYPE_SCHED_ACT = 4;
  BPF_PROG_TYPE_TRACEPOINT = 5;
  BPF_PROG_TYPE_XDP = 6;
  BPF_PROG_TYPE_PERF_EVENT = 7;
  BPF_PROG_TYPE_CGROUP_SKB = 8;
  BPF_PROG_TYPE_CGROUP_SOCK = 9;
  BPF_PROG_TYPE_LWT_IN = 10;
  BPF_PROG_TYPE_LWT_OUT = 11;
  BPF_PROG_TYPE_LWT_XMIT = 12;
  BPF_PROG_TYPE_SOCK_OPS = 13;
  BPF_PROG_TYPE_SK_SKB = 14;
  BPF_PROG_TYPE_CGROUP_DEVICE = 15;
  BPF_PROG_TYPE_SK_MSG = 16;
  BPF_PROG_TYPE_RAW_TRACEPOINT = 17;
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18;
  BPF_PROG_TYPE_LWT_SEG6LOCAL = 19;
  BPF_PROG_TYPE_LIRC_MODE2 = 20;
  BPF_PROG_TYPE_SK_REUSEPORT = 21;
  BPF_PROG_TYPE_FLOW_DISSECTOR = 22;
  BPF_PROG_TYPE_CGROUP_SYSCTL = 23;
  BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE = 24;
  BPF_PROG_TYPE_CGROUP_SOCKOPT = 25;
  BPF_PROG_TYPE_TRACING = 26;
  BPF_PROG_TYPE_STRUCT_OPS = 27;
  BPF_PROG_TYPE_EXT = 28;
  BPF_PROG_TYPE_LSM = 29;
  BPF_PROG_TYPE_SK_LOOKUP = 30;
  BPF_PROG_TYPE_SYSCALL = 31;
  BPF_PROG_TYPE_NETFILTER = 32;
}
enum KprobeAction {
  KPROBE_ACTION_UNKNOWN = 0;
  KPROBE_ACTION_POST = 1;
  KPROBE_ACTION_FOLLOWFD = 2;
  KPROBE_ACTION_SIGKILL = 3;
  KPROBE_ACTION_UNFOLLOWFD = 4;
  KPROBE_ACTION_OVERRIDE = 5;
  KPROBE_ACTION_COPYFD = 6;
  KPROBE_ACTION_GETURL = 7;
  KPROBE_ACTION_DNSLOOKUP = 8;
  KPROBE_ACTION_NOPOST = 9;
  KPROBE_ACTION_SIGNAL = 10;
  KPROBE_ACTION_TRACKSOCK = 11;
  KPROBE_ACTION_UNTRACKSOCK = 12;
  KPROBE_ACTION_NOTIFYENFORCER = 13;
  KPROBE_ACTION_CLEANUPENFORCERNOTIFICATION = 14;
  KPROBE_ACTION_SET = 15;
}
enum HealthStatusType {
  HEALTH_STATUS_TYPE_UNDEF = 0;
  HEALTH_STATUS_TYPE_STATUS = 1;
}
enum HealthStatusResult {
  HEALTH_STATUS_UNDEF = 0;
  HEALTH_STATUS_RUNNING = 1;
  HEALTH_STATUS_STOPPED = 2;
  HEALTH_STATUS_ERROR = 3;
}
enum TaintedBitsType {
  TAINT_UNSET = 0;
  TAINT_PROPRIETARY_MODULE = 1;
  TAINT_FORCED_MODULE = 2;
  TAINT_FORCED_UNLOAD_MODULE = 4;
  TAINT_STAGED_MODULE = 1024;
  TAINT_OUT_OF_TREE_MODULE = 4096;
  TAINT_UNSIGNED_MODULE = 8192;
  TAINT_KERNEL_LIVE_PATCH_MODULE = 32768;
  TAINT_TEST_MODULE = 262144;
}
message Image {
  string id = 1;
  string name = 2;
}
message SecurityContext {
  bool privileged = 1;
}
message Container {
  string id = 1;
  string name = 2;
  Image image = 3;
  google.protobuf.Timestamp start_time = 4;
  google.protobuf.UInt32Value pid = 5;
  bool maybe_exec_probe = 13;
  SecurityContext security_context = 14;
}
message Pod {
  string namespace = 1;
  string name = 2;
  string uid = 3;
  Container container = 4;
  map<string, string> pod_labels = 5;
  string workload = 6;
  string workload_kind = 7;
  map<string, string> pod_annotations = 8;
}
message Capabilities {
  repeated CapabilitiesType permitted = 1;
  repeated CapabilitiesType effective = 2;
  repeated CapabilitiesType inheritable = 3;
}
message Namespace {
  uint32 inum = 1;
  bool is_host = 2;
}
message Namespaces {
  Namespace uts = 1;
  Namespace ipc = 2;
  Namespace mnt = 3;
  Namespace pid = 4;
  Namespace pid_for_children = 5;
  Namespace net = 6;
  Namespace time = 7;
  Namespace time_for_children = 8;
  Namespace cgroup = 9;
  Namespace user = 10;
}
message UserNamespace {
  google.protobuf.Int32Value level = 1;
  google.protobuf.UInt32Value uid = 2;
  google.protobuf.UInt32Value gid = 3;
  Namespace ns = 4;
}
message ProcessCredentials {
  google.protobuf.UInt32Value uid = 1;
  google.protobuf.UInt32Value gid = 2;
  google.protobuf.UInt32Value euid = 3;
  google.protobuf.UInt32Value egid = 4;
  google.protobuf.UInt32Value suid = 5;
  google.protobuf.UInt32Value sgid = 6;
  google.protobuf.UInt32Value fsuid = 7;
  google.protobuf.UInt32Value fsgid = 8;
  repeated SecureBitsType securebits = 9;
  Capabilities caps = 10;
  UserNamespace user_ns = 11;
}
message InodeProperties {
  uint64 number = 1;
  google.protobuf.UInt32Value links = 2;
}
message FileProperties {
  InodeProperties inode = 1;
  string path = 2;
}
message BinaryProperties {
  google.protobuf.UInt32Value setuid = 1;
  google.protobuf.UInt32Value setgid = 2;
  repeated ProcessPrivilegesChanged privileges_changed = 3;
  FileProperties file = 4;
}
message UserRecord {
  string name = 1;
}
message EnvVar {
  string Key = 1;
  string Value = 2;
}
message Process {
  string exec_id = 1;
  google.protobuf.UInt32Value pid = 2;
  google.protobuf.UInt32Value uid = 3;
  string cwd = 4;
  string binary = 5;
  string arguments = 6;
  string flags = 7;
  google.protobuf.Timestamp start_time = 8;
  google.protobuf.UInt32Value auid = 9;
  Pod pod = 10;
  string docker = 11;
  string parent_exec_id = 12;
  uint32 refcnt = 13;
  Capabilities cap = 14;
  Namespaces ns = 15;
  google.protobuf.UInt32Value tid = 16;
  ProcessCredentials process_credentials = 17;
  BinaryProperties binary_properties = 18;
  UserRecord user = 19;
  google.protobuf.BoolValue in_init_tree = 20;
  repeated EnvVar environment_variables = 21;
}
message ProcessExec {
  Process process = 1;
  Process parent = 2;
  repeated Process ancestors = 3;
}
message ProcessExit {
  Process process = 1;
  Process parent = 2;
  string signal = 3;
  uint32 status = 4;
  google.protobuf.Timestamp time = 5;
  repeated Process ancestors = 6;
}
message KprobeSock {
  string family = 1;
  string type = 2;
  string protocol = 3;
  uint32 mark = 4;
  uint32 priority = 5;
  string saddr = 6;
  string daddr = 7;
  uint32 sport = 8;
  uint32 dport = 9;
  uint64 cookie = 10;
  string state = 11;
}
message KprobeSkb {
  uint32 hash = 1;
  uint32 len = 2;
  uint32 priority = 3;
  uint32 mark = 4;
  string saddr = 5;
  string daddr = 6;
  uint32 sport = 7;
  uint32 dport = 8;
  uint32 proto = 9;
  uint32 sec_path_len = 10;
  uint32 sec_path_olen = 11;
  string protocol = 12;
  string family = 13;
}
message KprobeSockaddr {
  string family = 1;
  string addr = 2;
  uint32 port = 3;
}
message KprobeSockaddrUn {
  string family = 1;
  string path = 2;
}
message KprobeNetDev {
  string name = 1;
}
message KprobePath {
  string mount = 1;
  string path = 2;
  string flags = 3;
  string permission = 4;
}
message KprobeFile {
  string mount = 1;
  string path = 2;
  string flags = 3;
  string permission = 4;
}
message KprobeTruncatedBytes {
  bytes bytes_arg = 1;
  uint64 orig_size = 2;
}
message KprobeCred {
  repeated CapabilitiesType permitted = 1;
  repeated CapabilitiesType effective = 2;
  repeated CapabilitiesType inheritable = 3;
}
message KprobeLinuxBinprm {
  string path = 1;
  string flags = 2;
  string permission = 3;
}
message KprobeCapability {
  google.protobuf.Int32Value value = 1;
  string name = 2;
}
message KprobeUserNamespace {
  google.protobuf.Int32Value level = 1;
  google.protobuf.UInt32Value owner = 2;
  google.protobuf.UInt32Value group = 3;
  Namespace ns = 4;
}
message KprobeBpfAttr {
  string ProgType = 1;
  uint32 InsnCnt = 2;
  string ProgName = 3;
}
message KprobeBpfProg {
  string ProgType = 1;
  uint32 InsnCnt = 2;
  string ProgName = 3;
}
message KprobePerfEvent {
  string KprobeFunc = 1;
  string Type = 2;
  uint64 Config = 3;
  uint64 ProbeOffset = 4;
}
message KprobeBpfMap {
  string MapType = 1;
  uint32 KeySize = 2;
  uint32 ValueSize = 3;
  uint32 MaxEntries = 4;
  string MapName = 5;
}
message KprobeError {
  string Message = 1;
}
message SyscallId {
  uint32 id = 1;
  string abi = 2;
}
message KprobeArgument {
  oneof arg {
    string string_arg = 1;
    int32 int_arg = 2;
    KprobeSkb skb_arg = 3;
    uint64 size_arg = 4;
    bytes bytes_arg = 5;
    KprobePath path_arg = 6;
    KprobeFile file_arg = 7;
    KprobeTruncatedBytes truncated_bytes_arg = 8;
    KprobeSock sock_arg = 9;
    KprobeCred cred_arg = 10;
    int64 long_arg = 11;
    KprobeBpfAttr bpf_attr_arg = 12;
    KprobePerfEvent perf_event_arg = 13;
    KprobeBpfMap bpf_map_arg = 14;
    uint32 uint_arg = 15;
    KprobeUserNamespace user_namespace_arg = 16;
    KprobeCapability capability_arg = 17;
    ProcessCredentials process_credentials_arg = 19;
    UserNamespace user_ns_arg = 20;
    KernelModule module_arg = 21;
    string kernel_cap_t_arg = 22;
    string cap_inheritable_arg = 23;
    string cap_permitted_arg = 24;
    string cap_effective_arg = 25;
    KprobeLinuxBinprm linux_binprm_arg = 26;
    KprobeNetDev net_dev_arg = 27;
    BpfCmd bpf_cmd_arg = 28;
    SyscallId syscall_id = 29;
    KprobeSockaddr sockaddr_arg = 30;
    KprobeBpfProg bpf_prog_arg = 31;
    KprobeError error_arg = 32;
    KprobeSockaddrUn sockaddrun_arg = 33;
  }
  string label = 18;
}
message ProcessKprobe {
  Process process = 1;
  Process parent = 2;
  string function_name = 3;
  repeated KprobeArgument args = 4;
  KprobeArgument return = 5;
  KprobeAction action = 6;
  repeated StackTraceEntry kernel_stack_trace = 7;
  string policy_name = 8;
  KprobeAction return_action = 9;
  string message = 10;
  repeated string tags = 11;
  repeated StackTraceEntry user_stack_trace = 12;
  repeated Process ancestors = 13;
  repeated KprobeArgument data = 14;
}
message ProcessTracepoint {
  Process process = 1;
  Process parent = 2;
  string subsys = 4;
  string event = 5;
  repeated KprobeArgument args = 6;
  string policy_name = 7;
  KprobeAction action = 8;
  string message = 9;
  repeated string tags = 10;
  repeated Process ancestors = 11;
}
message ProcessUprobe {
  Process process = 1;
  Process parent = 2;
  string path = 3;
  string symbol = 4;
  string policy_name = 5;
  string message = 6;
  repeated KprobeArgument args = 7;
  repeated string tags = 8;
  repeated Process ancestors = 9;
  uint64 offset = 10;
  uint64 ref_ctr_offset = 11;
  KprobeAction action = 12;
  repeated KprobeArgument data = 13;
}
message ProcessUsdt {
  Process process = 1;
  Process parent = 2;
  string path = 3;
  string provider = 4;
  string name = 5;
  string policy_name = 6;
  string message = 7;
  repeated KprobeArgument args = 8;
  repeated string tags = 9;
  repeated Process ancestors = 10;
  KprobeAction action = 11;
  string flags = 12;
}
message ProcessLsm {
  Process process = 1;
  Process parent = 2;
  string function_name = 3;
  string policy_name = 5;
  string message = 6;
  repeated KprobeArgument args = 7;
  KprobeAction action = 8;
  repeated string tags = 9;
  repeated Process ancestors = 10;
  string ima_hash = 11;
}
message KernelModule {
  string name = 1;
  google.protobuf.BoolValue signature_ok = 2;
  repeated TaintedBitsType tainted = 3;
}
message Test {
  uint64 arg0 = 1;
  uint64 arg1 = 2;
  uint64 arg2 = 3;
  uint64 arg3 = 4;
}
message GetHealthStatusRequest {
  repeated HealthStatusType event_set = 1;
}
message HealthStatus {
  HealthStatusType event = 1;
  HealthStatusResult status = 2;
  string details = 3;
}
message GetHealthStatusResponse {
  repeated HealthStatus health_status = 1;
}
message ProcessLoader {
  Process process = 1;
  string path = 2;
  bytes buildid = 3;
  Process parent = 4;
  repeated Process ancestors = 5;
}
message RuntimeHookRequest {
  oneof event {
    CreateContainer createContainer = 1;
  }
}
message RuntimeHookResponse {}
message Mount {
  string destination = 1;
  string type = 2;
  string source = 3;
  repeated string options = 4;
}
message CreateContainer {
  string cgroupsPath = 1;
  string rootDir = 2;
  map<string, string> annotations = 3;
  string containerName = 4;
  string containerID = 5;
  string podName = 6;
  string podUID = 7;
  string podNamespace = 8;
  string containerImage = 9;
  repeated Mount mounts = 10;
}
message StackTraceEntry {
  uint64 address = 1;
  uint64 offset = 2;
  string symbol = 3;
  string module = 4;
}
enum EventType {
  UNDEF = 0;
  PROCESS_EXEC = 1;
  PROCESS_EXIT = 5;
  PROCESS_KPROBE = 9;
  PROCESS_TRACEPOINT = 10;
  PROCESS_LOADER = 11;
  PROCESS_UPROBE = 12;
  PROCESS_THROTTLE = 27;
  PROCESS_LSM = 28;
  PROCESS_USDT = 29;
  TEST = 40000;
  RATE_LIMIT_INFO = 40001;
}
enum FieldFilterAction {
  INCLUDE = 0;
  EXCLUDE = 1;
}
enum ThrottleType {
  THROTTLE_UNKNOWN = 0;
  THROTTLE_START = 1;
  THROTTLE_STOP = 2;
}
message Filter {
  repeated string binary_regex = 1;
  repeated string namespace = 2;
  google.protobuf.BoolValue health_check = 3;
  repeated uint32 pid = 4;
  repeated uint32 pid_set = 5;
  repeated EventType event_set = 6;
  repeated string pod_regex = 7;
  repeated string arguments_regex = 8;
  repeated string labels = 9;
  repeated string policy_names = 10;
  CapFilter capabilities = 11;
  repeated string parent_binary_regex = 12;
  repeated string cel_expression = 13;
  repeated string parent_arguments_regex = 14;
  repeated string container_id = 15;
  google.protobuf.BoolValue in_init_tree = 16;
  repeated string ancestor_binary_regex = 17;
  repeated string container_name_regex = 18;
  repeated string namespace_regex = 19;
}
message CapFilter {
  CapFilterSet permitted = 1;
  CapFilterSet effective = 2;
  CapFilterSet inheritable = 3;
}
message CapFilterSet {
  repeated CapabilitiesType any = 1;
  repeated CapabilitiesType all = 2;
  repeated CapabilitiesType exactly = 3;
  repeated CapabilitiesType none = 4;
}
message RedactionFilter {
  repeated Filter match = 1;
  repeated string redact = 2;
  repeated string binary_regex = 3;
}
message FieldFilter {
  repeated EventType event_set = 1;
  google.protobuf.FieldMask fields = 2;
  FieldFilterAction action = 3;
  google.protobuf.BoolValue invert_event_set = 4;
}
message GetEventsRequest {
  repeated Filter allow_list = 1;
  repeated Filter deny_list = 2;
  AggregationOptions aggregation_options = 3;
  repeated FieldFilter field_filters = 4;
}
message AggregationOptions {
  google.protobuf.Duration window_size = 1;
  uint64 channel_buffer_size = 2;
}
message AggregationInfo {
  uint64 count = 1;
}
message RateLimitInfo {
  uint64 number_of_dropped_process_events = 1;
}
message ProcessThrottle {
  ThrottleType type = 1;
  string cgroup = 2;
}
message GetEventsResponse {
  oneof event {
    ProcessExec process_exec = 1;
    ProcessExit process_exit = 5;
    ProcessKprobe process_kprobe = 9;
    ProcessTracepoint process_tracepoint = 10;
    ProcessLoader process_loader = 11;
    ProcessUprobe process_uprobe = 12;
    ProcessThrottle process_throttle = 27;
    ProcessLsm process_lsm = 28;
    ProcessUsdt process_usdt = 29;
    Test test = 40000;
    RateLimitInfo rate_limit_info = 40001;
  }
  string node_name = 1000;
  google.protobuf.Timestamp time = 1001;
  AggregationInfo aggregation_info = 1002;
  string cluster_name = 1003;
  map<string, string> node_labels = 1004;
}
enum TracingPolicyState {
  TP_STATE_UNKNOWN = 0;
  TP_STATE_ENABLED = 1;
  TP_STATE_DISABLED = 2;
  TP_STATE_LOAD_ERROR = 3;
  TP_STATE_ERROR = 4;
  TP_STATE_LOADING = 5;
  TP_STATE_UNLOADING = 6;
  TP_STATE_SKIPPED = 7;
  TP_STATE_PARTIALLY_ENABLED = 8;
}
enum TracingPolicyMode {
  TP_MODE_UNKNOWN = 0;
  TP_MODE_ENFORCE = 1;
  TP_MODE_MONITOR = 2;
  TP_MODE_MONITOR_ONLY = 3;
}
enum HookState {
  STATUS_UNSPECIFIED = 0;
  STATUS_LOADED = 1;
  STATUS_DIGEST_REJECTED = 2;
  STATUS_CALL_NOT_FOUND = 3;
  STATUS_PARTIAL_CALL_NOT_FOUND = 4;
}
enum ConfigFlag {
  CONFIG_FLAG_LOG_LEVEL = 0;
  CONFIG_FLAG_DUMP_PROCESS_CACHE = 1;
}
enum LogLevel {
  LOG_LEVEL_PANIC = 0;
  LOG_LEVEL_FATAL = 1;
  LOG_LEVEL_ERROR = 2;
  LOG_LEVEL_WARN = 3;
  LOG_LEVEL_INFO = 4;
  LOG_LEVEL_DEBUG = 5;
  LOG_LEVEL_TRACE = 6;
}
message ListSensorsRequest {}
message SensorStatus {
  string name = 1;
  bool enabled = 2;
  string collection = 3;
}
message ListSensorsResponse {
  repeated SensorStatus sensors = 1;
}
message ListTracingPoliciesRequest {
  string domain = 1;
}
message TracingPolicyActionCounters {
  uint64 post = 1;
  uint64 signal = 2;
  uint64 monitor_signal = 3;
  uint64 override = 4;
  uint64 monitor_override = 5;
  uint64 notify_enforcer = 6;
  uint64 monitor_notify_enforcer = 7;
  uint64 set = 8;
  uint64 monitor_set = 9;
  uint64 nopost = 10;
}
message TracingPolicySelectorActionCounters {
  string hook = 1;
  google.protobuf.UInt32Value hook_index = 2;
  google.protobuf.UInt32Value selector_index = 3;
  TracingPolicyActionCounters action_counters = 4;
  string selector_label = 5;
}
message TracingPolicyStats {
  TracingPolicyActionCounters action_counters = 1;
  repeated TracingPolicySelectorActionCounters selector_action_counters = 2;
}
message HookStatus {
  string section = 1;
  HookState state = 2;
  string hook_description = 3;
  uint32 hook_idx = 4;
}
message TracingPolicyStatus {
  uint64 id = 1;
  string name = 2;
  string namespace = 3;
  string info = 4;
  repeated string sensors = 5;
  bool enabled = 6;
  uint64 filter_id = 7;
  string error = 8;
  TracingPolicyState state = 9;
  uint64 kernel_memory_bytes = 10;
  TracingPolicyMode mode = 11;
  optional TracingPolicyStats stats = 12;
  string domain = 13;
  repeated HookStatus hook_statuses = 14;
}
message ListTracingPoliciesResponse {
  repeated TracingPolicyStatus policies = 1;
}
message AddTracingPolicyRequest {
  string yaml = 1;
  string domain = 2;
}
message AddTracingPolicyResponse {}
message DeleteTracingPolicyRequest {
  string name = 1;
  string namespace = 2;
  string domain = 3;
}
message DeleteTracingPolicyResponse {}
message EnableTracingPolicyRequest {
  string name = 1;
  string namespace = 2;
  string domain = 3;
}
message EnableTracingPolicyResponse {}
message DisableTracingPolicyRequest {
  string name = 1;
  string namespace = 2;
  string domain = 3;
}
message DisableTracingPolicyResponse {}
message ConfigureTracingPolicyRequest {
  string name = 1;
  string namespace = 2;
  optional bool enable = 3;
  optional TracingPolicyMode mode = 4;
  string domain = 5;
}
message ConfigureTracingPolicyResponse {}
message RemoveSensorRequest {
  string name = 1;
}
message RemoveSensorResponse {}
message EnableSensorRequest {
  string name = 1;
}
message EnableSensorResponse {}
message DisableSensorRequest {
  string name = 1;
}
message DisableSensorResponse {}
message ListDomainsRequest {}
message ListDomainsResponse {
  repeated string domains = 1;
}
message GetVersionRequest {}
message GetVersionResponse {
  string version = 1;
}
message GetInfoRequest {}
message GetInfoResponse {
  message Probe {
    string Name = 1;
    google.protobuf.BoolValue Enabled = 2;
  }
  message ConfVal {
    string key = 1;
    google.protobuf.Any value = 2;
  }
  message BuildInfo {
    string go_version = 1;
    string commit = 2;
    string time = 3;
    string modified = 4;
  }
  string version = 1;
  string name = 2;
  repeated Probe probes = 3;
  repeated ConfVal conf = 4;
  BuildInfo build = 5;
}
message DumpProcessCacheReqArgs {
  bool skip_zero_refcnt = 1;
  bool exclude_execve_map_processes = 2;
}
message ProcessInternal {
  Process process = 1;
  string color = 2;
  google.protobuf.UInt32Value refcnt = 3;
  map<string, int32> refcnt_ops = 4;
}
message DumpProcessCacheResArgs {
  repeated ProcessInternal processes = 1;
}
message GetDebugRequest {
  ConfigFlag flag = 1;
  oneof arg {
    DumpProcessCacheReqArgs dump = 2;
  }
}
message GetDebugResponse {
  ConfigFlag flag = 1;
  oneof arg {
    LogLevel level = 2;
    DumpProcessCacheResArgs processes = 3;
  }
}
message SetDebugRequest {
  ConfigFlag flag = 1;
  oneof arg {
    LogLevel level = 2;
  }
}
message SetDebugResponse {
  ConfigFlag flag = 1;
  oneof arg {
    LogLevel level = 2;
  }
}
service FineGuidanceSensors {
  rpc GetEvents(GetEventsRequest) returns (stream GetEventsResponse);
  rpc GetHealth(GetHealthStatusRequest) returns (GetHealthStatusResponse);
  rpc AddTracingPolicy(AddTracingPolicyRequest) returns (AddTracingPolicyResponse);
  rpc DeleteTracingPolicy(DeleteTracingPolicyRequest) returns (DeleteTracingPolicyResponse);
  rpc ListTracingPolicies(ListTracingPoliciesRequest) returns (ListTracingPoliciesResponse);
  rpc ConfigureTracingPolicy(ConfigureTracingPolicyRequest) returns (ConfigureTracingPolicyResponse);
  rpc EnableTracingPolicy(EnableTracingPolicyRequest) returns (EnableTracingPolicyResponse);
  rpc DisableTracingPolicy(DisableTracingPolicyRequest) returns (DisableTracingPolicyResponse);
  rpc ListSensors(ListSensorsRequest) returns (ListSensorsResponse);
  rpc EnableSensor(EnableSensorRequest) returns (EnableSensorResponse);
  rpc DisableSensor(DisableSensorRequest) returns (DisableSensorResponse);
  rpc RemoveSensor(RemoveSensorRequest) returns (RemoveSensorResponse);
  rpc ListDomains(ListDomainsRequest) returns (ListDomainsResponse);
  rpc GetVersion(GetVersionRequest) returns (GetVersionResponse);
  rpc GetInfo(GetInfoRequest) returns (GetInfoResponse);
  rpc RuntimeHook(RuntimeHookRequest) returns (RuntimeHookResponse);
  rpc GetDebug(GetDebugRequest) returns (GetDebugResponse);
  rpc SetDebug(SetDebugRequest) returns (SetDebugResponse);
}
message GetEventLogParamsRequest {}
message GetEventLogParamsResponse {
  int32 max_size = 1;
  string rotation_interval = 2;
  int32 max_backups = 3;
}
message SetEventLogParamsRequest {
  optional int32 max_size = 1;
  optional string rotation_interval = 2;
  optional int32 max_backups = 3;
}
message SetEventLogParamsResponse {}
service EventLogService {
  rpc GetEventLogParams(GetEventLogParamsRequest) returns (GetEventLogParamsResponse);
  rpc SetEventLogParams(SetEventLogParamsRequest) returns (SetEventLogParamsResponse);
}
`;
