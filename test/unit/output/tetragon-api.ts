/**
 * The messages and enumerations of Tetragon's protocol that the JSON export supports: names of fields with their types,
 * and names of values. A line that begins with spaces continues the previous line.
 */

export const API_MESSAGES = `
GetEventsResponse = process_exec:ProcessExec process_exit:ProcessExit process_kprobe:ProcessKprobe
  process_tracepoint:ProcessTracepoint process_loader:ProcessLoader process_uprobe:ProcessUprobe
  process_throttle:ProcessThrottle process_lsm:ProcessLsm process_usdt:ProcessUsdt test:Test
  rate_limit_info:RateLimitInfo node_name:string time:Timestamp aggregation_info:AggregationInfo
  cluster_name:string node_labels:map
ProcessExec = process:Process parent:Process ancestors:Process[]
ProcessExit = process:Process parent:Process signal:string status:uint32 time:Timestamp ancestors:Process[]
ProcessKprobe = process:Process parent:Process function_name:string args:KprobeArgument[] return:KprobeArgument
  action:KprobeAction kernel_stack_trace:StackTraceEntry[] policy_name:string return_action:KprobeAction
  message:string tags:string[] user_stack_trace:StackTraceEntry[] ancestors:Process[] data:KprobeArgument[]
ProcessTracepoint = process:Process parent:Process subsys:string event:string args:KprobeArgument[]
  policy_name:string action:KprobeAction message:string tags:string[] ancestors:Process[]
ProcessUprobe = process:Process parent:Process path:string symbol:string policy_name:string message:string
  args:KprobeArgument[] tags:string[] ancestors:Process[] offset:uint64 ref_ctr_offset:uint64 action:KprobeAction
  data:KprobeArgument[]
ProcessUsdt = process:Process parent:Process path:string provider:string name:string policy_name:string
  message:string args:KprobeArgument[] tags:string[] ancestors:Process[] action:KprobeAction flags:string
ProcessLsm = process:Process parent:Process function_name:string policy_name:string message:string
  args:KprobeArgument[] action:KprobeAction tags:string[] ancestors:Process[] ima_hash:string
ProcessThrottle = type:ThrottleType cgroup:string
EnvVar = Key:string Value:string
ProcessLoader = process:Process path:string buildid:bytes parent:Process ancestors:Process[]
Process = exec_id:string pid:UInt32Value uid:UInt32Value cwd:string binary:string arguments:string flags:string
  start_time:Timestamp auid:UInt32Value pod:Pod docker:string parent_exec_id:string refcnt:uint32 cap:Capabilities
  ns:Namespaces tid:UInt32Value process_credentials:ProcessCredentials binary_properties:BinaryProperties
  user:UserRecord in_init_tree:BoolValue environment_variables:EnvVar[]
Pod = namespace:string name:string uid:string container:Container pod_labels:map workload:string
  workload_kind:string pod_annotations:map
Container = id:string name:string image:Image start_time:Timestamp pid:UInt32Value maybe_exec_probe:bool
  security_context:SecurityContext
SecurityContext = privileged:bool
Image = id:string name:string
Capabilities = permitted:CapabilitiesType[] effective:CapabilitiesType[] inheritable:CapabilitiesType[]
Namespaces = uts:Namespace ipc:Namespace mnt:Namespace pid:Namespace pid_for_children:Namespace net:Namespace
  time:Namespace time_for_children:Namespace cgroup:Namespace user:Namespace
Namespace = inum:uint32 is_host:bool
ProcessCredentials = uid:UInt32Value gid:UInt32Value euid:UInt32Value egid:UInt32Value suid:UInt32Value
  sgid:UInt32Value fsuid:UInt32Value fsgid:UInt32Value securebits:SecureBitsType[] caps:Capabilities
  user_ns:UserNamespace
UserNamespace = level:Int32Value uid:UInt32Value gid:UInt32Value ns:Namespace
BinaryProperties = setuid:UInt32Value setgid:UInt32Value privileges_changed:ProcessPrivilegesChanged[]
  file:FileProperties
FileProperties = inode:InodeProperties path:string
InodeProperties = number:uint64 links:UInt32Value
UserRecord = name:string
StackTraceEntry = address:uint64 offset:uint64 symbol:string module:string
KprobeArgument = string_arg:string int_arg:int32 skb_arg:KprobeSkb size_arg:uint64 bytes_arg:bytes
  path_arg:KprobePath file_arg:KprobeFile truncated_bytes_arg:KprobeTruncatedBytes sock_arg:KprobeSock
  cred_arg:KprobeCred long_arg:int64 bpf_attr_arg:KprobeBpfAttr perf_event_arg:KprobePerfEvent
  bpf_map_arg:KprobeBpfMap uint_arg:uint32 user_namespace_arg:KprobeUserNamespace capability_arg:KprobeCapability
  process_credentials_arg:ProcessCredentials user_ns_arg:UserNamespace module_arg:KernelModule
  kernel_cap_t_arg:string cap_inheritable_arg:string cap_permitted_arg:string cap_effective_arg:string
  linux_binprm_arg:KprobeLinuxBinprm net_dev_arg:KprobeNetDev bpf_cmd_arg:BpfCmd syscall_id:SyscallId
  sockaddr_arg:KprobeSockaddr bpf_prog_arg:KprobeBpfProg error_arg:KprobeError sockaddrun_arg:KprobeSockaddrUn
  label:string
KprobeSkb = hash:uint32 len:uint32 priority:uint32 mark:uint32 saddr:string daddr:string sport:uint32
  dport:uint32 proto:uint32 sec_path_len:uint32 sec_path_olen:uint32 protocol:string family:string
KprobeSock = family:string type:string protocol:string mark:uint32 priority:uint32 saddr:string daddr:string
  sport:uint32 dport:uint32 cookie:uint64 state:string
KprobeSockaddr = family:string addr:string port:uint32
KprobeSockaddrUn = family:string path:string
KprobeNetDev = name:string
KprobePath = mount:string path:string flags:string permission:string
KprobeFile = mount:string path:string flags:string permission:string
KprobeLinuxBinprm = path:string flags:string permission:string
KprobeTruncatedBytes = bytes_arg:bytes orig_size:uint64
KprobeCapability = value:Int32Value name:string
KprobeBpfAttr = ProgType:string InsnCnt:uint32 ProgName:string
KprobeBpfProg = ProgType:string InsnCnt:uint32 ProgName:string
KprobePerfEvent = KprobeFunc:string Type:string Config:uint64 ProbeOffset:uint64
KprobeBpfMap = MapType:string KeySize:uint32 ValueSize:uint32 MaxEntries:uint32 MapName:string
KernelModule = name:string signature_ok:BoolValue tainted:TaintedBitsType[]
SyscallId = id:uint32 abi:string
KprobeError = Message:string
`;

export const API_ENUMS = `
ThrottleType = THROTTLE_UNKNOWN THROTTLE_START THROTTLE_STOP
BpfCmd = BPF_MAP_CREATE BPF_MAP_LOOKUP_ELEM BPF_MAP_UPDATE_ELEM BPF_MAP_DELETE_ELEM BPF_MAP_GET_NEXT_KEY
  BPF_PROG_LOAD BPF_OBJ_PIN BPF_OBJ_GET BPF_PROG_ATTACH BPF_PROG_DETACH BPF_PROG_TEST_RUN BPF_PROG_GET_NEXT_ID
  BPF_MAP_GET_NEXT_ID BPF_PROG_GET_FD_BY_ID BPF_MAP_GET_FD_BY_ID BPF_OBJ_GET_INFO_BY_FD BPF_PROG_QUERY
  BPF_RAW_TRACEPOINT_OPEN BPF_BTF_LOAD BPF_BTF_GET_FD_BY_ID BPF_TASK_FD_QUERY BPF_MAP_LOOKUP_AND_DELETE_ELEM
  BPF_MAP_FREEZE BPF_BTF_GET_NEXT_ID BPF_MAP_LOOKUP_BATCH BPF_MAP_LOOKUP_AND_DELETE_BATCH BPF_MAP_UPDATE_BATCH
  BPF_MAP_DELETE_BATCH BPF_LINK_CREATE BPF_LINK_UPDATE BPF_LINK_GET_FD_BY_ID BPF_LINK_GET_NEXT_ID BPF_ENABLE_STATS
  BPF_ITER_CREATE BPF_LINK_DETACH BPF_PROG_BIND_MAP BPF_TOKEN_CREATE
CapabilitiesType = CAP_CHOWN DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID
  CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
  CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT
  CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE
  CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM
  CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE
KprobeAction = KPROBE_ACTION_UNKNOWN KPROBE_ACTION_POST KPROBE_ACTION_FOLLOWFD KPROBE_ACTION_SIGKILL
  KPROBE_ACTION_UNFOLLOWFD KPROBE_ACTION_OVERRIDE KPROBE_ACTION_COPYFD KPROBE_ACTION_GETURL
  KPROBE_ACTION_DNSLOOKUP KPROBE_ACTION_NOPOST KPROBE_ACTION_SIGNAL KPROBE_ACTION_TRACKSOCK
  KPROBE_ACTION_UNTRACKSOCK KPROBE_ACTION_NOTIFYENFORCER KPROBE_ACTION_CLEANUPENFORCERNOTIFICATION
  KPROBE_ACTION_SET
ProcessPrivilegesChanged = PRIVILEGES_CHANGED_UNSET PRIVILEGES_RAISED_EXEC_FILE_CAP
  PRIVILEGES_RAISED_EXEC_FILE_SETUID PRIVILEGES_RAISED_EXEC_FILE_SETGID
SecureBitsType = SecBitNotSet SecBitNoRoot SecBitNoRootLocked SecBitNoSetUidFixup SecBitNoSetUidFixupLocked
  SecBitKeepCaps SecBitKeepCapsLocked SecBitNoCapAmbientRaise SecBitNoCapAmbientRaiseLocked
TaintedBitsType = TAINT_UNSET TAINT_PROPRIETARY_MODULE TAINT_FORCED_MODULE TAINT_FORCED_UNLOAD_MODULE
  TAINT_STAGED_MODULE TAINT_OUT_OF_TREE_MODULE TAINT_UNSIGNED_MODULE TAINT_KERNEL_LIVE_PATCH_MODULE
  TAINT_TEST_MODULE
`;
