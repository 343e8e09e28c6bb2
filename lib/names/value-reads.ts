/** What a BPF program reads for each member of enum value_read in bpf/abi.h. */
import { ValueRead } from './abi.gen.js';

/** A number of enum value_read. */
export type ValueReadNumber = (typeof ValueRead)[keyof typeof ValueRead];

export interface ReadFacts {
  /** What the record has of the value. A `detail` is a struct that describes an object of the kernel. */
  readonly class: 'nothing' | 'number' | 'string' | 'buffer' | 'path' | 'detail';
  /**
   * What the value is in C, as a parameter or as a field of a tracepoint. `bytes` and `iovecs` are pointers without a
   * size. A `struct` is a pointer to one. A `location` is the offset and length of a string in a tracepoint record.
   */
  readonly form: 'nothing' | 'number' | 'characters' | 'location' | 'bytes' | 'iovecs' | 'struct';
}

export const VALUE_READS = {
  [ValueRead.READ_NOTHING]: { class: 'nothing', form: 'nothing' },
  [ValueRead.READ_SCALAR]: { class: 'number', form: 'number' },
  [ValueRead.READ_STRING]: { class: 'string', form: 'characters' },
  [ValueRead.READ_FILENAME]: { class: 'string', form: 'struct' },
  [ValueRead.READ_NET_DEVICE]: { class: 'string', form: 'struct' },
  [ValueRead.READ_SOCKADDR_UN]: { class: 'string', form: 'struct' },
  [ValueRead.READ_SOCKADDR_ALG]: { class: 'string', form: 'struct' },
  [ValueRead.READ_BUFFER]: { class: 'buffer', form: 'bytes' },
  [ValueRead.READ_IOVEC]: { class: 'buffer', form: 'iovecs' },
  [ValueRead.READ_IOV_ITER]: { class: 'buffer', form: 'struct' },
  [ValueRead.READ_DATA_LOC]: { class: 'string', form: 'location' },
  [ValueRead.READ_FILE]: { class: 'path', form: 'struct' },
  [ValueRead.READ_PATH]: { class: 'path', form: 'struct' },
  [ValueRead.READ_FD]: { class: 'path', form: 'number' },
  [ValueRead.READ_DENTRY]: { class: 'path', form: 'struct' },
  [ValueRead.READ_BINPRM]: { class: 'path', form: 'struct' },
  [ValueRead.READ_KIOCB]: { class: 'path', form: 'struct' },
  [ValueRead.READ_SOCK]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_SOCKET]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_SKB]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_SOCKADDR]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_CRED]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_USER_NAMESPACE]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_LOAD_INFO]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_MODULE]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_BPF_ATTR]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_BPF_MAP]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_BPF_PROG]: { class: 'detail', form: 'struct' },
  [ValueRead.READ_PERF_EVENT]: { class: 'detail', form: 'struct' },
} as const satisfies Readonly<Record<ValueReadNumber, ReadFacts>>;

/** The numbers of enum value_read whose values have this form. */
export type ReadOfForm<F extends ReadFacts['form']> = {
  [R in ValueReadNumber]: (typeof VALUE_READS)[R]['form'] extends F ? R : never;
}[ValueReadNumber];
