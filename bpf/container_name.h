/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Decides by the name of a cgroup whether it is the cgroup of a container. The rules are those of
 * lib/containers/identify.ts. The base sensor applies them to new cgroups, the addon to existing ones. The including
 * file defines u8, u32 and bool first.
 */
#ifndef POLYTRACE_CONTAINER_NAME_H
#define POLYTRACE_CONTAINER_NAME_H

enum {
	CGROUP_NAME_SIZE = 256, /* most file systems limit names to 255 bytes; cgroups can have longer ones */
	CONTAINER_ID_DIGITS = 64,
};

#ifdef __BPF__
#define NAME_INLINE static __attribute__((always_inline)) inline
/* hides the value from the verifier, which would follow each literal separately */
#define NAME_HIDE(value) asm volatile("" : "+r"(value))
#else
#define NAME_INLINE static inline
#define NAME_HIDE(value)
#endif

/* Offsets wrap around: this bound needs no branch. */
NAME_INLINE u8 name_byte(const u8 *name, u32 at)
{
	at &= CGROUP_NAME_SIZE - 1;
	NAME_HIDE(at);
	return name[at & (CGROUP_NAME_SIZE - 1)];
}

/* True if `literal` is at this offset. `size` is the size of the literal with its NUL. */
NAME_INLINE bool has_literal(const u8 *name, u32 at, const char *literal, u32 size)
{
	u32 differs = 0;

	for (u32 i = 0; i < size - 1; i++)
		differs |= name_byte(name, at + i) ^ (u8)literal[i];
	NAME_HIDE(differs);
	return differs == 0;
}

#define NAME_HAS(name, at, literal) has_literal(name, at, literal, sizeof(literal))
#define NAME_BEGINS(name, length, literal) ((length) >= sizeof(literal) && NAME_HAS(name, 0, literal))
#define NAME_ENDS(name, length, literal) \
	((length) >= sizeof(literal) && NAME_HAS(name, (length) - (sizeof(literal) - 1), literal))

NAME_INLINE bool is_container_id(const u8 *name, u32 at)
{
	u32 others = 0;

	for (u32 i = 0; i < CONTAINER_ID_DIGITS; i++) {
		u32 byte = name_byte(name, at + i), digit, letter;

		NAME_HIDE(byte);
		/*
		 * the highest bit is set if the byte is out of range; the verifier would follow both sides of a branch
		 */
		digit = (byte - '0') | ('9' - byte);
		letter = (byte - 'a') | ('f' - byte);
		others |= digit & letter;
	}
	others >>= 31;
	NAME_HIDE(others);
	return others == 0;
}

/* True if the name of a runtime ends at `end`. It begins at the start of the name or after a colon. */
NAME_INLINE bool is_runtime_name(const u8 *name, u32 end, const char *literal, u32 size)
{
	u32 start = end - (size - 1);

	if (end < size - 1 || !has_literal(name, start, literal, size))
		return false;
	return start == 0 || name_byte(name, start - 1) == ':';
}

#define NAME_IS_RUNTIME(name, end, literal) is_runtime_name(name, end, literal, sizeof(literal))

/* `docker-ID.scope`, `SLICE:docker:ID`, `libpod-ID`; or the id alone. */
NAME_INLINE bool has_container_id(const u8 *name, u32 length)
{
	bool scope = NAME_ENDS(name, length, ".scope");
	u32 end = length - (scope ? sizeof(".scope") - 1 : 0), at = end - CONTAINER_ID_DIGITS;
	u8 before;

	if (end < CONTAINER_ID_DIGITS || !is_container_id(name, at))
		return false;
	if (at == 0)
		return !scope;
	before = name_byte(name, at - 1);
	if (before != '-' && before != ':')
		return false;
	return NAME_IS_RUNTIME(name, at - 1, "docker") || NAME_IS_RUNTIME(name, at - 1, "cri-containerd") ||
	       NAME_IS_RUNTIME(name, at - 1, "crio") || NAME_IS_RUNTIME(name, at - 1, "libpod");
}

/* `name` has CGROUP_NAME_SIZE bytes, of which `length` are the name. */
NAME_INLINE bool is_container_name(const u8 *name, u32 length)
{
	const u32 machine = sizeof("machine-") - 1, payload = sizeof("lxc.payload") - 1;
	u8 after;

	if (has_container_id(name, length))
		return true;
	if (NAME_BEGINS(name, length, "systemd-nspawn@"))
		return length > sizeof("systemd-nspawn@.service") - 1 && NAME_ENDS(name, length, ".service");
	/* libvirt uses such names for virtual machines, too; this kernel does not see the processes in them */
	if (NAME_BEGINS(name, length, "machine-"))
		return length > sizeof("machine-.scope") - 1 && NAME_ENDS(name, length, ".scope") &&
		       !NAME_HAS(name, machine, "qemu");
	if (!NAME_BEGINS(name, length, "lxc.payload"))
		return false;
	after = name_byte(name, payload);
	return length > payload + 1 && (after == '.' || after == '-');
}

#endif
